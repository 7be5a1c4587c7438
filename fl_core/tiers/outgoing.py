"""What a device makes of its training before it is masked: update and residual, clipped, rounded and noised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import TrainingError
from fl_core.privacy import NoiseSource, sample_skellam
from fl_core.simulation.behaviours import Behaviour, update_as_sent
from fl_core.tiers.task import Task
from fl_core.updates import EncodedUpdate, Residual, UpdateCodec


def fresh_noise(_round_number: int) -> NoiseSource:
    """Noise keyed by the operating system, whatever the round."""
    return NoiseSource.from_os()


class Outgoing:
    """A device's updates on their way out, and the residual that they leave behind."""

    def __init__(
        self, seed: tuple[int, ...], behaviour: Behaviour, noise_source: Callable[[int], NoiseSource]
    ) -> None:
        """Start without a residual.

        Args:
            seed: of the device's rounding.
            behaviour: honest, or one of the simulated dishonest ones.
            noise_source: where the noise of a round comes from.
        """
        self._seed, self._behaviour, self._noise_source = seed, behaviour, noise_source
        self._residual: Residual | None = None

    @property
    def residual(self) -> NDArray[np.float32] | None:
        """What earlier rounds left unsent, float32 (d,), a copy; None before a round with error feedback."""
        return None if self._residual is None else self._residual.read()

    def make_room(self, codec: UpdateCodec) -> None:
        """Set memory aside for a residual, where the round leaves one."""
        if self._residual is None and codec.residual_norm:
            self._residual = Residual(codec.dim)

    def keep(self, residual: NDArray[np.float32]) -> None:
        """Keep a residual, float32 (d,), for the next round."""
        if self._residual is None:
            self._residual = Residual(len(residual))
        self._residual.write(residual)

    def encode(self, task: Task, delta: NDArray[np.float32], weight: float) -> EncodedUpdate:
        """Update and residual -> weight -> select -> clip -> round -> noise: the vector that will be masked.

        Rounding is the same for the same round, however often it is asked for; noise is not.

        Args:
            task: what the device accepted.
            delta: what training changed, float32 (d,).
            weight: the device's public weight.

        Raises:
            TrainingError: training gave something that must not be sent.
        """
        spec, number = task.plan.spec, task.plan.number
        if not np.isfinite(delta).all():
            raise TrainingError(
                f"local training diverged at learning rate {spec.training.learning_rate}; "
                "lower it, or check the start model"
            )
        noise = None
        if spec.noise is not None and spec.noise.local_variance > 0:
            noise = sample_skellam(spec.noise.local_variance, task.codec.length, self._noise_source(number))
        return task.codec.encode(
            update_as_sent(self._behaviour, delta),
            self.residual,
            weight,
            np.random.default_rng((*self._seed, number, 2)),
            noise,
        )
