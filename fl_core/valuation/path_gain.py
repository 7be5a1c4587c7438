"""The path gain: what a cohort's mean update contributes to the loss that the whole round saves.

Walking from the model before the round, w, to the one after it, w', the loss saved is the integral of
-<gradient of the loss, w' - w> along the way; the Aumann-Shapley price of an update u in it is the same integral with
u in place of w' - w (Aumann and Shapley, Values of Non-Atomic Games, 1974; integrated gradients, Sundararajan et al.,
ICML 2017). The trapezoid rule takes the gradients at both ends:

    path gain(u) = -<(grad L(w) + grad L(w')) / 2, u>.

It is linear in u as long as no row is clipped. Hence cohorts' path gains are then weighted means of their devices',
whatever the others in the cohort sent, no curvature comes between, and weighted over all cohorts they add up to about
what the round gained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fl_core.models import Float32Array, ModelSpec, features_tensor, logits_of, tensor_of
from fl_core.threads import one_thread
from fl_core.training import check_rows
from fl_core.valuation.quantised import check_quantisation, quantised_means, require_rows
from fl_core.valuation.stacked import blocks, stacked_logits


def path_utilities(
    model: ModelSpec,
    start: NDArray[np.float32],
    mean_updates: Sequence[NDArray[np.float64]],
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    after: NDArray[np.float32],
    clip: float,
    step: int,
) -> list[int]:
    """Path gains of cohorts on one validator's rows.

    Args:
        model: architecture.
        start: parameters before the round, float32 (d,).
        mean_updates: one weighted mean update a cohort, float64 (d,) each.
        features: validation features, float32 (n, f).
        labels: validation labels, int64 (n,).
        after: parameters after the round, float32 (d,).
        clip: bound on one record's part, in nats.
        step: rounding step, in millionths of a nat.

    Returns:
        One integer a cohort, a multiple of `step`, in millionths of a nat.

    Raises:
        DataError: there are no validation rows.
        SpecError: a clip or step that is none, or shapes that do not fit the model.
    """
    require_rows(labels)
    check_rows(model, features, labels)
    check_quantisation(clip=clip, step=step)
    utilities: list[int] = []
    with one_thread():
        rows, targets = features_tensor(model, features), torch.tensor(labels)
        ends = [_End(model, tensor_of(model, vector), rows, targets) for vector in (start, after)]
        for block in blocks(mean_updates, len(labels), model.classes):
            with np.errstate(over="ignore", invalid="ignore"):  # what explodes is worth the least
                directions = [update.astype(np.float32) for update in block]
            if model.kind == "logistic":  # its logits are linear in the parameters
                change = stacked_logits(model, directions, rows)
                saved = torch.stack([end.saved(change) for end in ends])
            else:
                saved = torch.stack([end.saved(end.change(directions)) for end in ends])
            parts = saved.to(torch.float64).mean(dim=0).numpy()
            utilities += quantised_means(parts, clip=clip, step=step)
    return utilities


class _End:
    """One end of the way: gives directional derivatives of each row's loss there."""

    def __init__(
        self, model: ModelSpec, flat: torch.Tensor, rows: torch.Tensor, labels: torch.Tensor
    ) -> None:
        self._model = model
        with torch.enable_grad():
            self._flat = flat.requires_grad_()
            logits = logits_of(model, self._flat, rows)
            self._error = _errors(logits.detach(), labels)
            if model.kind != "logistic":
                # the derivative of (transposed Jacobian times v) in v is the Jacobian: made once for all directions
                self._any = torch.zeros_like(logits, requires_grad=True)
                (self._pulled,) = torch.autograd.grad(logits, self._flat, self._any, create_graph=True)

    def change(self, directions: Sequence[Float32Array]) -> torch.Tensor:
        """Derivatives of the logits along directions (d,) each, (directions, n, K)."""
        tensors = [tensor_of(self._model, direction) for direction in directions]
        found = [torch.autograd.grad(self._pulled, self._any, one, retain_graph=True) for one in tensors]
        return torch.stack([change for (change,) in found])

    def saved(self, change: torch.Tensor) -> torch.Tensor:
        """What each row's loss falls by as its logits change by (directions, n, K): (directions, n)."""
        return -(self._error * change).sum(dim=-1)


def _errors(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Gradient of each row's cross entropy in its logits, (n, K)."""
    error = torch.softmax(logits, dim=1)
    index = labels.unsqueeze(1)
    return error.scatter_add_(1, index, error.new_full((1, 1), -1.0).expand(len(labels), 1))
