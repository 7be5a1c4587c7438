"""DP-SGD where one device trains: per-record gradients and clipping by Opacus, noise from a cryptographic source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from fl_core.errors import SpecError
from fl_core.models import ModelSpec, build
from fl_core.record_privacy.gaussian import StandardNormal
from fl_core.training import batches

if TYPE_CHECKING:
    from fl_core.training import LocalTraining

try:
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer
except ImportError as error:
    raise SpecError(
        "per-record privacy needs Opacus, which is not installed: pip install 'fediomt[privacy]'"
    ) from error


class SourcedOptimizer(DPOptimizer):  # type: ignore[misc]
    """Opacus' optimiser with noise that is drawn for all parameters at once, in their order, from our source."""

    def __init__(self, optimizer: torch.optim.Optimizer, source: StandardNormal, **settings: float) -> None:
        """Wrap an optimiser.

        Args:
            optimizer: what takes the noised, scaled gradient.
            source: of the noise.
            settings: noise_multiplier, max_grad_norm and expected_batch_size of Opacus' DPOptimizer.
        """
        super().__init__(optimizer, **settings)
        self._source = source

    def add_noise(self) -> None:
        """Noise the sums of clipped gradients (Opacus' hook)."""
        sizes = [parameter.numel() for parameter in self.params]
        noise = torch.empty(sum(sizes))
        self._source.fill(noise)
        noise.mul_(self.noise_multiplier * self.max_grad_norm)
        for parameter, part in zip(self.params, torch.split(noise, sizes), strict=True):
            parameter.grad = parameter.summed_grad + part.view_as(parameter)


def descend_privately(  # noqa: PLR0917
    spec: ModelSpec,
    origin: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    training: LocalTraining,
    generator: torch.Generator,
    source: StandardNormal,
) -> torch.Tensor:
    """The parameters after DP-SGD, a new tensor (d,); batches as in `train_local`."""
    privacy = training.record_privacy
    assert privacy is not None
    module = GradSampleModule(build(spec, origin.numpy()))
    parameters = list(module.parameters())
    optimizer = SourcedOptimizer(
        torch.optim.SGD(parameters, lr=training.learning_rate, momentum=training.momentum),
        source,
        noise_multiplier=privacy.noise_multiplier,
        max_grad_norm=privacy.max_grad_norm,
        expected_batch_size=min(training.batch_size, len(y)),
    )
    starts = [parameter.detach().clone() for parameter in parameters]

    def pull_back(_: DPOptimizer) -> None:
        """Add what depends on no record, after clipping and noise."""
        for parameter, start in zip(parameters, starts, strict=True):
            assert parameter.grad is not None
            parameter.grad.add_(parameter, alpha=training.weight_decay)
            parameter.grad.add_(parameter - start, alpha=training.proximal)

    optimizer.attach_step_hook(torch.no_grad()(pull_back))
    for _ in range(training.epochs):
        for x_batch, y_batch in batches(x, y, training.batch_size, generator):
            optimizer.zero_grad()
            rows = (
                x_batch.detach().requires_grad_()
            )  # else torch warns that Opacus' hooks see no gradient of inputs
            torch.autograd.backward(nn.functional.cross_entropy(module(rows), y_batch))
            optimizer.step()
    with torch.no_grad():
        return torch.cat([parameter.reshape(-1) for parameter in parameters])
