"""The `extraData` of a QBFT genesis block: who the first validators are, in RLP.

Source: Besu's documentation of QBFT, "Extra data"; RLP as in the Ethereum Yellow Paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

RlpItem: TypeAlias = "bytes | Sequence[RlpItem]"

VANITY_BYTES = 32


def qbft_extra_data(validators: Iterable[bytes]) -> bytes:
    """RLP([32 bytes of vanity, validators, no vote, round 0, no seals]), validators in ascending order.

    Args:
        validators: addresses, 20 bytes each; every node has to have them in the same order.

    Raises:
        ValueError: an address has another length, or comes twice.
    """
    ordered = sorted(validators)
    if any(len(address) != 20 for address in ordered):
        raise ValueError("a validator's address has 20 bytes")
    if len(set(ordered)) != len(ordered):
        raise ValueError("a validator is named twice")
    return rlp_encode([bytes(VANITY_BYTES), ordered, [], b"", []])


def rlp_encode(item: RlpItem) -> bytes:
    """RLP of a byte string, or of a list of items."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(0x80, len(item)) + item
    content = b"".join(rlp_encode(part) for part in item)
    return _prefix(0xC0, len(content)) + content


def _prefix(offset: int, length: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size
