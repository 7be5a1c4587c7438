"""What a run's settings say of root set, aggregation rule and simulated attackers, checked before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fl_core.errors import SpecError
from fl_core.robust import DEFAULT_SHARE, RULES, SHARED, RuleName, RuleSpec
from fl_core.simulation import ATTACKS
from fl_core.spec import Profile

if TYPE_CHECKING:
    from scripts.federation.settings import RunSettings

LARGEST_ROOT = 0.1  # beyond that it is no small set of consented rows any more
SPREAD_SHARE = 0.2  # of the devices that attack, where nothing else is said
_NO_ROOT = "00" * 32  # stands for a root set's digest before the data are read


def rule_name(settings: RunSettings) -> RuleName:
    """The rule of a run: the one that is named, fltrust where there is a root set, else the plain mean.

    Raises:
        SpecError: an unknown rule.
    """
    for name in RULES:
        if settings.rule == name:
            return name
    if settings.rule is not None:
        raise SpecError(f"--rule {settings.rule!r} is unknown: choose {', '.join(RULES)}")
    trusts = settings.root_share > 0 and settings.profile != Profile.PRIVATE.value
    return "fltrust" if trusts else "mean"


def rule_spec(settings: RunSettings, root_digest: str = _NO_ROOT) -> RuleSpec:
    """The rule as the spec holds it.

    Args:
        settings: the run's settings.
        root_digest: SHA-256 (hex) of the root set.

    Raises:
        SpecError: a rule or a share that cannot be.
    """
    name = rule_name(settings)
    if name in SHARED:
        return RuleSpec(name, DEFAULT_SHARE if settings.rule_share is None else settings.rule_share)
    if settings.rule_share is not None:
        raise SpecError(f"--rule-share is about {' and '.join(SHARED)}: {name} takes none")
    return RuleSpec(name, root_digest=root_digest if name == "fltrust" else None)


def check_rule(settings: RunSettings) -> None:
    """Refuse a rule that the run's profile, root set or number of cohorts has no use for.

    Raises:
        SpecError: it has none; the message says what to change.
    """
    name = rule_name(settings)
    if name == "fltrust" and settings.root_share == 0:
        raise SpecError("--rule fltrust needs a root set: set rows aside that are public, --root-share 0.02")
    if name != "mean" and settings.profile == Profile.PRIVATE.value:
        raise SpecError(
            f"profile private releases one sum over all hospitals, in which --rule {name} cannot tell good from bad: "
            "leave it out, or take --profile accountable or hospital"
        )
    rule_spec(settings).require(_fewest_means(settings))


def check_root(settings: RunSettings) -> None:
    """Refuse a root set that cannot be or that nothing uses, and uses of one that is not there.

    Raises:
        SpecError: the message says what to change.
    """
    if not 0 <= settings.root_share <= LARGEST_ROOT:
        raise SpecError(
            f"root share {settings.root_share}: choose 0 to {LARGEST_ROOT} of the rows; 0.01 to 0.02 is usual"
        )
    if settings.start not in ("seed", "root"):
        raise SpecError(f"start {settings.start!r} is unknown: choose seed or root")
    if settings.projection < 0:
        raise SpecError(f"projection to {settings.projection} directions: choose at least 1, or leave it out")
    used = settings.start == "root" or settings.projection > 0
    if used and settings.root_share == 0:
        raise SpecError(
            "--start root and --projection take rows that are public: set some aside, --root-share 0.02"
        )
    used = used or rule_name(settings) == "fltrust"
    scales = settings.csv is not None and settings.ranges is None and settings.draws_noise
    if settings.root_share > 0 and not (used or scales):
        raise SpecError(
            "nothing uses the root set: add --start root or --projection N, take --rule fltrust, or leave --root-share "
            "out"
        )


def check_attack(settings: RunSettings) -> None:
    """Refuse attackers that cannot be placed, and parts of an attack that is not named.

    Raises:
        SpecError: the message says what to change.
    """
    if not 0 <= settings.malicious_hospital <= settings.hospitals:
        raise SpecError(
            f"hospital {settings.malicious_hospital} cannot be malicious: there are {settings.hospitals}"
        )
    if settings.attack is None:
        if settings.attackers is not None or settings.malicious_hospital or settings.unclipped:
            raise SpecError(
                "--attackers, --malicious-hospital and --unclipped are about an --attack: name it"
            )
        return
    if settings.attack not in ATTACKS:
        raise SpecError(f"--attack {settings.attack!r} is unknown: choose {', '.join(ATTACKS)}")
    if settings.attackers is not None and not 0 < settings.attackers <= 1:
        raise SpecError(f"--attackers {settings.attackers}: choose a share of the devices above 0, at most 1")
    if attacker_count(settings) < 1:
        raise SpecError(f"--attackers {settings.attackers} is less than one device: take a larger share")


def attacker_count(settings: RunSettings) -> int:
    """How many devices attack: a share of all, or of those of the malicious hospital."""
    if settings.attack is None:
        return 0
    if settings.malicious_hospital:
        return round((1.0 if settings.attackers is None else settings.attackers) * settings.devices)
    share = SPREAD_SHARE if settings.attackers is None else settings.attackers
    return round(share * settings.hospitals * settings.devices)


def _fewest_means(settings: RunSettings) -> int:
    """Means of the coordinates that only the fastest link class sends, if no cohort fails."""
    if settings.profile != Profile.ACCOUNTABLE.value:
        return settings.hospitals
    of_a_class = settings.devices // len(settings.link_classes)
    return settings.hospitals * max(1, of_a_class // settings.cohort_size)
