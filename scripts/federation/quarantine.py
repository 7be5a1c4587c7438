"""Suspicion and quarantine in a run: what a round's record decides, computed alike by edges, hospitals and auditors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from incentives import DecoderSettings, RoundEvidence
from incentives.suspicion import judged_cohorts
from incentives.suspicion_forecast import in_spreads
from incentives.suspicion_standing import Status
from incentives.suspicion_watch import Decision, HospitalEvidence, Watch
from scripts.federation.contributions import History, decoded, evidence_of
from scripts.federation.quarantine_settings import QUARANTINE, read_quarantine
from scripts.federation.record import HospitalRecord, RoundRecord

Decisions = Mapping[int, tuple[Decision, ...]]
"""What a round decides of each hospital's devices."""


def watch_of(record: RoundRecord) -> Watch | None:
    """The watch before the first round of an epoch; None where nobody is suspected: in other profiles, or if so agreed.

    Every device that is enrolled anywhere counts as a test.

    Raises:
        SpecError: settings out of range.
        IncentivesError: nobody is enrolled.
    """
    settings = read_quarantine(record.scoring.get(QUARANTINE))
    if settings is None or not record.device_quality_scored:
        return None
    return Watch(settings, sum(len(part.advertisements) for part in record.hospitals.values()))


def decide(
    watch: Watch | None, record: RoundRecord, history: History
) -> tuple[Watch | None, dict[int, tuple[Decision, ...]]]:
    """What a round decides.

    Args:
        watch: before the round; None in the first of an epoch, or where nobody is suspected.
        record: the round; of each hospital's part its decisions do not matter.
        history: each hospital's evidence of the epoch; that of this round is not looked at.

    Returns:
        The watch after the round, and the decisions by hospital.

    Raises:
        IncentivesError: a device was in a cohort while in quarantine, or the record cannot be read for evidence.
    """
    before = watch or watch_of(record)
    if before is None:
        return None, dict.fromkeys(record.hospitals, ())
    decoder = DecoderSettings(**record.scoring["decoder"])
    evidence = [
        _evidence(record.hospitals[hospital], found, _earlier(history, hospital, record.number), decoder)
        for hospital, found in sorted(evidence_of(record).items())
    ]
    after, decisions = before.after(record.number, evidence)
    return after, {
        hospital: tuple(decision for decision in decisions if decision.device in part.slots)
        for hospital, part in record.hospitals.items()
    }


def quarantined(record: RoundRecord) -> tuple[Decision, ...]:
    """The decisions of a round that put a device in quarantine."""
    return tuple(
        decision
        for part in record.hospitals.values()
        for decision in part.decisions
        if decision.status is Status.QUARANTINE
    )


def _earlier(history: History, hospital: int, number: int) -> list[RoundEvidence]:
    return [item for item in history.get(hospital, ()) if item.round < number]


def _evidence(
    part: HospitalRecord, found: RoundEvidence, earlier: Sequence[RoundEvidence], decoder: DecoderSettings
) -> HospitalEvidence:
    """Cohorts are compared within a link class, within which they were drawn."""
    classes = {tuple(cohort.survivors): cohort.link_class for cohort in part.cohorts if cohort.summed}
    pools = [classes[cohort.members] for cohort in found.cohorts]
    return HospitalEvidence(
        judged_cohorts(found, pools), in_spreads(decoded(tuple(earlier), decoder), earlier, decoder)
    )
