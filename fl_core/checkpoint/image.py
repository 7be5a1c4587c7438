"""A checkpoint as bytes: one line to read, three sections, and a SHA-256 over all of it.

Sections: the snapshot's values as canonical JSON (RFC 8785), its arrays as safetensors, its secrets as names and bytes.
The first two are the same for equal states, byte for byte.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from fl_core.canonical import canonical_json, parse_json, sha256
from fl_core.checkpoint.errors import CheckpointError
from fl_core.checkpoint.snapshot import Snapshot
from fl_core.errors import SpecError

FIRST_LINE = (
    b"FedIoMT checkpoint 1 of a SIMULATION: holds the secret keys of its devices, keep it to yourself\n"
)
_HASH_BYTES = 32
_LENGTHS = struct.Struct(">QQQ")
_SECRET = struct.Struct(">HQ")


@dataclass(frozen=True)
class Checkpoint:
    """A run between two rounds.

    Attributes:
        run: the run's id.
        rounds_done: number of the last round done.
        state: everything that the run holds.
    """

    run: str
    rounds_done: int
    state: Snapshot


def state_digest(state: Snapshot) -> bytes:
    """SHA-256 over values and arrays, without the secrets: equal states have equal digests, 32 bytes."""
    return sha256(canonical_json(_values(state)) + save_tensors(dict(_arrays(state))))


def encode(checkpoint: Checkpoint) -> list[bytes]:
    """The pieces of a checkpoint's file, in order.

    Raises:
        CheckpointError: a name or value that cannot be written.
    """
    state = checkpoint.state
    try:
        values = canonical_json(
            {"run": checkpoint.run, "rounds_done": checkpoint.rounds_done, "state": _values(state)}
        )
    except SpecError as error:
        raise CheckpointError(f"the checkpoint cannot be written down: {error}") from error
    arrays = save_tensors(dict(_arrays(state)))
    secrets = b"".join(
        part
        for name, data in _secrets(state)
        for part in (_SECRET.pack(len(name), len(data)), name.encode(), data)
    )
    pieces = [FIRST_LINE, _LENGTHS.pack(len(values), len(arrays), len(secrets)), values, arrays, secrets]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return [*pieces, digest.digest()]


def decode(data: bytes) -> Checkpoint:
    """Read a checkpoint's file.

    Raises:
        CheckpointError: of another version, torn, altered or malformed.
    """
    view, start = memoryview(data), len(FIRST_LINE)
    if not data.startswith(FIRST_LINE):
        raise CheckpointError("no checkpoint that this version reads")
    if len(data) < start + _LENGTHS.size + _HASH_BYTES:
        raise CheckpointError("the file ends early: its writer was interrupted or the disk lost its end")
    lengths = _LENGTHS.unpack_from(data, start)
    if start + _LENGTHS.size + sum(lengths) + _HASH_BYTES != len(data):
        raise CheckpointError("the file ends early: its writer was interrupted or the disk lost its end")
    if hashlib.sha256(view[:-_HASH_BYTES]).digest() != data[-_HASH_BYTES:]:
        raise CheckpointError("the file was altered: its SHA-256 is not the one that it carries")
    sections, start = [], start + _LENGTHS.size
    for length in lengths:
        sections.append(bytes(view[start : start + length]))
        start += length
    try:
        head = parse_json(sections[0])
        state = _tree(head["state"], load_tensors(sections[1]), dict(_read_secrets(sections[2])))
        return Checkpoint(run=str(head["run"]), rounds_done=int(head["rounds_done"]), state=state)
    except (SpecError, SafetensorError, LookupError, TypeError, ValueError, struct.error) as error:
        raise CheckpointError(f"the checkpoint is malformed: {error}") from error


def _values(state: Snapshot) -> dict[str, Any]:
    return {
        "values": dict(state.values),
        "parts": {name: _values(part) for name, part in state.parts.items()},
    }


def _arrays(state: Snapshot, path: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    for name, array in state.arrays.items():
        yield path + _plain(name), np.ascontiguousarray(array)
    for name, part in state.parts.items():
        yield from _arrays(part, f"{path}{_plain(name)}/")


def _secrets(state: Snapshot, path: str = "") -> Iterator[tuple[str, bytes]]:
    for name, data in state.secrets.items():
        yield path + _plain(name), data
    for name, part in state.parts.items():
        yield from _secrets(part, f"{path}{_plain(name)}/")


def _plain(name: str) -> str:
    if "/" in name or not name.isascii():
        raise CheckpointError(f"name {name!r} in a checkpoint: use ASCII without a slash")
    return name


def _read_secrets(data: bytes) -> Iterator[tuple[str, bytes]]:
    start = 0
    while start < len(data):
        name_length, length = _SECRET.unpack_from(data, start)
        name_end = start + _SECRET.size + name_length
        if name_end + length > len(data):
            raise ValueError("secrets end early")
        yield data[start + _SECRET.size : name_end].decode("ascii"), data[name_end : name_end + length]
        start = name_end + length


def _tree(
    value: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], secrets: Mapping[str, bytes]
) -> Snapshot:
    """The snapshot of nested values, with what is filed under each part's path."""
    filed: dict[tuple[str, ...], tuple[dict[str, NDArray[Any]], dict[str, bytes]]] = {}
    for name, array in arrays.items():
        *path, last = name.split("/")
        filed.setdefault(tuple(path), ({}, {}))[0][last] = array
    for name, secret in secrets.items():
        *path, last = name.split("/")
        filed.setdefault(tuple(path), ({}, {}))[1][last] = secret

    def build(node: Mapping[str, Any], path: Sequence[str]) -> Snapshot:
        own_arrays, own_secrets = filed.pop(tuple(path), ({}, {}))
        parts = {name: build(part, (*path, name)) for name, part in node["parts"].items()}
        return Snapshot(values=node["values"], arrays=own_arrays, secrets=own_secrets, parts=parts)

    tree = build(value, ())
    if filed:
        raise ValueError(f"arrays or secrets of {len(filed)} parts that are not there")
    return tree
