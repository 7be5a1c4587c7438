"""What an attempt gives its edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SecAggResult:
    """What one attempt gave.

    Attributes:
        sum: uint64 (dim,), the survivors' vectors added modulo 2^bits.
        survivors: their addresses, sorted.
        signatures: each survivor's signature over its `masked_input_message`; none where the plan is unsigned.
        masked_hashes: `input_hash` of each survivor's masked input, where it is signed.
        deposited_hash: 32 bytes; with the plan and a masked hash it gives the message that was signed.
        transcript: the encoded `SumTranscript`, where the server was asked to keep one.
    """

    sum: NDArray[np.uint64]
    survivors: tuple[bytes, ...]
    signatures: Mapping[bytes, bytes]
    masked_hashes: Mapping[bytes, bytes]
    deposited_hash: bytes
    transcript: bytes | None = None
