"""What devices are truly worth: Shapley value and leave-one-out of every device in every round, on plain updates.

The worth of a set of devices in a round is the loss that the weighted mean of their updates saves on rows that nobody
else holds; nobody is worth nothing. A device's Shapley value is its marginal worth, averaged over random orders in
which the devices join (Castro, Gomez and Tejada, Computers & OR 2009); each order is also walked backwards, which
cancels much of the error. No order is cut short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from benchmarks.valuation_world import IntArray, Rows
from fl_core.errors import SpecError
from fl_core.models import Float32Array, ModelSpec, predict_logits
from fl_core.threads import one_thread

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Truth:
    """What devices were worth over a run, in nats, summed over its rounds.

    Attributes:
        shapley: float64 (devices,).
        leave_one_out: float64 (devices,).
        halves: float64 (2, devices), Shapley values of one half of the orders and of the other.
    """

    shapley: FloatArray
    leave_one_out: FloatArray
    halves: FloatArray

    @property
    def reliability(self) -> float:
        """Rank correlation that another draw of as many orders would have: the halves', stepped up (Spearman-Brown)."""
        half = float(stats.spearmanr(*self.halves).statistic)
        return 2 * half / (1 + half)


class TruthOfRun:
    """Adds up, round by round, what devices were worth."""

    def __init__(self, model: ModelSpec, rows: Rows, weights: FloatArray, *, orders: int, seed: int) -> None:
        """Start before the first round.

        Args:
            model: a logistic model: the logits of a mean update are then the mean of the updates' logits.
            rows: features and labels that nobody else holds.
            weights: of each device in the mean.
            orders: orders a round, a multiple of 4: half of them backwards, a half of these in each of the halves.
            seed: of the orders.

        Raises:
            SpecError: another model, or a number of orders that cannot be divided.
        """
        if model.kind != "logistic":
            raise SpecError(f"the truth is measured on logistic models, not on {model.kind}")
        if orders < 4 or orders % 4:
            raise SpecError(f"{orders} orders: take a multiple of 4")
        self._model, self._features = model, rows[0]
        self._labels = torch.tensor(rows[1])
        self._weights = torch.tensor(weights, dtype=torch.float32)
        self._orders, self._rng = orders, np.random.default_rng((seed, 47))
        self._halves = np.zeros((2, len(weights)))
        self._leave_one_out = np.zeros(len(weights))

    def see(self, start: Float32Array, updates: Float32Array) -> None:
        """Value a round's plain updates.

        Args:
            start: parameters before the round, float32 (d,).
            updates: float32 (devices, d).
        """
        with one_thread(), torch.no_grad():
            base = torch.tensor(predict_logits(self._model, start, self._features))
            each = torch.stack(
                [torch.tensor(predict_logits(self._model, update, self._features)) for update in updates]
            )
            each *= self._weights[:, None, None]
            everybody, all_weight = each.sum(dim=0), self._weights.sum()
            loss = self._loss(base)
            whole = self._loss(base + everybody / all_weight)
            others = (everybody - each) / (all_weight - self._weights)[:, None, None]
            self._leave_one_out += (self._loss(base + others) - whole).numpy()
            pairs = self._orders // 2
            for pair in range(pairs):
                order = torch.tensor(self._rng.permutation(len(updates)))
                for walk in (order, order.flip(0)):
                    joined = each[walk].cumsum(dim=0) / self._weights[walk].cumsum(dim=0)[:, None, None]
                    worth = loss - self._loss(base + joined)
                    marginal = torch.diff(worth, prepend=torch.zeros(1)).numpy()
                    self._halves[pair % 2, walk.numpy()] += marginal / pairs

    def result(self) -> Truth:
        """What has been found."""
        return Truth(self._halves.mean(axis=0), self._leave_one_out.copy(), self._halves.copy())

    def _loss(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy over the rows, (...,) of logits (..., n, K)."""
        index = self._labels.expand(logits.shape[:-1]).unsqueeze(-1)
        picked = logits.gather(-1, index).squeeze(-1)
        return (logits.logsumexp(dim=-1) - picked).mean(dim=-1)


def truth_rows(rows: Rows, most: int, seed: int) -> Rows:
    """At most so many of some rows, drawn from a seed."""
    if len(rows[1]) <= most:
        return rows
    chosen: IntArray = np.random.default_rng((seed, 53)).permutation(len(rows[1]))[:most]
    return rows[0][chosen], rows[1][chosen]
