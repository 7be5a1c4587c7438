"""Where colluding attackers want the means that they are part of: one function an attack, pure in what they know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fl_core.robust import RuleSpec, chosen_by_krum
from fl_core.simulation.behaviours import Behaviour
from fl_core.simulation.pulls import STRONGEST, Pull

Float64Array = NDArray[np.float64]

FAR = 1e6  # farther than clip or ring allow: what is sent is then the farthest that they do
_AGAINST = 0.5  # epsilon of the inner product attack
_BEYOND = 3.5  # deviations, the middle of the range of Fang et al.
_HALVINGS = 24


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What colluders know of a round: their own training, the public draw, and the rule.

    Attributes:
        rule: the spec's rule.
        own: float64 (n, d), the colluders' own updates.
        rows: int64 (n,), their credited rows.
        means: how many means are released.
        corrupted: how many of them hold a colluder.
        members: devices in one of them.
        harmful: float64 (d,), where poisoned rows pull; None where not asked for.
        trusted: float64 (d,), the root update, or their own guess of it; None where the rule has none.
    """

    rule: RuleSpec
    own: Float64Array
    rows: NDArray[np.int64]
    means: int
    corrupted: int
    members: int
    harmful: Float64Array | None = None
    trusted: Float64Array | None = None

    @property
    def typical(self) -> Float64Array:
        """The mean of the colluders' own updates: their guess of an honest mean, float64 (d,)."""
        typical: Float64Array = self.rows @ self.own / self.rows.sum()
        return typical

    @property
    def spread(self) -> Float64Array:
        """Their guess of the standard deviation of an honest mean's coordinates, float64 (d,)."""
        spread: Float64Array = self.own.std(axis=0) / np.sqrt(self.members)
        return spread


def aimed_mean(
    behaviour: Behaviour, known: Knowledge, rng: np.random.Generator, *, pull: Pull = STRONGEST
) -> Float64Array:
    """Where colluders want the means that they are part of, float64 (d,).

    Args:
        behaviour: the attack.
        known: what they know.
        rng: source of noise, and of guesses of honest means.
        pull: how the adaptive attack pulls where the rule trusts a root update.
    """
    if behaviour is Behaviour.ADAPTIVE and known.rule.takes_root:
        return _against_trust(known, pull)
    return _AIMS[behaviour](known, rng)


def _replacement(known: Knowledge, _rng: np.random.Generator) -> Float64Array:
    """What poisoned rows teach, as large as would stand in the average of all (Bagdasaryan et al., AISTATS 2020)."""
    return known.typical * (known.means / known.corrupted)


def _sign_flip(known: Knowledge, _rng: np.random.Generator) -> Float64Array:
    return -known.typical


def _boost(known: Knowledge, _rng: np.random.Generator) -> Float64Array:
    farthest: Float64Array = -FAR * known.typical
    return farthest


def _noise(known: Knowledge, rng: np.random.Generator) -> Float64Array:
    typical = known.typical
    farthest: Float64Array = rng.normal(size=len(typical)) * (FAR * np.abs(typical).max())
    return farthest


def _little_is_enough(known: Knowledge, _rng: np.random.Generator) -> Float64Array:
    """Baruch et al. (NeurIPS 2019, algorithm 3): off by as many deviations as honest means still outvote."""
    honest = known.means - known.corrupted
    supporters = known.means // 2 + 1 - known.corrupted
    share = min(max((honest - supporters) / max(honest, 1), 0.5), 1 - 1e-4)
    return known.typical - NormalDist().inv_cdf(share) * known.spread


def _inner_product(known: Knowledge, _rng: np.random.Generator) -> Float64Array:
    """Xie, Koyejo and Gupta (UAI 2019): against the honest mean, but no longer than it."""
    return -_AGAINST * known.typical


def _adaptive(known: Knowledge, rng: np.random.Generator) -> Float64Array:
    """The attack that the rule's own weakness asks for, where the rule trusts no root update."""
    if known.rule.name in ("median", "trimmed-mean"):
        return _against_coordinates(known)
    if known.rule.name == "multi-krum":
        return _against_krum(known, rng)
    return _boost(known, rng)  # a mean has no bound; each far point pulls a geometric median with unit force


def _against_coordinates(known: Knowledge) -> Float64Array:
    """Fang et al. (USENIX Security 2020, sections 4.3 and 4.4, partial knowledge): just beyond the honest values."""
    return known.typical - _BEYOND * known.spread * np.sign(known.typical)


def _against_krum(known: Knowledge, rng: np.random.Generator) -> Float64Array:
    """Fang et al. (section 4.2): the same step against every coordinate, the longest that Krum still chooses."""
    typical, corrupted = known.typical, known.rule.corrupted(known.means)
    honest = typical + known.spread * rng.normal(size=(known.means - known.corrupted, len(typical)))
    step = 4 * float(np.abs(typical).max() + known.spread.max())
    direction = np.sign(typical)
    if known.means < 2 * corrupted + 3 or not len(honest):
        return typical - step * direction
    for _ in range(_HALVINGS):
        aim = typical - step * direction
        if 0 in chosen_by_krum(np.vstack([np.tile(aim, (known.corrupted, 1)), honest]), corrupted):
            return aim
        step /= 2
    return typical


def _against_trust(known: Knowledge, pull: Pull) -> Float64Array:
    """A mean that is trusted and pulls aside. Who does not know the root update takes the own training for it."""
    trusted = known.typical if known.trusted is None else known.trusted
    flipped = -known.typical if known.harmful is None else known.harmful
    return pull.aim(trusted, -known.typical, flipped) if trusted.any() else flipped


_AIMS: Mapping[Behaviour, Callable[[Knowledge, np.random.Generator], Float64Array]] = {
    Behaviour.LABEL_FLIP: _replacement,
    Behaviour.BACKDOOR: _replacement,
    Behaviour.SIGN_FLIP: _sign_flip,
    Behaviour.BOOST: _boost,
    Behaviour.NOISE: _noise,
    Behaviour.LITTLE_IS_ENOUGH: _little_is_enough,
    Behaviour.INNER_PRODUCT: _inner_product,
    Behaviour.ADAPTIVE: _adaptive,
}
