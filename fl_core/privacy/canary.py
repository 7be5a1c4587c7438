"""Evidence from below: what an attacker learns from real noised sums about one device that it planted or knows.

The mechanism runs many times with the device's known update in it (the canary) and many times with zero in its place.
The attacker adds up, over entries and rounds, what was released times what the canary sent, and guesses by a threshold.
An (epsilon, delta) claim bounds every such guess, log((TPR - delta) / FPR) <= epsilon, so a confidence interval of the
left side is an empirical lower bound of epsilon (Jagielski, Ullman and Oprea 2020). The threshold is chosen on one half
of the runs and judged on the other; both rates are bounded after Clopper and Pearson (1934), together at 95%.

The bound needs no assumption, but many runs for a large epsilon. A second one takes the noise to be near Gaussian, as
it is for variances in the hundreds: then a threshold in the middle already tells the distance mu = Phi^-1(TPR) -
Phi^-1(FPR) between the worlds, and so epsilon (Nasr et al. 2023).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError
from fl_core.privacy.noise_source import SEED_BYTES, NoiseSource
from fl_core.privacy.noise_spec import NoiseSpec
from fl_core.privacy.numeric_loss import gaussian_epsilon
from fl_core.privacy.skellam import sample_skellam
from fl_core.updates.ring import Ring
from fl_core.updates.update_codec import UpdateCodec

Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]

CONFIDENCE = 0.95
_MISS = (1 - CONFIDENCE) / 4
_BATCH_ENTRIES = 1 << 20
_CANDIDATES = 48
_WARY = 1e-4  # a threshold is chosen by bounds that miss this rarely, so that a lucky few do not win
_NORMAL = NormalDist()


class Mechanism(Protocol):
    """What is attacked: noised sums over rounds, with one device's updates in them."""

    def __call__(
        self, updates: Float64Array, runs: int, source: NoiseSource, rng: np.random.Generator
    ) -> Int64Array:
        """Released sums in integer steps, int64 (runs, rounds, d), where the device sends `updates` (rounds, d)."""
        ...


@dataclass(frozen=True)
class CohortMechanism:
    """The real way of an update through a cohort, in the worst case: the codec's own steps, noise, sum in the ring.

    The others' updates and the noise of corrupted devices are known to the attacker, who takes them off: they are zero
    here. Masks cancel in the sum and are left out.

    Attributes:
        codec: from update to ring vector; `noise_variance` is what each device adds.
        global_variance: Skellam variance added at release; 0 for what the edge sees.
        honest: devices whose noise is counted on, the canary's own included.
    """

    codec: UpdateCodec
    global_variance: float
    honest: int

    def __call__(
        self, updates: Float64Array, runs: int, source: NoiseSource, rng: np.random.Generator
    ) -> Int64Array:
        """See `Mechanism`.

        Raises:
            TrainingError: an update that cannot be encoded.
        """
        shape = (runs * len(updates), updates.shape[1])
        repeated = np.broadcast_to(updates.astype(np.float32), (runs, *updates.shape)).reshape(shape)
        own = self.noise(shape, source)
        total = self.codec.encode_batch(
            repeated, None, np.ones(len(repeated)), [rng] * len(repeated), own
        ).ring
        for _ in range(self.honest - 1):
            total += self.noise(shape, source).view(np.uint64)
        ring = Ring(self.codec.bits, self.codec.length)
        signed = ring.inverse(total & np.uint64((1 << ring.bits) - 1))
        released = signed + sample_skellam(self.global_variance, signed.size, source).reshape(shape)
        return released.reshape(runs, *updates.shape)

    def noise(self, shape: tuple[int, int], source: NoiseSource) -> Int64Array:
        """What one device adds, int64 (runs * rounds, d)."""
        return sample_skellam(self.codec.noise_variance, math.prod(shape), source).reshape(shape)


