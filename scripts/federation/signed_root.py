"""What a device takes out of its receipt to hold against its hospital: the root that the hospital signed, in a file.

It names no device and no leaf, so that anybody may be asked to submit it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fl_core.bundle import write_atomic
from fl_core.canonical import canonical_json, parse_json
from fl_core.errors import SpecError
from scripts.console.errors import CommandError
from scripts.federation.receipts import OpenedReceipt
from scripts.federation.record import RoundRecord


@dataclass(frozen=True)
class SignedRoot:
    """A root (32 bytes) that a hospital signed for a round, on a ledger (20 bytes) of a chain."""

    chain_id: int
    ledger: bytes
    round_number: int
    hospital: int
    root: bytes
    signature: bytes

    @classmethod
    def of(cls, record: RoundRecord, receipt: OpenedReceipt) -> SignedRoot:
        """The root of an opened receipt.

        Raises:
            CommandError: its hospital signed none, or no ledger could contradict it.
        """
        if not record.chain_id or not receipt.signature:
            raise CommandError(
                f"the receipt of round {record.number} carries no signed root of a ledger: there is nothing to save"
            )
        return cls(
            record.chain_id,
            record.ledger,
            receipt.round_number,
            receipt.hospital,
            receipt.root,
            receipt.signature,
        )

    def write(self, path: Path) -> None:
        """Write it to a file.

        Raises:
            BundleError: the disk refuses.
        """
        value = {
            "chain_id": self.chain_id,
            "ledger": self.ledger.hex(),
            "round": self.round_number,
            "hospital": self.hospital,
            "root": self.root.hex(),
            "signature": self.signature.hex(),
        }
        write_atomic(path, canonical_json(value) + b"\n")

    @classmethod
    def read(cls, path: Path) -> SignedRoot:
        """Read it from a file.

        Raises:
            CommandError: it is not there, or something else.
        """
        try:
            value = parse_json(path.read_bytes())
            found = cls(
                value["chain_id"],
                bytes.fromhex(value["ledger"]),
                value["round"],
                value["hospital"],
                bytes.fromhex(value["root"]),
                bytes.fromhex(value["signature"]),
            )
            numbers = (found.chain_id, found.round_number, found.hospital)
            if any(type(n) is not int or n < 0 for n in numbers) or found.hospital >= 1 << 16:
                raise ValueError("its numbers make no sense")
            if found.round_number >= 1 << 64 or (len(found.ledger), len(found.root)) != (20, 32):
                raise ValueError("ledger, round or root are of no proper length")
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
        except (SpecError, LookupError, TypeError, ValueError) as error:
            raise CommandError(
                f"{path} is no signed root ({error}): save one with `fediomt ledger receipt --save FILE`"
            ) from error
        return found
