"""A hospital's bond, brought to what the consortium asks for."""

from __future__ import annotations

from chain.connect import is_local
from chain.contracts import Contracts
from chain.keys import fund
from chain.outbox import Outbox
from chain.phases import HospitalStatus
from chain.sender import Sender
from scripts.console.errors import CommandError
from scripts.federation.keyring import Keyring


def complete_bond(contracts: Contracts, keyring: Keyring, hospital: int, outbox: Outbox) -> int:
    """Post the bond of an admitted hospital, or top up one that was slashed; returns what was paid.

    On a local chain the operator lends what the hospital lacks, as it does when a consortium is founded.

    Raises:
        CommandError: nothing is missing, or the hospital has left.
        ContractError: the key does not act for the hospital, or its settlement tokens do not suffice.
    """
    consortium, settlement = contracts.consortium, contracts.settlement
    record = consortium.hospital(hospital)
    missing = consortium.bond_amount() - record.bond
    if record.status is HospitalStatus.LEFT:
        raise CommandError(f"hospital {hospital} has left the consortium: it posts no bond any more")
    if missing == 0 and record.status is not HospitalStatus.ADMITTED:
        raise CommandError(f"the bond of hospital {hospital} is whole: there is nothing to post")
    sender = Sender(contracts.w3, keyring.hospital(hospital), outbox=outbox)
    if is_local(contracts.w3):
        lack = missing - settlement.balance_of(sender.address)
        operator = Sender(contracts.w3, keyring.operator(), outbox=outbox)
        fund(contracts.w3, [sender.address, operator.address])
        if lack > 0:
            settlement.transfer(operator, sender.address, lack)
    settlement.approve(sender, consortium.address, missing)
    if record.status is HospitalStatus.ADMITTED:
        consortium.post_bond(sender)
    else:
        consortium.top_up_bond(sender)
    return missing
