"""The way down: a model as the values that changed since the one before, for devices that know where.

Whoever followed the rounds derives each round's coordinates (`coordinate_mask`), so that no positions travel. A device
that missed rounds takes their patches in turn, or the whole model where that is shorter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl_core.errors import SpecError

Float32Array = NDArray[np.float32]
_MAGIC = b"FMP1"


def patch_bytes(length: int) -> int:
    """Length of a patch of `length` coordinates."""
    return len(_MAGIC) + 4 * length


def encode_patch(before: Float32Array, after: Float32Array, coordinates: NDArray[np.int64]) -> bytes:
    """The parameters after a round at its coordinates, as little-endian float32 in their order.

    Args:
        before: float32 (d,).
        after: float32 (d,), equal to `before` outside the coordinates.
        coordinates: int64 (k,), what was sent in the round.

    Raises:
        SpecError: the model changed elsewhere too.
    """
    patch = _MAGIC + after[coordinates].astype("<f4").tobytes()
    if apply_patch(before, patch, coordinates).tobytes() != after.tobytes():
        raise SpecError("the model changed outside the round's coordinates: send it whole")
    return patch


def apply_patch(before: Float32Array, patch: bytes, coordinates: NDArray[np.int64]) -> Float32Array:
    """The parameters after the round, float32 (d,), bit for bit.

    Raises:
        SpecError: a patch of another length or kind, or with values that are not finite.
    """
    if len(patch) != patch_bytes(len(coordinates)) or not patch.startswith(_MAGIC):
        raise SpecError(
            f"model patch of {len(patch)} bytes for {len(coordinates)} coordinates: it is malformed"
        )
    values = np.frombuffer(patch, dtype="<f4", offset=len(_MAGIC))
    if not np.isfinite(values).all():
        raise SpecError("model patch with values that are not finite: do not train on them")
    after: Float32Array = before.copy()
    after[coordinates] = values
    return after
