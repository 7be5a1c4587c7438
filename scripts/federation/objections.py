"""Findings that one hospital's own leaves explain: its entry is disputed, and the round goes on for everybody else.

What hospitals attest is the digest of the bundle: that this is what was recorded. Models, sums and scores follow from
each other, so a difference there stops the round. A hospital's leaves are its own: where all that differs is in them,
the others attest, and have that entry voided before the round is closed, so that it counts for nothing. They are its
own only where it put the digest of its part on the ledger, or signed it: else the coordinator may have altered them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from chain.contracts import Contracts
from chain.phases import CaseOutcome
from chain.sender import Sender
from fl_core.canonical import digest_json
from incentives import Finding
from scripts.console.errors import CommandError
from scripts.federation.disputes import (
    NothingProvableError,
    approve_bond,
    prove_fault,
    settle_cases_about,
)
from scripts.federation.record import RoundRecord

_OWN_CHECKS = frozenset({"leaves", "class caps", "receipts", "entry", "form"})

Objections = Mapping[int, Sequence[Finding]]
"""What is held against hospitals' entries, by hospital."""


def objections_of(
    findings: Sequence[Finding], hospitals: Collection[int], answerable: Collection[int]
) -> Objections | None:
    """The hospitals whose own leaves explain all findings, with what was found; None where they do not.

    Args:
        findings: of one hospital's recomputation; none explain themselves.
        hospitals: those of the round, of which at most a third can be accused: it takes two thirds to attest.
        answerable: those whose parts of the bundle are shown to be their own, see `part_signatures`.
    """
    held: dict[int, list[Finding]] = {}
    for finding in findings:
        whose = finding.hospital
        if finding.check not in _OWN_CHECKS or whose is None or whose not in answerable:
            return None
        held.setdefault(whose, []).append(finding)
    return held if 3 * len(held) <= len(hospitals) else None


def evidence_digest(findings: Sequence[Finding]) -> bytes:
    """What a challenge names its evidence by, 32 bytes: SHA-256 of the findings in order."""
    return digest_json([str(finding) for finding in findings])


def void_entries(
    contracts: Contracts,
    record: RoundRecord,
    held: Objections,
    objectors: Mapping[int, Sender],
) -> None:
    """Have entries voided: by a fault that machines check where there is one, else by a challenge and votes.

    It can be run again where it was killed: an open case is gone on with, and bonds are paid out of those that ended.

    Args:
        contracts: the deployment.
        record: the round, whose entries are in and which is not closed.
        held: what is held against whom.
        objectors: the hospitals that found it; the first challenges, the others vote.

    Raises:
        CommandError: the first cannot pay a challenge's bond, or too few object.
    """
    first = objectors[min(objectors)]
    for accused, findings in held.items():
        entry = contracts.ledger.entry(record.number, accused)
        if not entry.submitted:  # who has no entry forfeits anyway
            continue
        if not entry.voided:
            try:
                prove_fault(contracts, first, record, accused)
            except NothingProvableError:
                _vote_out(contracts, record.number, accused, evidence_digest(findings), objectors)
        settle_cases_about(contracts, first, record.number, accused)


def _vote_out(
    contracts: Contracts, round_number: int, accused: int, evidence: bytes, objectors: Mapping[int, Sender]
) -> None:
    """Challenge an entry, unless a case about it is open, and have every elector that objects vote."""
    court, first = contracts.court, objectors[min(objectors)]
    case_id = court.open_case_of(round_number, accused)
    if case_id == 0:
        approve_bond(contracts, first)
        case_id = court.challenge(first, round_number, accused, evidence).case_id
    for hospital in sorted(objectors):
        case = court.case(case_id)
        if case.outcome is CaseOutcome.OPEN and hospital in case.electors - case.votes:
            court.vote(objectors[hospital], case_id)
    if court.case(case_id).outcome is CaseOutcome.OPEN:
        raise CommandError(
            f"too few hospitals object to the entry of hospital {accused} in round {round_number}: case {case_id} is "
            "open, have others vote on it with `fediomt dispute vote`"
        )
