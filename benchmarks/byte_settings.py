"""What is tuned in the comparison of bytes: every method is given as many settings to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from benchmarks.byte_methods import Int8Mean, Method, PlainMean, SecureMean, TopKMean
from benchmarks.byte_population import COHORT_SIZE, EDGES, K_MIN, protocol_bytes
from fl_core.models import ModelSpec, parameter_count
from fl_core.spec import Profile, RoundSpec
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec
from scripts.federation.update_terms import UpdateTerms, agree_on_spec

ModelName = Literal["lite", "mlp"]
MODELS: dict[ModelName, ModelSpec] = {
    "lite": ModelSpec("logistic", 561, 6),
    "mlp": ModelSpec("mlp", 561, 6, (128, 64)),
}
METHODS = ("float32", "int8", "top-k", "secure", "secure, eps 8")
EPSILON = 8.0
PLAIN_RING_BITS = 8  # of the ring without noise; with noise as many as it takes
REFERENCE_ROWS = 8
PEAK = 4.0
_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Setting:
    """What is tuned.

    Attributes:
        epochs: local epochs.
        learning_rate: local step size.
        fraction: share of the coordinates that are sent; 1 where the method sends all.
        clip_norm: L2 bound of a weighted update; None where the method does not clip.
    """

    epochs: int
    learning_rate: float
    fraction: float = 1.0
    clip_norm: float | None = None

    @property
    def training(self) -> LocalTraining:
        """What a device does."""
        return LocalTraining(epochs=self.epochs, batch_size=8, learning_rate=self.learning_rate)


# a mask of a quarter is worth a quarter of the step, so that what is sent in part is tried with larger steps
_DENSE = (
    *(Setting(1, rate) for rate in (0.01, 0.03, 0.1, 0.3)),
    *(Setting(5, rate) for rate in (0.003, 0.01, 0.03, 0.1)),
)
_TOP_K = tuple(
    Setting(epochs, rate, share)
    for (epochs, rate), share in product(((1, 0.03), (1, 0.1), (1, 0.3), (5, 0.03)), (0.1, 0.02))
)
_MASKED = tuple(
    Setting(epochs, rate, fraction, clip_norm)
    for (epochs, rate, clip_norm), fraction in product(
        ((1, 0.1, 0.3), (1, 0.3, 1.0), (1, 1.0, 3.0), (5, 0.1, 1.0)), (0.25, 0.1)
    )
)
_NOISED = tuple(
    Setting(1, rate, fraction, clip_norm)
    for rate, fraction, clip_norm in product((0.1, 0.3), (0.25, 0.1), (0.1, 0.3))
)
GRIDS: Mapping[str, tuple[Setting, ...]] = {
    "float32": _DENSE,
    "int8": _DENSE,
    "top-k": _TOP_K,
    "secure": _MASKED,
    "secure, eps 8": _NOISED,
}
SETTINGS = len(_DENSE)


def byte_spec(model: ModelSpec, setting: Setting, *, devices: int, rounds: int, noised: bool) -> RoundSpec:
    """The product's spec of a setting: profile `private`, cohorts of 24, noise agreed as `fediomt train` does.

    Args:
        model: the architecture.
        setting: what is tried.
        devices: of the whole population.
        rounds: that a device may take part in.
        noised: whether epsilon 8 is kept; else there is no noise.

    Raises:
        SpecError: values that cannot work.
    """
    compression = CompressionSpec(setting.fraction, residual_norm=0.0, peak=PEAK)
    return agree_on_spec(
        UpdateTerms(
            profile=Profile.PRIVATE,
            hospitals=EDGES,
            devices=devices,
            rounds=rounds,
            cohort_size=COHORT_SIZE,
            k_min=K_MIN,
            epsilon=EPSILON if noised else None,
            delta=None,
            clip_norm=setting.clip_norm,
            compression=compression,
            bits=None if noised else PLAIN_RING_BITS,
        ),
        model,
        setting.training,
        reference_rows=REFERENCE_ROWS,
        schema_digest=_NO_DIGEST,
        scoring_digest=_NO_DIGEST,
    )


def sender(  # noqa: PLR0917 - what a way of sending depends on
    method: str, model: ModelName, setting: Setting, devices: int, stands_for: float, rounds: int, seed: int
) -> Method:
    """A way of sending, ready for its first round.

    Args:
        method: one of `METHODS`.
        model: which model.
        setting: what is tried.
        devices: that take part.
        stands_for: devices of the whole population that each one stands for.
        rounds: cap of rounds.
        seed: of masks, rounding and noise.
    """
    spec = MODELS[model]
    dim = parameter_count(spec)
    if method == "float32":
        return PlainMean(dim)
    if method == "int8":
        return Int8Mean(dim, seed=seed)
    if method == "top-k":
        return TopKMean(dim, devices=devices, share=setting.fraction)
    agreed = byte_spec(
        spec, setting, devices=round(devices * stands_for), rounds=rounds, noised=method != "secure"
    )
    length = agreed.terms.lengths[0]
    return SecureMean(agreed, devices, EDGES, seed, stands_for, protocol_bytes(length, agreed.bits))
