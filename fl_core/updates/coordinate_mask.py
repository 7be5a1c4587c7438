"""A round's coordinate mask: which coordinates all devices send, derived by everyone from what is public."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.updates.compression_spec import CompressionSpec

_TAG = b"FedIoMT.CoordinateMask.v1"


def coordinate_mask(
    compression: CompressionSpec,
    *,
    beacon: bytes,
    round_number: int,
    dim: int,
    last_update: NDArray[np.floating] | None = None,
) -> NDArray[np.int64]:
    """The coordinates of a round in the order in which they are sent; a slower link class sends a prefix.

    A share `public_top` of them are those of the largest magnitude in the last global update, as far as it has entries
    other than zero; the others are drawn at random. All are then shuffled, so that every prefix holds the same
    mixture. Ties go to the lower coordinate. Only public (released, under privacy noised) state enters, so the choice
    tells nothing about a device that the releases do not.

    Args:
        compression: the spec's settings.
        beacon: the round's beacon, 32 bytes.
        round_number: the round.
        dim: parameters of the model, d.
        last_update: what the last round changed in the global model, float (d,); None in a run's first round.

    Returns:
        int64 (k,), distinct, k = compression.lengths(dim)[0].

    Raises:
        SpecError: an update of another shape or with values that are not finite, or a beacon that is none.
    """
    if len(beacon) != 32:
        raise SpecError(f"beacon of {len(beacon)} bytes: expected 32")
    size = compression.lengths(dim)[0]
    choice, shuffle = _random_words(beacon, round_number, 2 * dim).reshape(2, dim)
    chosen = _top(compression, dim, last_update)
    others = np.flatnonzero(~chosen)
    wanted = size - (dim - len(others))
    chosen[others[np.argsort(choice[others], kind="stable")[:wanted]]] = True
    mask = np.flatnonzero(chosen)
    ordered: NDArray[np.int64] = mask[np.argsort(shuffle[mask], kind="stable")].astype(np.int64)
    return ordered


def _top(
    compression: CompressionSpec, dim: int, last_update: NDArray[np.floating] | None
) -> NDArray[np.bool_]:
    """Which coordinates the last update puts into the mask, bool (d,)."""
    chosen = np.zeros(dim, dtype=np.bool_)
    if last_update is None:
        return chosen
    if last_update.shape != (dim,):
        raise SpecError(f"last update of shape {last_update.shape} for a model of {dim} parameters")
    if compression.public_top:
        chosen[_largest(last_update, compression.top_count(dim))] = True
    return chosen


def _largest(update: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Up to `count` coordinates of the largest magnitude above zero."""
    size = np.abs(update)
    if not np.isfinite(size).all():
        raise SpecError(
            "the last global update has values that are not finite: no coordinates follow from it"
        )
    order = np.argsort(-size, kind="stable")[:count]
    largest: NDArray[np.int64] = order[size[order] > 0].astype(np.int64)
    return largest


def _random_words(beacon: bytes, round_number: int, count: int) -> NDArray[np.uint64]:
    """AES-128-CTR keystream under SHA-256(tag, beacon, round), as little-endian words."""
    material = sha256(_TAG + beacon + round_number.to_bytes(8, "big"))
    stream = Cipher(AES128(material[:16]), CTR(material[16:])).encryptor()
    return np.frombuffer(stream.update(bytes(8 * count)), dtype="<u8")
