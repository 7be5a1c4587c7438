"""What a stack of models is: one model a device, of which only the changes since the common start are held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch

from fl_core.batched.recycled import Recycled

Pieces = TypeVar("Pieces")


class Stack(Protocol[Pieces]):
    """Models of c devices that start alike. The first a of them can be stepped, the others wait.

    Attributes:
        shapes: shape of each parameter in one model, in the order of the model's vector.
        starts: each parameter of the start; the last dimension may be padded with zeros.
        changes: how far each parameter of each device is from there, (c, ...); what is in them means nothing at first.
        feature_padding: zeros that the stack wants appended to each row of features.
    """

    shapes: list[tuple[int, ...]]
    starts: list[torch.Tensor]
    changes: list[torch.Tensor]
    feature_padding: int

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor, max_grad_norm: float | None
    ) -> Pieces:
        """Gradients of the first a devices, in whatever form is cheapest; changes nothing.

        Args:
            x: rows (a, b, ...).
            y: labels (a, b).
            weights: what each row's gradient is multiplied with, (a, b); 0 for padding.
            max_grad_norm: L2 bound of a row's gradient before the weight, or None.
        """

    def add(self, pieces: Pieces, destinations: Sequence[torch.Tensor], *, overwrite: bool) -> None:
        """Add the gradients to tensors like the first a of `changes`, or put them in their place."""


def views(shapes: Sequence[tuple[int, ...]], flat: torch.Tensor) -> list[torch.Tensor]:
    """Each parameter (c, ...) as a view of flat vectors (c, d)."""
    sizes = [math.prod(shape) for shape in shapes]
    parts = torch.split(flat, sizes, dim=1)
    return [part.view(len(flat), *shape) for part, shape in zip(parts, shapes, strict=True)]


def clip_factors(squared_norms: torch.Tensor, max_grad_norm: float) -> torch.Tensor:
    """min(1, C / (norm + 1e-6)) as Opacus has it, so that both clip alike."""
    return (max_grad_norm / (squared_norms.sqrt() + 1e-6)).clamp_(max=1.0)


def room(like: torch.Tensor, shapes: Sequence[tuple[int, ...]], memory: Recycled) -> list[torch.Tensor]:
    """Tensors of these shapes where `like` is, not filled."""
    if like.device.type == "cpu":
        return memory.empty(shapes)
    return [like.new_empty(shape) for shape in shapes]
