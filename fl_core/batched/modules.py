"""Stacks of any torch module, through torch.func: slower than stacks of layers, and knows nothing of the module."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from fl_core.batched.recycled import Recycled
from fl_core.batched.stack import clip_factors, room

Named = dict[str, torch.Tensor]


class ModuleStack:
    """Stacked copies of a module that gives logits (n, K) for rows (n, ...); a `Stack`.

    The module may have buffers, which stay as they are; nothing that changes while it runs (running statistics) and
    nothing random (dropout) works.
    """

    feature_padding = 0

    def __init__(self, module: nn.Module, devices: int, memory: Recycled) -> None:
        """Stack copies of a module, which is left as it is.

        Args:
            module: the model, with the parameters to start from.
            devices: c.
            memory: where the changes are held.
        """
        module = copy.deepcopy(
            module
        )  # functional_call puts parameters in place for a while: one thread a module
        self._module = module
        self._buffers = dict(module.named_buffers())
        named = {name: parameter.detach() for name, parameter in module.named_parameters()}
        self._names = list(named)
        self.starts = list(named.values())
        self.shapes = [tuple(parameter.shape) for parameter in self.starts]
        shapes = [(devices, *start.shape) for start in self.starts]
        self.changes = room(self.starts[0], shapes, memory)
        self._moved = False

    def gradient(
        self, x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor, max_grad_norm: float | None
    ) -> list[torch.Tensor]:
        """The gradients, each (a, ...)."""
        parameters = [
            start + change[: len(x)] if self._moved else start.expand(len(x), *start.shape)
            for start, change in zip(self.starts, self.changes, strict=True)
        ]
        named = dict(zip(self._names, parameters, strict=True))
        if max_grad_norm is None:
            return list(vmap(grad(self._loss))(named, x, y, weights).values())
        each_row = vmap(grad(self._row_loss), in_dims=(None, 0, 0))
        gradients = list(vmap(each_row)(named, x, y).values())
        squared = sum(gradient.flatten(2).square().sum(dim=2) for gradient in gradients)
        assert isinstance(squared, torch.Tensor)
        factors = weights * clip_factors(squared, max_grad_norm)
        return [torch.einsum("ab,ab...->a...", factors, gradient) for gradient in gradients]

    def add(
        self, pieces: list[torch.Tensor], destinations: Sequence[torch.Tensor], *, overwrite: bool
    ) -> None:
        """Add the gradients."""
        self._moved = True
        for gradient, destination in zip(pieces, destinations, strict=True):
            if overwrite:
                destination.copy_(gradient)
            else:
                destination.add_(gradient)

    def _loss(self, named: Named, x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        logits = functional_call(self._module, (named, self._buffers), (x,))
        losses = nn.functional.cross_entropy(logits, y, reduction="none")
        return torch.dot(losses, weights)

    def _row_loss(self, named: Named, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        logits = functional_call(self._module, (named, self._buffers), (x.unsqueeze(0),))
        return nn.functional.cross_entropy(logits, y.unsqueeze(0))
