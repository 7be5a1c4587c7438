"""What the poisoning benchmark plays: rules, scenarios, attacks and their variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.poisoning_rounds import Threat
from fl_core.robust import DEFAULT_SHARE, RuleSpec
from fl_core.simulation import Behaviour
from fl_core.simulation.pulls import PULLS, STRONGEST, Pull

ROUNDS = 15
COHORTS = (10, 16, 24)
SHARES = {"a": (0.1, 0.2, 0.4), "b": (0.02, 0.04, 0.08, 0.16)}
ATTACKS = tuple(kind for kind in Behaviour if kind.attacks)
DATA_ATTACKS = (Behaviour.LABEL_FLIP, Behaviour.BACKDOOR)
CURVE_ATTACKS = (Behaviour.SIGN_FLIP, Behaviour.ADAPTIVE)

DEFAULT_RULE = "fltrust"
_ROOT_DIGEST = "0b" * 32  # stands for a root set's digest: rows come with the federation
RULES: Mapping[str, RuleSpec] = {
    "mean": RuleSpec("mean"),
    "median": RuleSpec("median"),
    "trimmed-mean": RuleSpec("trimmed-mean", DEFAULT_SHARE),
    "multi-krum": RuleSpec("multi-krum", DEFAULT_SHARE),
    "geometric-median": RuleSpec("geometric-median"),
    DEFAULT_RULE: RuleSpec("fltrust", root_digest=_ROOT_DIGEST),
}
"""Rules by their names in the tables."""


@dataclass(frozen=True)
class Scenario:
    """Who attacks in a row of the table.

    Attributes:
        name: short name.
        label: for the table.
        share: of the devices, or of one hospital's.
        unclipped: class (b), arbitrary inputs; otherwise (a).
        hospital: whether all attackers are at one hospital.
    """

    name: str
    label: str
    share: float
    unclipped: bool
    hospital: bool

    def threat(self, behaviour: Behaviour, pull: Pull = STRONGEST) -> Threat:
        """The scenario with an attack."""
        return Threat(behaviour, self.share, self.unclipped, 1 if self.hospital else 0, pull)


SCENARIOS = (
    Scenario("a20", "(a) clip holds, 20% of all devices", 0.2, False, False),
    Scenario("b4", "(b) arbitrary inputs, 4% of all devices", 0.04, True, False),
    Scenario("b-fifth", "(b) a fifth of one hospital's devices", 0.2, True, True),
    Scenario("b-hospital", "(b) one hospital of four, all its devices", 1.0, True, True),
)


@dataclass(frozen=True)
class Grid:
    """How much is measured.

    Attributes:
        datasets: data sets.
        rules: names of rules.
        attacks: attacks of the table.
        pulls: variants of the adaptive attack where a rule trusts a root update.
        cohorts: cohort sizes of the curves.
        shares: shares of attackers of the curves, by class.
        rounds: rounds of a run.
    """

    datasets: tuple[str, ...] = ("har", "wdbc")
    rules: tuple[str, ...] = tuple(RULES)
    attacks: tuple[Behaviour, ...] = ATTACKS
    pulls: tuple[Pull, ...] = PULLS
    cohorts: tuple[int, ...] = COHORTS
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: SHARES)
    rounds: int = ROUNDS

    def variants(self, rule: str) -> Iterator[tuple[str, Behaviour, Pull]]:
        """Attacks under a rule by name; the adaptive one with every pull where the rule trusts a root update."""
        for attack in self.attacks:
            if attack is Behaviour.ADAPTIVE and RULES[rule].takes_root:
                for pull in self.pulls:
                    yield f"{attack.value}, {pull.name}", attack, pull
            else:
                yield attack.value, attack, STRONGEST


QUICK = Grid(datasets=("wdbc",), cohorts=(16,), shares={"a": (0.2,), "b": (0.04,)})
