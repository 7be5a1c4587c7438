"""A snapshot: what a part of a run holds between two rounds, as a tree of plain values, arrays and secrets.

Each stateful part (cloud, edge, device, coordinator) says what it holds by `snapshot()` and takes it back by
`restore()`; a checkpoint is the tree of these. What is secret stays apart from what is not, so that the digest of a
snapshot names the state that equal runs share, whatever keys they drew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fl_core.checkpoint.errors import CheckpointError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What one part of a run holds between two rounds.

    Attributes:
        values: JSON values by name; nothing secret.
        arrays: arrays by name; nothing secret.
        secrets: bytes by name: keys, and what depends on them. Never shown, never in a bundle or a report.
        parts: the snapshots of its parts by name. No name has a slash.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    parts: Mapping[str, Snapshot] = field(default_factory=dict)

    def value(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """A value by name.

        Raises:
            CheckpointError: there is none of that name.
        """
        return _get(self.values, name, "value")

    def array(self, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
        """A writable copy of an array by name.

        Raises:
            CheckpointError: there is none of that name, type and shape.
        """
        found = _get(self.arrays, name, "array")
        if found.dtype != np.dtype(dtype) or found.shape != shape:
            raise CheckpointError(
                f"array {name} of the checkpoint is {found.dtype} {found.shape}, "
                f"not {np.dtype(dtype)} {shape}: it belongs to another run"
            )
        return np.array(found)

    def secret(self, name: str) -> bytes:
        """A secret by name.

        Raises:
            CheckpointError: there is none of that name.
        """
        return _get(self.secrets, name, "secret")

    def part(self, name: str) -> Snapshot:
        """The snapshot of a part.

        Raises:
            CheckpointError: there is no part of that name.
        """
        return _get(self.parts, name, "part")


def _get(found: Mapping[str, T], name: str, kind: str) -> T:
    try:
        return found[name]
    except KeyError:
        raise CheckpointError(
            f"the checkpoint has no {kind} {name!r}: it belongs to another version"
        ) from None
