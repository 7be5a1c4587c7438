"""What the command line owes its user to say about the aggregation rule and simulated attackers."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.federation.rule_settings import attacker_count
from scripts.federation.run import Run

BACKDOOR = "backdoor"
FEW_ROOT_ROWS = (
    100  # with 2% of wdbc, a dozen, honest accuracy fell by points; with two hundred of har it did not
)


def rule_notes(run: Run) -> Iterator[str]:
    """One sentence each, before training starts."""
    settings, rule = run.settings, run.spec.rule
    if rule.name == "fltrust":
        yield (
            f"rule fltrust trusts what points where the root set of {len(run.population.root)} rows does: it is as "
            "good as these rows are like the task's, and attackers must not have chosen them"
        )
        if len(run.population.root) < FEW_ROOT_ROWS:
            yield (
                f"so few root rows point less surely: honest training may lose some points; --root-share for more than "
                f"{FEW_ROOT_ROWS}, or --rule median"
            )
    elif rule.name != "mean":
        yield f"rule {rule.name}: each hospital is one vote, however many devices or rows it declares"
    elif settings.root_share > 0 and settings.rule is None:
        yield "profile private releases one sum, so that the plain mean is the only rule, with or without a root set"
    if settings.attack is not None:
        count, where = attacker_count(settings), "spread over the hospitals"
        if settings.malicious_hospital:
            where = f"at hospital {settings.malicious_hospital}"
        how = (
            "put into their masked inputs whatever is not refused" if settings.unclipped else "clip as all do"
        )
        everybody = settings.hospitals * settings.devices
        yield f"{count} of {everybody} simulated devices, {where}, attack ({settings.attack}) and {how}"
