"""What parties do before the dispute court: bonds approved, faults proved from bundles, demands drawn and answered.

A command that was killed can be run again: it goes on with the challenge that it made, and posts no second bond.
"""

from __future__ import annotations

from chain.clock import Clock
from chain.connect import to_address
from chain.contracts import Contracts
from chain.court import ChallengeRecord
from chain.history import read_round
from chain.phases import CaseOutcome, Fault
from chain.sender import Sender
from chain.unsettled import finish
from fl_core.spec import epoch_of
from scripts.console.errors import CommandError
from scripts.federation.fault_proofs import find_fault, opening_at
from scripts.federation.ledger_facts import facts_of
from scripts.federation.record import HospitalRecord, RoundRecord

DRAW_BLOCKS = 2


class NothingProvableError(CommandError):
    """A bundle shows no fault of an entry that machines check."""


def approve_bond(contracts: Contracts, challenger: Sender) -> None:
    """Let the court take a challenge's bond.

    Raises:
        CommandError: the challenger does not have it.
    """
    bond, held = contracts.court.challenge_bond(), contracts.settlement.balance_of(challenger.address)
    if held < bond:
        raise CommandError(
            f"{challenger.address} holds {held} of the {bond} settlement tokens (smallest unit) that a challenge "
            "takes: transfer them there first"
        )
    contracts.settlement.approve(challenger, contracts.court.address, bond)


def prove_fault(contracts: Contracts, sender: Sender, record: RoundRecord, hospital: int) -> Fault:
    """Have a hospital convicted over an entry that its bundle shows a fault of.

    Args:
        contracts: the deployment.
        sender: anyone.
        record: the round.
        hospital: the accused.

    Raises:
        NothingProvableError: the bundle shows nothing that machines check.
        CommandError: there is no entry, or no part of it in the bundle.
        ContractError: the court refuses, such as for one that it has convicted already.
    """
    part = part_of(record, hospital)
    found = facts_of(contracts, read_round(contracts, record.number)).entries.get(hospital)
    if found is None:
        raise CommandError(
            f"hospital {hospital} has no entry in round {record.number}: there is nothing to prove"
        )
    enrolled = contracts.ledger.epoch_registration(hospital, epoch_of(record.number)).roster_size
    if found.entry.lanes.n > enrolled:
        contracts.court.prove_count(sender, record.number, hospital)
        return Fault.TOO_MANY_DEVICES
    proof = find_fault(record, part, found.entry)
    if proof is None:
        raise NothingProvableError(
            f"no leaf of hospital {hospital} in round {record.number} is at fault in a way that machines check: what "
            "`fediomt audit` finds besides can be voted on (`fediomt dispute open`), or leaves be demanded "
            "(`fediomt dispute demand`)"
        )
    return contracts.court.prove_leaf(sender, record.number, hospital, proof)


def challenge_entry(
    contracts: Contracts, challenger: Sender, round_number: int, hospital: int, evidence: bytes
) -> tuple[ChallengeRecord, bool]:
    """Challenge an entry with a bond, unless its open case has an equal challenge of the challenger's already.

    Args:
        contracts: the deployment.
        challenger: who posts the bond.
        round_number: the round.
        hospital: the accused.
        evidence: names what is held against it, 32 bytes; zeros for nothing.

    Returns:
        The challenge, and whether it is new.

    Raises:
        CommandError: the challenger does not have the bond.
        ContractError: the court refuses.
    """
    court, start = contracts.court, contracts.deployment.block
    own = _own_challenges(contracts, challenger, round_number, hospital)
    demands = {item.challenge_id for item in court.demands_in(own[0].case_id)} if own else set()
    for item in own:
        if item.id not in demands and court.evidence_of(item.id, from_block=start) == evidence:
            return item, False
    approve_bond(contracts, challenger)
    return court.challenge(challenger, round_number, hospital, evidence), True