@dataclass(frozen=True)
class CanaryReport:
    """What the attack found, each an epsilon with its 95% interval.

    Attributes:
        runs: of each world.
        rounds: of each run.
        claimed: the epsilon that is claimed for so many rounds.
        delta: at which.
        low: lower end, no assumption on the noise.
        estimate: from the rates themselves.
        high: upper end (of what this attack reaches, not of epsilon).
        gaussian_low: lower end, taking the noise to be near Gaussian.
        gaussian_high: upper end.
    """

    runs: int
    rounds: int
    claimed: float
    delta: float
    low: float
    estimate: float
    high: float
    gaussian_low: float
    gaussian_high: float

    @property
    def refuted(self) -> bool:
        """Whether the claim is shown to be false."""
        return max(self.low, self.gaussian_low) > self.claimed

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {**asdict(self), "refuted": self.refuted}


def canary_attack(
    mechanism: Mechanism, canary: Float64Array, *, claimed: float, delta: float, runs: int, seed: int
) -> CanaryReport:
    """Attack a mechanism that claims (claimed, delta) over the canary's rounds.

    A canary whose sign alternates from round to round does no less harm and also sees noise that repeats.

    Args:
        mechanism: what releases the sums.
        canary: float64 (rounds, d), the device's updates; the other world has zeros.
        claimed: epsilon claimed for all these rounds together.
        delta: of the claim.
        runs: of each world, at least 1,000.
        seed: of noise and rounding, so that a report can be had again.

    Raises:
        SpecError: too few runs, or a canary that says nothing.
    """
    if runs < 1_000:
        raise SpecError(f"canary attack with {runs} runs of each world: take at least 1,000")
    if canary.ndim != 2 or not np.isfinite(canary).all() or not canary.any():
        raise SpecError(f"canary of shape {canary.shape}: (rounds, d) finite values are needed, not all zero")
    rng = np.random.default_rng(seed)
    without = _scores(mechanism, np.zeros_like(canary), canary, runs, rng)
    within = _scores(mechanism, canary, canary, runs, rng)
    half = runs // 2
    low, estimate, high = _epsilon_interval(
        without[:half], within[:half], without[half:], within[half:], delta
    )
    middle = float(np.median(np.concatenate([without[:half], within[:half]])))
    gaussian = _gaussian_interval(without[half:], within[half:], middle, delta)
    return CanaryReport(runs, len(canary), claimed, delta, low, estimate, high, *gaussian)


def attack_cohort(
    noise: NoiseSpec,
    *,
    clip_norm: float,
    bits: int,
    fraction_bits: int,
    honest: int,
    rounds: int,
    claimed: float,
    runs: int,
    seed: int,
    released: bool = True,
) -> CanaryReport:
    """Attack a cohort of a round's own settings, in its worst case, with all of an update in one entry.

    The noise of the entries is independent, so the others would tell the attacker nothing.

    Args:
        noise: the round's noise.
        clip_norm: of a round's spec.
        bits: of the same.
        fraction_bits: of the same.
        honest: devices whose noise is counted on: the threshold less `noise.corrupted`.
        rounds: that the device takes part in, each with the other sign than the one before.
        claimed: epsilon claimed for so many rounds, at release or at the edge.
        runs: of each world.
        seed: of the attack.
        released: attack what is released; else what the edge sees.

    Raises:
        SpecError: settings that cannot work.
    """
    codec = UpdateCodec(1, clip_norm, bits, fraction_bits, noise_variance=noise.local_variance)
    mechanism = CohortMechanism(codec, noise.global_variance if released else 0.0, honest)
    canary = clip_norm * np.array([[1.0 - 2 * (r % 2)] for r in range(rounds)])
    return canary_attack(mechanism, canary, claimed=claimed, delta=noise.delta, runs=runs, seed=seed)


