"""Receipts: each device's leaf and proof, sealed to its channel key, so that a bundle can carry them to it alone."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import BundleError, FlError
from fl_core.secagg import Roster, open_sealed, seal
from incentives import HospitalEntry, IncentivesError, Lanes, Leaf, Node, Receipt

_LANE_BITS = (32, 48, 48, 64, 64)


@dataclass(frozen=True)
class OpenedReceipt:
    """What a device finds in its receipt.

    Attributes:
        round_number: the round that it says it is of.
        hospital: the hospital.
        leaf: the device's leaf.
        siblings: the way to the root, lowest first.
        root: hash of the root that it is said to lead to, 32 bytes.
        signature: the hospital's over that root; empty where there is none.
    """

    round_number: int
    hospital: int
    leaf: Leaf
    siblings: tuple[Node, ...]
    root: bytes
    signature: bytes = b""


def seal_receipts(entry: HospitalEntry, roster: Roster, signature: bytes = b"") -> dict[bytes, bytes]:
    """A sealed receipt for each device of the entry, by its account, with the hospital's signature over the root."""
    context = receipt_context(entry.tree.domain.round, entry.tree.domain.hospital)
    return {
        device: seal(roster[device].channel_public, _encode(entry.receipt(device), signature), context)
        for device in entry.slots
    }


def open_receipt(key: X25519PrivateKey, sealed: bytes, *, round_number: int, hospital: int) -> OpenedReceipt:
    """Open a receipt as its device does.

    Args:
        key: the device's channel key of the epoch.
        sealed: what the bundle holds for it.
        round_number: the round that it must be of.
        hospital: the device's hospital.

    Raises:
        BundleError: it does not open with this key, or is malformed inside.
    """
    try:
        value = parse_json(open_sealed(key, sealed, receipt_context(round_number, hospital)))
        slot, device_class, payee, volume, quality, compute = value["leaf"]
        leaf = Leaf(
            slot=slot,
            device_class=device_class,
            payee=bytes.fromhex(payee),
            volume=volume,
            quality=quality,
            compute=compute,
            salt=bytes.fromhex(value["salt"]),
        )
        siblings = tuple(
            Node(bytes.fromhex(digest), _unpacked(int(lanes, 16))) for digest, lanes in value["siblings"]
        )
        root = bytes.fromhex(value["root"])
        signature = bytes.fromhex(value.get("signature", ""))
        return OpenedReceipt(value["round"], value["hospital"], leaf, siblings, root, signature)
    except (FlError, IncentivesError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BundleError(f"receipt of round {round_number} cannot be read: {error}") from error


def _unpacked(word: int) -> Lanes:
    """The lanes of a word that `Lanes.pack` made."""
    lanes = []
    for bits in _LANE_BITS:
        lanes.append(word & ((1 << bits) - 1))
        word >>= bits
    if word:
        raise ValueError("lanes of more than 256 bits")
    return Lanes(*lanes)


def receipt_context(round_number: int, hospital: int) -> bytes:
    """What a sealed receipt is bound to."""
    return b"FedIoMT.Receipt.v1" + round_number.to_bytes(8, "big") + hospital.to_bytes(2, "big")


def _encode(receipt: Receipt, signature: bytes) -> bytes:
    leaf = receipt.leaf
    return canonical_json(
        {
            "round": receipt.domain.round,
            "hospital": receipt.domain.hospital,
            "leaf": [leaf.slot, leaf.device_class, leaf.payee.hex(), leaf.volume, leaf.quality, leaf.compute],
            "salt": leaf.salt.hex(),
            "siblings": [[node.hash.hex(), hex(node.lanes.pack())] for node in receipt.siblings],
            "root": receipt.root.hash.hex(),
            **({"signature": signature.hex()} if signature else {}),
        }
    )
