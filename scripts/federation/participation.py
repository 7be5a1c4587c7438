"""That the devices in a sum really took part: their keys on the roster, their signatures over what they masked."""

from __future__ import annotations

from collections.abc import Iterator

from fl_core.errors import FlError
from fl_core.models import model_digest
from fl_core.secagg import Advertisement, Roster, masked_input_message, verify_advertisements
from fl_core.spec import epoch_of
from fl_core.tiers import CohortCall, CohortSum, cohort_plan, subject_of
from incentives import Finding
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.signing import domain_of, session_of, verifier_of


def roster_of(record: RoundRecord, part: HospitalRecord) -> Roster:
    """A hospital's roster of the epoch, every advertisement's signature checked.

    Raises:
        SecAggError: an advertisement is malformed, forged, or there twice.
    """
    return verify_advertisements(
        [Advertisement.decode(data) for data in part.advertisements],
        epoch_of(record.number),
        domain_of(record.run, record.chain_id, record.ledger),
        verifier_of(record.chain_id),
    )


def check_participation(record: RoundRecord, part: HospitalRecord) -> Iterator[Finding]:
    """Whether each survivor of each cohort signed a masked input of this very cohort, spec and model."""
    spec = record.spec
    domain = domain_of(record.run, record.chain_id, record.ledger)
    verifier = verifier_of(record.chain_id)
    for cohort in part.cohorts:
        if cohort.total is None:
            continue
        plan = cohort_plan(
            _call(record, part, cohort),
            cohort_size=spec.cohort_size,
            k_min=spec.k_min,
            bits=spec.bits,
            dim=spec.dim,
            subject=subject_of(spec.digest, model_digest(record.model_before)),
        )
        for address in cohort.survivors:
            who = f"hospital {part.hospital}, cohort {cohort.cohort}, device {address.hex()}"
            masked = cohort.masked_hashes.get(address, b"")
            message = masked_input_message(domain, plan, cohort.deposited_hash, masked)
            try:
                signer = verifier.recover(message, cohort.signatures.get(address, b"")).hex()
            except FlError as error:
                signer = f"no signature ({error})"
            if signer != address.hex():
                yield Finding("participation", who, "its signature over its masked input", signer)


def _call(record: RoundRecord, part: HospitalRecord, cohort: CohortSum) -> CohortCall:
    return CohortCall(
        round_number=record.number,
        hospital=part.hospital,
        session=session_of(record.run),
        beacon=record.beacon,
        ready=part.ready,
        cohort=cohort.cohort,
    )
