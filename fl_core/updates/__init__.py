"""What is sent of an update: the round's coordinates, and the chain from an update to ring elements and back."""

from __future__ import annotations

from fl_core.updates.compression_spec import CompressionSpec
from fl_core.updates.coordinate_mask import coordinate_mask
from fl_core.updates.residual import Residual
from fl_core.updates.strata import Stratum, combine
from fl_core.updates.update_codec import EncodedBatch, EncodedUpdate, UpdateCodec, update_bound

__all__ = [
    "CompressionSpec",
    "EncodedBatch",
    "EncodedUpdate",
    "Residual",
    "Stratum",
    "UpdateCodec",
    "combine",
    "coordinate_mask",
    "update_bound",
]
