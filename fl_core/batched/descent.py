"""Gradient descent of a stack of models: momentum, weight decay, proximal term, a learning rate a device."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fl_core.training import LocalTraining


class Descent:
    """What steps do to stacked parameters, the same as torch.optim.SGD does to one model.

    Without momentum a gradient is added to the changes at once, times minus the learning rate. With momentum it is
    added to the velocity, and the velocity then moves the changes.
    """

    def __init__(
        self,
        changes: Sequence[torch.Tensor],
        starts: Sequence[torch.Tensor],
        training: LocalTraining,
        learning_rates: torch.Tensor,
    ) -> None:
        """Begin at the start.

        Args:
            changes: changes of each parameter since the start, (c, ...), moved by every step.
            starts: each parameter's start (...).
            training: momentum, weight decay and proximal term.
            learning_rates: float32 (c,).
        """
        self._changes, self._starts, self._training = changes, starts, training
        self._rates = learning_rates
        self._velocities = [torch.zeros_like(change) for change in changes] if training.momentum else None
        self._empty = not (training.momentum or training.weight_decay)
        if not self._empty:
            for change in changes:
                change.zero_()

    @property
    def scale(self) -> torch.Tensor:
        """What gradients are multiplied with before they are added, (c,)."""
        return -self._rates if self._velocities is None else torch.ones_like(self._rates)

    def destinations(self, active: int) -> list[torch.Tensor]:
        """Where gradients of the first a devices are added."""
        return [stack[:active] for stack in self._velocities or self._changes]

    def settle(self, active: int) -> bool:
        """Do what a step does apart from the data's gradient: decay, pull to the start, momentum.

        Returns:
            Whether the destinations hold nothing yet, so that gradients take their place: in a first step, in which all
            devices take part, unless there is something else to add.
        """
        if self._empty:
            self._empty = False
            return True
        decay, pull = self._training.weight_decay, self._training.proximal
        for index, start in enumerate(self._starts):
            change = self._changes[index][:active]
            if self._velocities is not None:
                velocity = self._velocities[index][:active].mul_(self._training.momentum)
                velocity.add_(change, alpha=decay + pull).add_(start, alpha=decay)
            elif decay or pull:
                rates = along(self._rates[:active], change)
                change.mul_(1 - rates * (decay + pull)).addcmul_(rates, start, value=-decay)
        return False

    def finish(self, active: int) -> None:
        """Let the velocity move the changes."""
        for velocity, change in zip(self._velocities or (), self._changes, strict=False):
            moving = velocity[:active]
            change[:active].addcmul_(along(self._rates[:active], moving), moving, value=-1)


def along(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """One value a device, (a,), shaped to be broadcast over tensors (a, ...)."""
    return values.view(-1, *(1,) * (like.dim() - 1))
