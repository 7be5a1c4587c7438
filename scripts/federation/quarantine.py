"""Suspicion and quarantine in a run: what a round's record decides, computed alike by edges, hospitals and auditors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incentives import CohortKey, DecoderSettings, IncentivesError
from incentives.suspicion_forecast import in_spreads, spread_of
from incentives.suspicion_standing import Status
from incentives.suspicion_views import DrawnCohort, JudgedCohort, judged_views
from incentives.suspicion_watch import Decision, HospitalEvidence, Watch
from scripts.federation.contributions import History, decoded
from scripts.federation.quarantine_settings import QUARANTINE, read_quarantine
from scripts.federation.record import RoundRecord

Decisions = Mapping[int, tuple[Decision, ...]]
"""What a round decides of each hospital's devices."""


def watch_of(record: RoundRecord) -> Watch | None:
    """The watch before the first round of an epoch; None where nobody is suspected: in other profiles, or if so agreed.

    Every device that is enrolled anywhere counts as a test, and every other hospital as one that may judge it.

    Raises:
        SpecError: settings out of range.
        IncentivesError: nobody is enrolled.
    """
    settings = read_quarantine(record.scoring.get(QUARANTINE))
    if settings is None or not record.device_quality_scored:
        return None
    enrolled = sum(len(part.advertisements) for part in record.hospitals.values())
    return Watch(settings, enrolled, frozenset(record.hospitals))


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
    after, decisions = before.after(record.number, _evidence(before, record, history))
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


def _evidence(watch: Watch, record: RoundRecord, history: History) -> Iterator[HospitalEvidence]:
    """What the round says of each hospital that enough others may judge."""
    decoder, views = DecoderSettings(**record.scoring["decoder"]), _views(record)
    for hospital in sorted(record.hospitals):
        if len(watch.validators(hospital)) >= record.scoring["min_views"]:
            earlier = [item for item in history.get(hospital, ()) if item.round < record.number]
            spread = spread_of(earlier, record.scoring["decode_floor"]["absolute"])
            if spread is None:  # nothing to measure by yet: no bet is placed
                continue
            foretold = in_spreads(decoded(tuple(earlier), decoder), earlier, decoder)
            yield HospitalEvidence(hospital, views.get(hospital, {}), foretold, spread)


def _views(record: RoundRecord) -> dict[int, dict[int, tuple[JudgedCohort, ...]]]:
    """The round's cohorts by hospital and validator, to be compared within a link class as they were drawn."""
    if not record.device_quality_scored:
        return {}
    drawn = {}
    for hospital, part in record.hospitals.items():
        rows = {d.address: record.spec.credited_rows(d.rows, d.device_class) for d in part.ready}
        for cohort in part.cohorts:
            if cohort.summed:
                if not rows.keys() >= set(cohort.survivors):
                    raise IncentivesError(
                        f"a member of cohort {cohort.cohort} of hospital {hospital} is on no ready list"
                    )
                weights = tuple(rows[device] for device in cohort.survivors)
                key = CohortKey(hospital, cohort.cohort)
                drawn[key] = DrawnCohort(tuple(cohort.survivors), weights, cohort.link_class)
    gains = {validator: said.path_gains for validator, said in record.validators.items()}
    return judged_views(gains, drawn)
