"""That the devices in a sum really took part: their keys on the roster, their signatures over what they masked."""

from __future__ import annotations

from collections.abc import Iterator

from fl_core.errors import FlError
from fl_core.models import model_digest
from fl_core.secagg import Advertisement, CohortPlan, Roster, masked_input_message, verify_advertisements
from fl_core.spec import epoch_of
from fl_core.tiers import CohortCall, CohortReport, called_cohort, joint_plan, subject_of
from incentives import Finding
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.signing import domain_of, session_of, verifier_of


def roster_of(record: RoundRecord, part: HospitalRecord) -> Roster:
    """A hospital's roster of the epoch, every advertisement's signature checked.

    Raises:
        SecAggError: an advertisement is malformed, forged, or there twice.
    """
    return _roster(record, part.advertisements)


def hospital_roster_of(record: RoundRecord) -> Roster:
    """The hospitals' own keys of the epoch, every signature checked.

    Raises:
        SecAggError: an advertisement is malformed, forged, or there twice.
    """
    return _roster(record, [part.keys for part in record.hospitals.values()])


def _roster(record: RoundRecord, advertisements: tuple[bytes, ...] | list[bytes]) -> Roster:
    return verify_advertisements(
        [Advertisement.decode(data) for data in advertisements],
        epoch_of(record.number),
        domain_of(record.run, record.chain_id, record.ledger),
        verifier_of(record.chain_id),
    )


def cohort_plan(record: RoundRecord, part: HospitalRecord, report: CohortReport) -> CohortPlan:
    """The plan of a cohort's secure aggregation, as its members derived it.

    Raises:
        SpecError: the draw has no such cohort.
    """
    call = CohortCall(
        round_number=record.number,
        hospital=part.hospital,
        session=session_of(record.run),
        beacon=record.beacon,
        ready=part.ready,
        cohort=report.cohort,
    )
    return called_cohort(call, record.spec.terms, _subject(record)).plan


def plan_over_hospitals(record: RoundRecord, roster: Roster) -> CohortPlan:
    """The plan of the sum over hospitals, whose roster is given.

    Raises:
        SpecError: there are too few.
    """
    return joint_plan(record.number, session_of(record.run), roster, record.spec, _subject(record))


def check_participation(record: RoundRecord, part: HospitalRecord) -> Iterator[Finding]:
    """Whether each survivor of each cohort signed a masked input of this very cohort, ready list, spec and model."""
    for report in part.cohorts:
        if report.summed:
            who = f"hospital {part.hospital}, cohort {report.cohort}, device"
            yield from _signatures(record, cohort_plan(record, part, report), report, who)


def check_joint_participation(record: RoundRecord, roster: Roster) -> Iterator[Finding]:
    """Whether each hospital in the sum over hospitals signed a masked input of this very round."""
    if record.joint is not None and record.joint.summed:
        plan = plan_over_hospitals(record, roster)
        yield from _signatures(record, plan, record.joint, "sum over hospitals, account")


def _signatures(record: RoundRecord, plan: CohortPlan, report: CohortReport, who: str) -> Iterator[Finding]:
    domain = domain_of(record.run, record.chain_id, record.ledger)
    verifier = verifier_of(record.chain_id)
    for address in report.survivors:
        masked = report.masked_hashes.get(address, b"")
        message = masked_input_message(domain, plan, report.deposited_hash, masked)
        try:
            signer = verifier.recover(message, report.signatures.get(address, b"")).hex()
        except FlError as error:
            signer = f"no signature ({error})"
        if signer != address.hex():
            found = f"{who} {address.hex()}"
            yield Finding("participation", found, "its signature over its masked input", signer)


def _subject(record: RoundRecord) -> bytes:
    return subject_of(record.spec.digest, model_digest(record.model_before))