def _scores(
    mechanism: Mechanism, updates: Float64Array, canary: Float64Array, runs: int, rng: np.random.Generator
) -> Float64Array:
    """What the attacker computes of each run, float64 (runs,)."""
    source = NoiseSource.from_seed(rng.bytes(SEED_BYTES))
    batch = max(1, _BATCH_ENTRIES // canary.size)
    scores = np.empty(runs)
    for start in range(0, runs, batch):
        released = mechanism(updates, min(batch, runs - start), source, rng)
        scores[start : start + batch] = released.reshape(len(released), -1).astype(
            np.float64
        ) @ canary.reshape(-1)
    return scores


@dataclass(frozen=True)
class _Guess:
    """A way to guess: scores above (or below) a threshold stand for one world (or, swapped, for the other)."""

    above: bool
    threshold: float
    swapped: bool

    def counts(self, without: Float64Array, within: Float64Array) -> tuple[int, int]:
        """How often it says so in the world it stands for, and in the other; scores sorted."""
        hits, misses = (
            len(scores) - above if self.above else above
            for scores in (within, without)
            for above in (int(np.searchsorted(scores, self.threshold, side="right")),)
        )
        return (misses, hits) if self.swapped else (hits, misses)


def _epsilon_interval(
    choose_without: Float64Array,
    choose_within: Float64Array,
    without: Float64Array,
    within: Float64Array,
    delta: float,
) -> tuple[float, float, float]:
    """Lower end, estimate and upper end of log((TPR - delta) / FPR) for the guess that promises most."""
    choose_without, choose_within = np.sort(choose_without), np.sort(choose_within)
    tails = np.geomspace(50 / len(choose_without), 0.5, _CANDIDATES)
    levels = np.concatenate([tails, 1 - tails])
    thresholds = {
        float(level) for scores in (choose_without, choose_within) for level in np.quantile(scores, levels)
    }
    guesses = [_Guess(a, t, s) for t in sorted(thresholds) for a in (False, True) for s in (False, True)]
    best = max(guesses, key=lambda guess: _interval(guess, choose_without, choose_within, delta, _WARY)[0])
    return _interval(best, np.sort(without), np.sort(within), delta)


def _interval(
    guess: _Guess, without: Float64Array, within: Float64Array, delta: float, miss: float = _MISS
) -> tuple[float, float, float]:
    """Ends and estimate for one guess on sorted scores, each end of each rate failing with probability `miss`."""
    hits, misses = guess.counts(without, within)
    n = len(within)
    hit_low, hit_high = clopper_pearson(hits, n, miss)
    miss_low, miss_high = clopper_pearson(misses, n, miss)
    return (
        _log_ratio(hit_low - delta, miss_high),
        _log_ratio(hits / n - delta, misses / n),
        _log_ratio(hit_high - delta, miss_low),
    )


def _gaussian_interval(
    without: Float64Array, within: Float64Array, threshold: float, delta: float
) -> tuple[float, float]:
    hits, misses, n = int((within > threshold).sum()), int((without > threshold).sum()), len(within)
    hit_low, hit_high = clopper_pearson(hits, n)
    miss_low, miss_high = clopper_pearson(misses, n)
    low = _quantile(hit_low) - _quantile(miss_high)
    high = _quantile(hit_high) - _quantile(miss_low)
    return (gaussian_epsilon(low, delta), gaussian_epsilon(high, delta) if math.isfinite(high) else math.inf)


def clopper_pearson(successes: int, trials: int, miss: float = _MISS) -> tuple[float, float]:
    """Interval of a rate, each end of which fails with probability at most `miss`; two such hold together at 95%."""
    from scipy.special import betaincinv  # noqa: PLC0415 - takes half a second to import

    low = float(betaincinv(successes, trials - successes + 1, miss)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - miss)) if successes < trials else 1.0
    return low, high


def _log_ratio(numerator: float, denominator: float) -> float:
    if numerator <= 0:
        return 0.0
    return max(0.0, math.log(numerator / denominator)) if denominator > 0 else math.inf


def _quantile(rate: float) -> float:
    if rate in (0.0, 1.0):
        return math.inf if rate else -math.inf
    return _NORMAL.inv_cdf(rate)
