"""Receipts: each device's leaf and proof, sealed to its channel key, so that a bundle can carry them to it alone."""

from __future__ import annotations

from fl_core.canonical import canonical_json
from fl_core.secagg import Roster, seal
from incentives import HospitalEntry, Receipt


def seal_receipts(entry: HospitalEntry, roster: Roster) -> dict[bytes, bytes]:
    """A sealed receipt for each device of the entry, by its account."""
    context = receipt_context(entry.tree.domain.round, entry.tree.domain.hospital)
    return {
        device: seal(roster[device].channel_public, _encode(entry.receipt(device)), context)
        for device in entry.slots
    }


def receipt_context(round_number: int, hospital: int) -> bytes:
    """What a sealed receipt is bound to."""
    return b"FedIoMT.Receipt.v1" + round_number.to_bytes(8, "big") + hospital.to_bytes(2, "big")


def _encode(receipt: Receipt) -> bytes:
    leaf = receipt.leaf
    return canonical_json(
        {
            "round": receipt.domain.round,
            "hospital": receipt.domain.hospital,
            "leaf": [leaf.slot, leaf.device_class, leaf.payee.hex(), leaf.volume, leaf.quality, leaf.compute],
            "salt": leaf.salt.hex(),
            "siblings": [[node.hash.hex(), hex(node.lanes.pack())] for node in receipt.siblings],
            "root": receipt.root.hash.hex(),
        }
    )
