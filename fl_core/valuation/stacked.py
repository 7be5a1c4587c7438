"""What many parameter vectors give on the same rows, side by side: a validator values all cohorts of a round at once.

Only what is done row by row afterwards is put side by side. Each vector's logits are a product of their own, so they
are bit for bit those that the vector gives alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fl_core.models import Float32Array, ModelSpec, logits_of, tensor_of

_LOGITS = 1 << 20
"""Logits that are held at a time, unless one vector alone has more."""


def blocks(
    updates: Sequence[NDArray[np.float64]], rows: int, classes: int
) -> Iterator[Sequence[NDArray[np.float64]]]:
    """The updates in order, as many at a time as memory should hold."""
    size = max(1, _LOGITS // (rows * classes))
    for begin in range(0, len(updates), size):
        yield updates[begin : begin + size]


def stacked_logits(model: ModelSpec, vectors: Sequence[Float32Array], rows: torch.Tensor) -> torch.Tensor:
    """Logits (vectors, n, K) of rows (n, f) under parameters float32 (d,) each, without a gradient.

    Raises:
        SpecError: a vector that does not fit the model.
    """
    with torch.no_grad():
        return torch.stack([logits_of(model, tensor_of(model, vector), rows) for vector in vectors])
