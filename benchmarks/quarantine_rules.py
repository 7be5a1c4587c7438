"""Rules that suspect devices: the product's test, and three that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import stats

from benchmarks.quarantine_rounds import SeenRound
from incentives import DEFAULT_RULE, DeviceEffect, RoundEvidence, effects
from incentives.decoding import quality_scores
from incentives.scoring import DECODE_FLOOR
from incentives.suspicion import SuspicionSettings, log_e_values
from incentives.suspicion_forecast import in_spreads, spread_of
from incentives.suspicion_views import JudgedCohort
from incentives.suspicion_wealth import Accounts, log_limit


@dataclass(frozen=True)
class Insight:
    """What everybody has when a rule is asked, by hospital.

    Attributes:
        seen: the round.
        foretold: effects that rounds before it foretell.
        history: all evidence, the round's included.
        found: what the decoder makes of it.
    """

    seen: SeenRound
    foretold: Mapping[int, Mapping[bytes, int]]
    history: Mapping[int, Sequence[RoundEvidence]]
    found: Mapping[int, Mapping[bytes, DeviceEffect]]


class SuspicionRule(Protocol):
    """Names the devices that it suspects after each round."""

    @property
    def name(self) -> str:
        """What it is called in the table."""

    def see(self, now: Insight) -> frozenset[bytes]:
        """The devices that are suspected after one more round."""


@dataclass
class Betting:
    """The product's test, without what follows from it: all devices stay, and their evidence goes on.

    Attributes:
        enrolled: devices of the federation.
        settings: the test's.
        joint: one account on the lower median of the views, which one validator can bend, instead of one a validator.
    """

    enrolled: int
    settings: SuspicionSettings = field(default_factory=SuspicionSettings)
    joint: bool = False
    _accounts: dict[bytes, Accounts] = field(default_factory=dict)
    _suspected: set[bytes] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The rule, with its margin."""
        kind = "betting on the median" if self.joint else "betting"
        return f"{kind}, margin {self.settings.margin:g}"

    def see(self, now: Insight) -> frozenset[bytes]:
        """See `SuspicionRule`."""
        limit = log_limit(self.settings.alpha, self.enrolled)
        for hospital, foretold in now.foretold.items():
            spread = spread_of(now.history[hospital][:-1], DECODE_FLOOR.absolute)
            if spread is None:
                continue
            views = self._views(now.seen, hospital)
            pays: dict[bytes, dict[int, tuple[int, ...]]] = {}
            for validator, cohorts in views.items():
                for device, pay in log_e_values(cohorts, foretold, self.settings, spread=spread).items():
                    pays.setdefault(device, {})[validator] = pay
            for device, paid in pays.items():
                before = self._accounts.get(device, Accounts(len(views)))
                accounts = self._accounts[device] = before.after(paid, self.settings)
                if accounts.evidence(self.settings) >= limit:
                    self._suspected.add(device)
        return frozenset(self._suspected)

    def _views(self, seen: SeenRound, hospital: int) -> Mapping[int, tuple[JudgedCohort, ...]]:
        return {0: seen.joint[hospital]} if self.joint else seen.judged[hospital]


@dataclass
class PosteriorZ:
    """A device is suspected where its posterior effect lies below the hospital's median by so many deviations.

    That many that a standard normal is beyond with probability alpha over all devices and rounds (Bonferroni): right
    if the decoder's posterior were.

    Attributes:
        enrolled: devices of the federation.
        looks: rounds after which is looked.
        alpha: probability of any false suspicion that is aimed at.
    """

    enrolled: int
    looks: int
    alpha: float = 0.01
    name: str = "posterior z, Bonferroni"
    _suspected: set[bytes] = field(default_factory=set)

    def see(self, now: Insight) -> frozenset[bytes]:
        """See `SuspicionRule`."""
        limit = float(stats.norm.ppf(self.alpha / (self.enrolled * self.looks)))
        for found in now.found.values():
            middle = float(np.median([effect.mean for effect in found.values()]))
            self._suspected.update(
                device for device, effect in found.items() if effect.mean - middle < limit * effect.deviation
            )
        return frozenset(self._suspected)


@dataclass
class QualityGate:
    """A device is suspected as soon as its decoded quality falls below the gate of the reward rule."""

    gate: int = DEFAULT_RULE.device_gate
    name: str = "quality below the gate"
    _suspected: set[bytes] = field(default_factory=set)

    def see(self, now: Insight) -> frozenset[bytes]:
        """See `SuspicionRule`."""
        for found in now.found.values():
            quality = quality_scores(found)
            self._suspected.update(device for device, score in quality.items() if score < self.gate)
        return frozenset(self._suspected)


class Observed:
    """Asks several rules after each round of one cohort size, on one decoder's findings."""

    def __init__(self, rules: Sequence[SuspicionRule]) -> None:
        """Start without evidence."""
        self._rules = tuple(rules)
        self._history: dict[int, list[RoundEvidence]] = {}
        self._foretold: dict[int, Mapping[bytes, int]] = {}
        self.suspected: dict[str, dict[int, frozenset[bytes]]] = {rule.name: {} for rule in rules}

    def see(self, seen: SeenRound) -> None:
        """Take in a round."""
        found = {}
        for hospital, evidence in seen.evidence.items():
            self._history.setdefault(hospital, []).append(evidence)
            found[hospital] = effects(self._history[hospital])
        foretold = {hospital: self._foretold.get(hospital, {}) for hospital in seen.evidence}
        now = Insight(seen, foretold, self._history, found)
        for rule in self._rules:
            self.suspected[rule.name][seen.number] = rule.see(now)
        self._foretold = {h: in_spreads(found[h], self._history[h]) for h in found}


def first_suspicions(found: Mapping[int, frozenset[bytes]]) -> dict[bytes, int]:
    """The round in which each device was first suspected."""
    first: dict[bytes, int] = {}
    for number, devices in sorted(found.items()):
        for device in devices:
            first.setdefault(device, number)
    return first
