"""Which rows each device of a chunk takes in each step: the batches of `train_local`, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Step:
    """One step of the first a devices of a chunk.

    Attributes:
        rows: int64 (a, b), which of its rows a device takes, padding being row 0; None where all take all in order.
        real: float32 (a, b), 1 for a row and 0 for padding.
    """

    rows: torch.Tensor | None
    real: torch.Tensor


def epoch_steps(
    sizes: Sequence[int], batch_size: int, generators: Sequence[torch.Generator]
) -> Iterator[Step]:
    """The steps of one epoch.

    Args:
        sizes: rows of each device, largest first, so that those who still have batches are the first ones.
        batch_size: most rows a step.
        generators: one a device; shuffles its rows if they are more than a batch, and is not touched if they are not.
    """
    counts = torch.tensor(sizes)
    positions = torch.arange(sizes[0])
    if batch_size >= sizes[0]:
        yield Step(None, (positions < counts.unsqueeze(1)).float())
        return
    order = torch.zeros((len(sizes), sizes[0]), dtype=torch.int64)
    for row, size, generator in zip(order, sizes, generators, strict=True):
        shuffled = torch.arange(size) if batch_size >= size else torch.randperm(size, generator=generator)
        row[:size] = shuffled
    for begin in range(0, sizes[0], batch_size):
        active = int((counts > begin).sum())
        part = slice(begin, begin + batch_size)
        yield Step(order[:active, part], (positions[part] < counts[:active].unsqueeze(1)).float())
