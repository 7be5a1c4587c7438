"""Other ways to value devices by their cohorts' sums alone, on the same rounds.

- *GroupSV* (Ma et al., 2021): the Shapley value of each cohort's mean update, divided evenly among its members, summed
  over rounds.
- *Leave one cohort out*: what the round gains by the cohort, divided and summed likewise. Both on the validation rows
  of all hospitals together, their own cohorts included: what no hospital alone could do.
- *Everybody else*: as leave one cohort out, but judged by the other hospitals' rows only (after the score of that name
  without self-evaluation, Jaramillo-Velez et al., 2026).
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.valuation_rounds import PlayedRound, ReleasedCohort
from benchmarks.valuation_truth import FloatArray
from benchmarks.valuation_world import World
from fl_core.models import predict_logits
from fl_core.threads import one_thread

ORDERS = 50


class GroupBaselines:
    """Adds up, round by round, what the baselines give each device."""

    def __init__(self, world: World, weights: FloatArray, *, seed: int) -> None:
        """Start before the first round.

        Args:
            world: the devices.
            weights: of each device in a mean.
            seed: of the orders in which cohorts join.
        """
        self._world, self._weights = world, weights
        self._features = np.concatenate([x for x, _ in world.validation])
        self._labels = torch.tensor(np.concatenate([y for _, y in world.validation]))
        self._holder = np.repeat(np.arange(world.hospitals), [len(y) for _, y in world.validation])
        self._rng = np.random.default_rng((seed, 61))
        self.group_shapley = np.zeros(len(weights))
        self.leave_one_out = np.zeros(len(weights))
        self.everybody_else = np.zeros(len(weights))

    def see(self, played: PlayedRound, cohorts: tuple[ReleasedCohort, ...]) -> None:
        """Value a round's cohorts."""
        with one_thread(), torch.no_grad():
            self._see(played, cohorts)

    def _see(self, played: PlayedRound, cohorts: tuple[ReleasedCohort, ...]) -> None:
        model = self._world.model
        base = torch.tensor(predict_logits(model, played.start, self._features))
        means = [cohort.mean.astype(np.float32) for cohort in cohorts]
        each = torch.stack([torch.tensor(predict_logits(model, mean, self._features)) for mean in means])
        weights = torch.tensor(
            [self._weights[cohort.members].sum() for cohort in cohorts], dtype=torch.float32
        )
        each *= weights[:, None, None]
        losses = self._losses(base)
        whole, all_weight = each.sum(dim=0), weights.sum()
        without = base + (whole - each) / (all_weight - weights)[:, None, None]
        lost = (self._losses(without) - self._losses(base + whole / all_weight)).numpy()
        shapley = self._shapley(base, each, weights, float(losses.mean()))
        for index, cohort in enumerate(cohorts):
            size = len(cohort.members)
            others = self._holder != cohort.key.hospital - 1
            self.group_shapley[cohort.members] += shapley[index] / size
            self.leave_one_out[cohort.members] += lost[index].mean() / size
            self.everybody_else[cohort.members] += lost[index][others].mean() / size

    def _shapley(
        self, base: torch.Tensor, each: torch.Tensor, weights: torch.Tensor, loss: float
    ) -> FloatArray:
        """Shapley value of each cohort over random orders, each walked both ways."""
        values = np.zeros(len(each))
        for _ in range(ORDERS // 2):
            order = torch.tensor(self._rng.permutation(len(each)))
            for walk in (order, order.flip(0)):
                joined = each[walk].cumsum(dim=0) / weights[walk].cumsum(dim=0)[:, None, None]
                worth = loss - self._losses(base + joined).mean(dim=-1)
                values[walk.numpy()] += torch.diff(worth, prepend=torch.zeros(1)).numpy() / ORDERS
        return values

    def _losses(self, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of each row, (..., n) of logits (..., n, K)."""
        index = self._labels.expand(logits.shape[:-1]).unsqueeze(-1)
        return logits.logsumexp(dim=-1) - logits.gather(-1, index).squeeze(-1)
