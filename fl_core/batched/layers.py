"""Stacks of linear layers: every device's forward and backward pass in a few batched matrix products.

A gradient of a linear layer is the sum over rows of error times input. It is never written down: the weighted errors
and the inputs are multiplied straight into what the gradient changes. For the same reason the norm of one row's
gradient is a product of two norms (Goodfellow 2015, arXiv:1510.01799), and per-record clipping costs one more factor on
the errors.

The start is the same for all devices, so that its part in a layer is one matrix product for the whole chunk, and each
device's own part is that of what it has changed: nothing, in the first step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name

from fl_core.batched.recycled import Recycled
from fl_core.batched.stack import clip_factors, room
from fl_core.models import ModelSpec, layer_views

Pieces = tuple[list[torch.Tensor], list[torch.Tensor]]
_ALIGNMENT = 8
"""Rows of the first layer's weights start at multiples of this many floats: the products are up to 3x faster so."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of a devices: the start's weight (out, in) and bias (out,), and each device's changes of them, if any."""

    weight: torch.Tensor
    bias: torch.Tensor
    weight_change: torch.Tensor | None
    bias_change: torch.Tensor | None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(a, b, in) -> (a, b, out)."""
        common = torch.addmm(self.bias, x.reshape(-1, x.shape[2]), self.weight.t()).view(*x.shape[:2], -1)
        if self.weight_change is None or self.bias_change is None:
            return common
        return common.baddbmm_(x, self.weight_change.transpose(1, 2)).add_(self.bias_change.unsqueeze(1))

    def backward(self, error: torch.Tensor) -> torch.Tensor:
        """Derivatives by the outputs (a, b, out) -> by the inputs (a, b, in)."""
        common = torch.mm(error.reshape(-1, error.shape[2]), self.weight).view(*error.shape[:2], -1)
        return common if self.weight_change is None else common.baddbmm_(error, self.weight_change)


class LinearStack:
    """Stacked multinomial logistic regressions or ReLU networks; a `Stack`."""

    def __init__(self, spec: ModelSpec, start: torch.Tensor, devices: int, memory: Recycled) -> None:
        """Stack copies of one model.

        Args:
            spec: the model.
            start: its parameters, float32 (d,).
            devices: c.
            memory: where the changes are held.
        """
        self.shapes: list[tuple[int, ...]] = []
        self.starts: list[torch.Tensor] = []
        for weight, bias in layer_views(spec, start):
            self.shapes += [tuple(weight.shape), tuple(bias.shape)]
            self.starts += [weight, bias]
        self.feature_padding = 0 if spec.kind == "conv1d" else -spec.features % _ALIGNMENT
        self.starts[0] = F.pad(self.starts[0], (0, self.feature_padding))
        self.changes = room(start, [(devices, *one.shape) for one in self.starts], memory)
        self._moved = False

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor, max_grad_norm: float | None
    ) -> Pieces:
        """Inputs and weighted errors of each layer, each (a, b, width) or (a, b * windows, width)."""
        inputs, errors = self._passes(x, y)
        if max_grad_norm is not None:
            weights = weights * clip_factors(self._squared_norms(inputs, errors, y), max_grad_norm)
        for error in errors:
            error.view(*y.shape, -1).mul_(weights.unsqueeze(2))
        return inputs, errors

    def add(self, pieces: Pieces, destinations: Sequence[torch.Tensor], *, overwrite: bool) -> None:
        """Multiply errors and inputs into the destinations."""
        self._moved = True
        for layer, (entering, error) in enumerate(zip(*pieces, strict=True)):
            weight, bias = destinations[2 * layer : 2 * layer + 2]
            weight.baddbmm_(error.transpose(1, 2), entering, beta=0 if overwrite else 1)
            if overwrite:
                torch.sum(error, dim=1, out=bias)
            else:
                bias.add_(error.sum(dim=1))

    def _layers(self, active: int) -> list[Layer]:
        changes = [change[:active] if self._moved else None for change in self.changes]
        return [
            Layer(*self.starts[index : index + 2], *changes[index : index + 2])
            for index in range(0, len(changes), 2)
        ]

    def _passes(self, x: torch.Tensor, y: torch.Tensor) -> Pieces:
        layers, inputs = self._layers(len(x)), [x]
        for layer in layers[:-1]:
            inputs.append(layer.forward(inputs[-1]).relu_())
        errors = [output_error(layers[-1].forward(inputs[-1]), y)]
        for layer, entered in zip(layers[:0:-1], inputs[:0:-1], strict=True):
            errors.insert(0, layer.backward(errors[0]).mul_(entered > 0))
        return inputs, errors

    def _squared_norms(
        self, inputs: list[torch.Tensor], errors: list[torch.Tensor], y: torch.Tensor
    ) -> torch.Tensor:
        """Squared L2 norm of each row's gradient (a, b): |error|^2 (|input|^2 + 1) a layer, the 1 for the bias."""
        total = torch.zeros(y.shape, device=y.device)
        for entering, error in zip(inputs, errors, strict=True):
            total.addcmul_(squares(error), squares(entering).add_(1.0))
        return total


def output_error(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Derivative of each row's cross entropy by its logits, (c, b, K): softmax minus the label's unit vector."""
    index = y.unsqueeze(2)
    return torch.softmax(logits, dim=2).scatter_add_(2, index, logits.new_full((), -1.0).expand(index.shape))


def squares(x: torch.Tensor) -> torch.Tensor:
    """Squared norms along the last dimension."""
    norms: torch.Tensor = torch.linalg.vector_norm(x, dim=-1)
    return norms.square_()