def demand_leaves(
    contracts: Contracts, challenger: Sender, clock: Clock, round_number: int, hospital: int
) -> ChallengeRecord:
    """Demand random leaves of an entry, unless the challenger has in its open case, and draw them when that is due.

    Raises:
        CommandError: the challenger does not have the bond.
        ContractError: the court refuses.
    """
    court = contracts.court
    own = {item.id: item for item in _own_challenges(contracts, challenger, round_number, hospital)}
    standing = court.demands_in(court.open_case_of(round_number, hospital)) if own else ()
    made = next((own[item.challenge_id] for item in standing if item.challenge_id in own), None)
    if made is None:
        approve_bond(contracts, challenger)
        made = court.demand(challenger, round_number, hospital)
    while not _is_drawn(contracts, made):  # one that comes too late for its block gets another block
        clock.wait_blocks(DRAW_BLOCKS)
        court.draw(challenger, made.id)
    return made


def answer_demand(contracts: Contracts, sender: Sender, record: RoundRecord, hospital: int) -> int:
    """Open every drawn leaf of a hospital's entry that is still closed; returns their number.

    Raises:
        CommandError: nothing is asked for, or the bundle cannot show a leaf.
    """
    part, court = part_of(record, hospital), contracts.court
    asked = [
        demand for demand in court.demands_in(court.open_case_of(record.number, hospital)) if demand.drawn
    ]
    if not asked:
        raise CommandError(
            f"no leaves of hospital {hospital} are drawn in round {record.number}: nothing to answer"
        )
    every = range(court.openings())
    closed = [(demand.challenge_id, i) for demand in asked for i in every if i not in demand.answered]
    for challenge, index in closed:
        court.answer(sender, challenge, index, opening_at(record, part, court.point_of(challenge, index)))
    return len(closed)


def settle_case(contracts: Contracts, sender: Sender, case_id: int) -> int:
    """End a case whose deadline has passed, if votes have not, and pay out its bonds; returns their number.

    Raises:
        ContractError: the case is still running.
    """
    court = contracts.court
    if court.case(case_id).outcome is CaseOutcome.OPEN:
        court.conclude(sender, case_id)
    open_bonds = [item for item in court.challenges() if item.case_id == case_id and not item.settled]
    for item in open_bonds:
        court.settle(sender, item.id)
    return len(open_bonds)


def settle_cases_about(contracts: Contracts, sender: Sender, round_number: int, hospital: int) -> None:
    """Settle every case about an entry, see `settle_case`; none may be running."""
    for case in contracts.court.cases():
        if (case.round, case.hospital) == (round_number, hospital):
            settle_case(contracts, sender, case.id)


def part_of(record: RoundRecord, hospital: int) -> HospitalRecord:
    """A hospital's part of a round's bundle.

    Raises:
        CommandError: it has none.
    """
    part = record.hospitals.get(hospital)
    if part is None:
        raise CommandError(
            f"hospital {hospital} has no part in round {record.number}: it has {sorted(record.hospitals)}"
        )
    return part


def _own_challenges(
    contracts: Contracts, sender: Sender, round_number: int, hospital: int
) -> list[ChallengeRecord]:
    """Challenges in an entry's open case that come from the sender, or from any account that its hospital had.

    What a command that was killed left in the outbox is finished before, so that it is among them.
    """
    if sender.outbox is not None:
        finish(contracts.w3, sender.outbox)
    case = contracts.court.open_case_of(round_number, hospital)
    if case == 0:
        return []
    own, by = {sender.address}, contracts.consortium.hospital_id_of(sender.address)
    if by != 0:
        own |= {to_address(held.account) for held in contracts.consortium.accounts_of([by])[by]}
    return [item for item in contracts.court.challenges() if item.case_id == case and item.challenger in own]


def _is_drawn(contracts: Contracts, made: ChallengeRecord) -> bool:
    demands = contracts.court.demands_in(made.case_id)
    return any(item.drawn for item in demands if item.challenge_id == made.id)
