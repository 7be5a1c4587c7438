"""What parties do before the dispute court: bonds approved, faults proved from bundles, demands drawn and answered."""

from __future__ import annotations

from chain.clock import Clock
from chain.contracts import Contracts
from chain.court import ChallengeRecord
from chain.history import read_round
from chain.phases import CaseOutcome, Fault
from chain.sender import Sender
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


def demand_leaves(
    contracts: Contracts, challenger: Sender, clock: Clock, round_number: int, hospital: int
) -> ChallengeRecord:
    """Demand random leaves of an entry, and draw them as soon as the block is known."""
    approve_bond(contracts, challenger)
    made = contracts.court.demand(challenger, round_number, hospital)
    clock.wait_blocks(DRAW_BLOCKS)
    contracts.court.draw(challenger, made.id)
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
