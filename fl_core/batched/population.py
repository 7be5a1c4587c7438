"""Who trains, on what and how; and the training of some of them, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fl_core.batched.descent import Descent
from fl_core.batched.recycled import Recycled
from fl_core.batched.stack import Stack, room, views
from fl_core.batched.steps import epoch_steps
from fl_core.errors import SpecError
from fl_core.models import Float32Array
from fl_core.record_privacy import GaussianSource, StandardNormal
from fl_core.threads import one_thread
from fl_core.training import IntArray, LocalTraining

_NOISE_BLOCK = 1 << 18
"""Samples of noise that are drawn before they are added; at least one device's."""

NoiseOf = Callable[[slice], StandardNormal]


@dataclass(frozen=True, eq=False)
class Population:
    """Devices that train from the same start.

    Attributes:
        stack: makes a stack of so many models, in memory of this kind.
        features: float32 (n_i, ...) of each device.
        labels: int64 (n_i,) of each device.
        training: epochs, batches and steps.
        seeds: of each device's shuffling.
        learning_rates: each device's own, or None for that of `training`.
        device: where torch computes.
        noise: gives the source of a chunk's noise; None for one keyed by the operating system.
        memory: what chunks are held in on the CPU.
    """

    stack: Callable[[int, Recycled], Stack[Any]]
    features: Sequence[NDArray[np.float32]]
    labels: Sequence[IntArray]
    training: LocalTraining
    seeds: Sequence[int]
    learning_rates: Sequence[float] | None
    device: torch.device
    noise: NoiseOf | None
    memory: Recycled

    def __len__(self) -> int:
        return len(self.features)

    def require_lengths(self) -> None:
        """Check that each device has one of everything.

        Raises:
            SpecError: sequences of different lengths, or a learning rate that cannot be.
        """
        rates = self.learning_rates
        given = {"labels": self.labels, "seeds": self.seeds, "learning rates": rates}
        for what, values in given.items():
            if values is not None and len(values) != len(self):
                raise SpecError(f"features of {len(self)} devices with {what} of {len(values)}")
        if rates is not None and not all(math.isfinite(rate) and rate > 0 for rate in rates):
            raise SpecError("learning rates: each must be above 0 and finite")

    def train(self, where: slice) -> Float32Array:
        """The changes of the devices of a slice, float32 (c, d); rows of NaN where training diverged."""
        labels, seeds = self.labels[where], self.seeds[where]
        order = sorted(range(len(labels)), key=lambda index: -len(labels[index]))  # who has most rows, first
        sizes = [len(labels[index]) for index in order]
        rates = [self.training.learning_rate] * len(order)
        if self.learning_rates is not None:
            rates = [self.learning_rates[where][index] for index in order]
        with torch.no_grad(), one_thread():
            stack = self.stack(len(order), self.memory)
            rows = _Rows(self, where, order, stack.feature_padding)
            descent = Descent(
                stack.changes,
                stack.starts,
                self.training,
                torch.tensor(rates, dtype=torch.float32, device=self.device),
            )
            generators = [torch.Generator().manual_seed(seeds[index]) for index in order]
            self._descend(stack, descent, rows, sizes, generators, where)
            return _deltas(stack, order, self.memory)

    def _descend(  # noqa: PLR0917
        self,
        stack: Stack[Any],
        descent: Descent,
        rows: _Rows,
        sizes: list[int],
        generators: list[torch.Generator],
        where: slice,
    ) -> None:
        training, privacy = self.training, self.training.record_privacy
        expected = torch.tensor([min(training.batch_size, size) for size in sizes], device=self.device)
        noise = None
        if privacy is not None:
            noise = GaussianSource.from_os() if self.noise is None else self.noise(where)
        for _ in range(training.epochs):
            for step in epoch_steps(sizes, training.batch_size, generators):
                real = step.real.to(self.device)
                active = len(real)
                divisors = real.sum(dim=1) if privacy is None else expected[:active]
                scale = descent.scale[:active] / divisors
                x, y = rows.take(step.rows)
                max_grad_norm = None if privacy is None else privacy.max_grad_norm
                pieces = stack.gradient(x, y, real * scale.unsqueeze(1), max_grad_norm)
                overwrite = descent.settle(active)
                destinations = descent.destinations(active)
                stack.add(pieces, destinations, overwrite=overwrite)
                if privacy is not None and noise is not None:
                    _add_noise(stack.shapes, destinations, noise, scale * privacy.noise_deviation)
                descent.finish(active)


class _Rows:
    """The rows of a chunk, side by side: those of devices with fewer are filled up with copies of their first."""

    def __init__(self, population: Population, where: slice, order: Sequence[int], padding: int) -> None:
        features, labels = population.features[where], population.labels[where]
        widest, shape = len(labels[order[0]]), list(features[0].shape[1:])
        shape[-1] += padding
        x = np.zeros((len(order), widest, *shape), dtype=np.float32)
        y = np.zeros((len(order), widest), dtype=np.int64)
        for place, index in enumerate(order):
            size = len(labels[index])
            x[place, :size, ..., : shape[-1] - padding] = features[index]
            y[place, :size] = labels[index]
            x[place, size:], y[place, size:] = x[place, 0], y[place, 0]
        self._x = torch.from_numpy(x).to(population.device)
        self._y = torch.from_numpy(y).to(population.device)

    def take(self, rows: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (a, b, ...) and labels (a, b) of the rows (a, b), or of all."""
        if rows is None:
            return self._x, self._y
        widest = self._x.shape[1]
        flat = (rows + torch.arange(0, len(rows) * widest, widest).unsqueeze(1)).view(-1).to(self._x.device)
        x = self._x.flatten(0, 1).index_select(0, flat).view(*rows.shape, *self._x.shape[2:])
        return x, self._y.flatten().index_select(0, flat).view(rows.shape)


def _add_noise(
    shapes: Sequence[tuple[int, ...]],
    destinations: Sequence[torch.Tensor],
    source: StandardNormal,
    deviations: torch.Tensor,
) -> None:
    """Add to each device's gradient noise of its deviation, (a,), a few devices at a time: noise stays in the cache."""
    dim = sum(math.prod(shape) for shape in shapes)
    group = max(1, _NOISE_BLOCK // dim)
    room = torch.empty((min(group, len(deviations)), dim))
    for begin in range(0, len(deviations), group):
        these = slice(begin, min(begin + group, len(deviations)))
        noise = room[: these.stop - begin]
        source.fill(noise)
        parts = views(shapes, noise.to(deviations.device).mul_(deviations[these].unsqueeze(1)))
        for part, destination in zip(parts, destinations, strict=True):
            destination[these, ..., : part.shape[-1]].add_(part)


def _deltas(stack: Stack[Any], order: Sequence[int], memory: Recycled) -> Float32Array:
    """How far the models are from their start, float32 (c, d), in the order of the chunk."""
    dim = sum(math.prod(shape) for shape in stack.shapes)
    (deltas,) = room(stack.changes[0], [(len(order), dim)], memory)
    for view, change in zip(views(stack.shapes, deltas), stack.changes, strict=True):
        view.copy_(change[..., : view.shape[-1]])
    if any(place != index for place, index in enumerate(order)):
        deltas = deltas[torch.tensor(np.argsort(order), device=deltas.device)]
    if not math.isfinite(deltas.sum()):  # one pass for all; only where it fails, which rows it is
        deltas[~deltas.isfinite().all(dim=1)] = math.nan
    found: Float32Array = deltas.cpu().numpy()
    return found
