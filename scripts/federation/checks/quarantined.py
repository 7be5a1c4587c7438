"""Who is in quarantine: on no ready list, and every decision is the one that the rounds' evidence leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from incentives import Finding
from incentives.suspicion_watch import Decision, Watch, took_part_in_quarantine
from scripts.federation.checks.line import same, same_by_device
from scripts.federation.quarantine import Decisions
from scripts.federation.record import RoundRecord

_CHECK = "quarantine"


def check_quarantine(
    record: RoundRecord, watch: Watch | None, decided: Callable[[], Decisions]
) -> Iterator[Finding]:
    """Hold ready lists against those who are barred, and decisions against those computed again.

    That nobody on probation is paid is held with the leaves.

    Args:
        record: the round.
        watch: after the round before; None in the first of an epoch, or where nobody is suspected.
        decided: computes what the round decides.
    """
    for hospital, part in record.hospitals.items():
        barred = [] if watch is None else took_part_in_quarantine(watch, [d.address for d in part.ready])
        listed = [device.hex() for device in barred]
        yield from same(_CHECK, f"hospital {hospital}, devices in quarantine on its ready list", [], listed)
    decisions = decided()
    for hospital, part in record.hospitals.items():
        yield from same_by_device(
            _CHECK,
            f"hospital {hospital}, decision",
            _by_device(decisions[hospital]),
            _by_device(part.decisions),
        )
        ordered = sorted(part.decisions, key=lambda decision: decision.device)
        distinct = len({decision.device for decision in ordered}) == len(ordered)
        in_order = list(part.decisions) == ordered
        yield from same(
            _CHECK, f"hospital {hospital}, decisions in order, one a device", True, distinct and in_order
        )


def _by_device(decisions: tuple[Decision, ...]) -> dict[bytes, object]:
    return {
        decision.device: f"{decision.status.value} until {decision.until}, "
        f"evidence {decision.evidence} of {decision.limit}"
        for decision in decisions
    }
