"""One encoding for what is hashed: canonical JSON (RFC 8785) and SHA-256."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from fl_core.errors import SpecError


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Encode a JSON value canonically (RFC 8785): equal values give equal bytes.

    Raises:
        SpecError: the value has something JSON cannot hold exactly (NaN, integers beyond 2^53, bytes).
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise SpecError(
            f"not canonical JSON: {error}; use strings for bytes and for large integers"
        ) from error


def sha256(data: bytes) -> bytes:
    """SHA-256 of `data`, 32 bytes."""
    return hashlib.sha256(data).digest()


def digest_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """SHA-256 of the canonical JSON of `value`, 32 bytes."""
    return sha256(canonical_json(value))
