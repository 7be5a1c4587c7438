"""What every decoder of bytes from outside promises, one target each: its own error or the value, and one encoding.

A target takes any bytes. It returns True where the decoder accepted, False where it refused with an error of the
`FlError` family; anything else that happens is a finding.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fl_core.bundle import MANIFEST, bundle_manifest, read_bundle
from fl_core.canonical import canonical_json, parse_json
from fl_core.cohorts import ReadyDevice
from fl_core.errors import FlError
from fl_core.round_plan import RoundPlan
from fl_core.secagg import (
    Advertisement,
    CohortPlan,
    EpochIdentity,
    FileJournal,
    MemoryJournal,
    NeighbourGraph,
    OpeningClaim,
    Roster,
    seal,
)
from fl_core.secagg import messages as wire
from fl_core.secagg.packing import pack, packed_bytes, unpack
from fl_core.secagg.sealed import open_sealed
from fl_core.signing import Domain, LocalSigner
from fl_core.tiers.messages import CohortCall

sys.path.append(str(Path(__file__).parents[1] / "fl_core"))
from small_run import spec_of

PLAN = CohortPlan(bytes(32), 1, 1, 0, 0, tuple(bytes([i]) * 20 for i in range(11)), 8, 20, 5)
GRAPH_PLAN = replace(
    PLAN,
    dim=130,
    threshold=5,
    graph=NeighbourGraph(4, 8, corrupted=0, seed=bytes(32)),
    block_entries=64,
)
EVERYONE = tuple(range(PLAN.size))
SESSION, ATTEMPT = bytes(range(32)), bytes(32)
DOMAIN = Domain.of_run("fuzz")
_LARGE_WHOLE_NUMBER = re.compile(rb"\d{16}")


@dataclass(frozen=True)
class Target:
    """A decoder: `accepts` says whether it took the bytes; `seeds` are bytes that reach far into it."""

    accepts: Callable[[bytes], bool]
    seeds: Callable[[], list[bytes]]


def refused_or(decode: Callable[[bytes], bytes]) -> Callable[[bytes], bool]:
    """Accepted bytes must be what their value is encoded as."""

    def accepts(data: bytes) -> bool:
        try:
            again = decode(data)
        except FlError:
            return False
        assert again == data, "accepted bytes that are not the encoding of their value"
        return True

    return accepts


_MESSAGES: dict[wire.Kind, Callable[[bytes, CohortPlan, int], bytes]] = {
    wire.Kind.NONCE: lambda m, plan, _: wire.Nonce.decode(m, plan).encode(plan),
    wire.Kind.NONCES: lambda m, plan, _: wire.Nonces.decode(m, plan).encode(plan),
    wire.Kind.DEPOSIT: lambda m, plan, peers: wire.Deposit.decode(m, plan, peers).encode(plan),
    wire.Kind.SHARES: lambda m, plan, own: wire.Shares.decode(m, plan, EVERYONE, own).encode(plan, EVERYONE),
    wire.Kind.MASKED_INPUT: lambda m, plan, peers: wire.MaskedInput.decode(m, plan, peers).encode(plan),
    wire.Kind.SURVIVORS: lambda m, plan, own: wire.Survivors.decode(m, plan, EVERYONE, own).encode(
        plan, EVERYONE
    ),
    wire.Kind.AGREEMENT: lambda m, plan, peers: wire.Agreement.decode(m, plan, peers).encode(plan),
    wire.Kind.AGREEMENTS: lambda m, plan, own: wire.Agreements.decode(m, plan, EVERYONE, own).encode(
        plan, EVERYONE
    ),
    wire.Kind.OPENINGS: lambda m, plan, holders: wire.Openings.decode(m, plan, holders).encode(plan),
    wire.Kind.NONCE_PATH: lambda m, plan, own: wire.NoncePath.decode(m, plan, own).encode(plan),
    wire.Kind.MASKED_BLOCK: lambda m, plan, block: wire.MaskedBlock.decode(
        m, plan, block % plan.blocks
    ).encode(plan),
}


def secagg_message(data: bytes) -> bool:
    """Kind, plan (1: a graph in blocks; 2: as it is, else with a good header before it) and peers; then the message."""
    if len(data) < 3:
        return False
    kind = list(_MESSAGES)[data[0] % len(_MESSAGES)]
    plan, peers = (PLAN, GRAPH_PLAN)[data[1] & 1], data[2] % PLAN.size
    body = data[3:] if data[1] & 2 else wire.header(kind, plan) + data[3:]
    return refused_or(lambda message: _MESSAGES[kind](message, plan, peers))(body)


def secagg_message_seeds() -> list[bytes]:
    """Of each kind one of its right length."""
    peers = 3
    bodies = {
        wire.Kind.NONCE: bytes(16),
        wire.Kind.NONCES: b"\x07\x00" + bytes(48),
        wire.Kind.DEPOSIT: bytes(16 + peers * (16 + 80 + 32)),
        wire.Kind.SHARES: b"\x0f\x00" + bytes(3 * 80),
        wire.Kind.MASKED_INPUT: bytes(PLAN.packed_bytes) + bytes(16 * peers) + b"\x00\x02ab",
        wire.Kind.SURVIVORS: b"\xff\x07",
        wire.Kind.AGREEMENT: bytes(16 * peers),
        wire.Kind.AGREEMENTS: b"\x0f\x00" + bytes(3 * 16),
        wire.Kind.OPENINGS: bytes(32 * peers),
        wire.Kind.NONCE_PATH: b"\x0f\x00" + bytes(2 * 32),
    }
    kinds = list(_MESSAGES)
    seeds = [bytes([kinds.index(kind), 0, peers]) + body for kind, body in bodies.items()]
    return [*seeds, bytes([kinds.index(wire.Kind.MASKED_BLOCK), 1, 0]) + bytes(64 * 20 // 8 + 4)]


def advertisement_seeds() -> list[bytes]:
    """A real one."""
    return [EpochIdentity.generate(LocalSigner(), DOMAIN, 1).advertisement.encode()]


def round_plan(data: bytes) -> bool:
    """Bytes as they are, and as a spec for which header and model are made to fit."""
    decode = refused_or(lambda message: RoundPlan.decode(message).encode())
    accepted = decode(data)
    spec, _, model = data.partition(b"\n")
    model = model[: len(model) // 4 * 4]
    header = struct.pack(">4sQII", b"FRP1", 7, len(spec), len(model) // 4)
    return decode(header + spec + model) or accepted


def round_plan_seeds() -> list[bytes]:
    """A real plan, and its spec and model on their own."""
    spec = spec_of(4)
    model = np.linspace(-1, 1, spec.dim, dtype=np.float32)
    body = canonical_json(spec.to_json())
    return [RoundPlan(7, spec, model).encode(), body + b"\n" + model.tobytes()]


def cohort_call_seeds() -> list[bytes]:
    """A call to a cohort of three."""
    ready = tuple(ReadyDevice(bytes([i]) * 20, 0, 6, bool(i % 2)) for i in range(3))
    return [CohortCall(1, 1, SESSION, bytes(32), ready, 0, 2).encode()]


def json_value(data: bytes) -> bool:
    """What was read and can be encoded reads back as the same value, and encodes as the same bytes.

    Except whole numbers of 2^53 and more: as floats they have an encoding, which reads back as integers that have none.
    """
    try:
        value = parse_json(data)
        encoded = canonical_json(value)
    except FlError:
        return False
    again = parse_json(encoded)
    assert again == value
    if not _LARGE_WHOLE_NUMBER.search(encoded):
        assert canonical_json(again) == encoded
    return True


def json_seeds() -> list[bytes]:
    """Every kind of value, and numbers at the edge of what is exact."""
    return [
        b'{"a":[1,2.5,null,true,"\\u00e9\\n"],"b":{"c":-0.0}}',
        b"[9007199254740991,-9007199254740991,1e17,1e21,5e-324]",
        b"[" * 60 + b"]" * 60,
        '{"€":1,"\U0001f600":2}'.encode(),
    ]


@cache
def scratch() -> Path:
    """A folder whose files are overwritten by every run."""
    return Path(tempfile.mkdtemp(prefix="fuzz"))


def bundle(data: bytes) -> bool:
    """First line: the manifest. The rest: the content of file `a`. An empty manifest is replaced by one that fits."""
    folder = scratch() / "bundle"
    folder.mkdir(exist_ok=True)
    manifest, _, content = data.partition(b"\n")
    files = {"a": content}
    (folder / "a").write_bytes(content)
    (folder / MANIFEST).write_bytes(manifest or bundle_manifest(files))
    try:
        found = read_bundle(folder)
    except FlError:
        return False
    assert found == files
    assert bundle_manifest(found) == (folder / MANIFEST).read_bytes(), "one bundle, two digests"
    return True


def bundle_seeds() -> list[bytes]:
    """A bundle of one file, and manifests that are nearly its own."""
    good = bundle_manifest({"a": b"content"})
    return [good + b"\ncontent", b"\ncontent", good.replace(b":", b": ") + b"\ncontent", b"{}\n"]


def packed_vector(data: bytes) -> bool:
    """Two bytes choose width and length, the rest is unpacked; what was accepted packs to itself."""
    if len(data) < 2:
        return False
    bits, dim = 8 + data[0] % 57, 1 + data[1]
    body = data[2:]
    exact = refused_or(lambda packed: pack(unpack(packed, dim, bits), bits))
    return exact(body.ljust(packed_bytes(dim, bits), b"\0")[: packed_bytes(dim, bits)]) | exact(body)


def packed_seeds() -> list[bytes]:
    """Widths on both sides of a machine word."""
    return [
        bytes([bits - 8, dim - 1]) + b"\x5a" * packed_bytes(dim, bits)
        for bits, dim in ((8, 3), (20, 65), (64, 2))
    ]


def _records(bodies: list[bytes]) -> bytes:
    data = chain = b"FedIoMT.Journal\x01"
    for body in bodies:
        chain = hashlib.sha256(chain + body).digest()[:16]
        data += len(body).to_bytes(2, "big") + (len(body) ^ 0xFFFF).to_bytes(2, "big") + body + chain
    return data


def journal_file(data: bytes) -> bool:
    """Bytes as a file, and lines as the bodies of records whose heads and chain are made to fit.

    A journal that opens holds whole records only, opens again as it is, takes another claim and shows it.
    """
    accepted = False
    for content in (data, _records([line[:60000] for line in data.split(b"\n\n")])):
        path = scratch() / "journal"
        path.write_bytes(content)
        try:
            with FileJournal(path) as journal:
                last = journal.last_round(SESSION)
        except FlError:
            assert path.read_bytes() == content, "a journal that was refused is left as it was"
            continue
        kept = path.read_bytes()
        assert content.startswith(kept) or kept == _records([])
        later = 0 if last is None else last + 1
        if later < 1 << 64:
            with FileJournal(path) as journal:
                assert journal.last_round(SESSION) == last
                journal.claim_round(SESSION, later, ATTEMPT)
            with FileJournal(path) as journal:
                assert journal.last_round(SESSION) == later
        accepted = True
    return accepted


def journal_seeds() -> list[bytes]:
    """A journal of two claims, and their bodies on their own."""
    path = scratch() / "seed"
    path.unlink(missing_ok=True)
    with FileJournal(path) as journal:
        journal.claim_round(SESSION, 5, ATTEMPT)
        journal.claim_openings(OpeningClaim(SESSION, 5, ATTEMPT, b"\x07", b"\x08"))
    fixed = SESSION + (5).to_bytes(8, "big") + ATTEMPT
    bodies = (b"\x01" + fixed, b"\x02" + fixed + b"\x00\x01\x07\x00\x01\x08")
    return [path.read_bytes(), b"\n\n".join(bodies)]


def memory_journal(data: bytes) -> bytes:
    """An image of a journal, read and written again."""
    journal = MemoryJournal()
    journal.restore(data)
    return journal.to_bytes()


def memory_journal_seeds() -> list[bytes]:
    """Claims of two sessions, then in the wrong order, repeated, and with a flag that is neither 0 nor 1."""
    journal = MemoryJournal()
    journal.claim_round(SESSION, 5, ATTEMPT)
    journal.claim_openings(OpeningClaim(SESSION, 5, ATTEMPT, b"\x07", b"\x08"))
    journal.claim_round(bytes(32), 1, ATTEMPT)
    good = journal.to_bytes()
    first, second = good[: len(good) // 2], good[len(good) // 2 :]
    return [good, second + first, second + second, good[:-1] + b"\x02"]


def identity_seeds() -> list[bytes]:
    """Keys that have met nobody, and keys that have met a peer and used it."""
    alone, device, peer = (EpochIdentity.generate(LocalSigner(), DOMAIN, 1) for _ in range(3))
    device.meet(Roster(1, (device.advertisement, peer.advertisement)))
    met = device.to_bytes()
    device.pair_keys(300, [peer.address])
    return [alone.to_bytes(), met, device.to_bytes()]


CHANNEL = X25519PrivateKey.from_private_bytes(bytes(range(32)))


def sealed_box(data: bytes) -> bool:
    """A box opens to what was sealed, or does not open."""
    try:
        return open_sealed(CHANNEL, data, b"context") == b"receipt"
    except FlError:
        return False


def sealed_seeds() -> list[bytes]:
    """A box that opens."""
    return [seal(CHANNEL.public_key().public_bytes_raw(), b"receipt", b"context")]


TARGETS: dict[str, Target] = {
    "secagg_message": Target(secagg_message, secagg_message_seeds),
    "advertisement": Target(
        refused_or(lambda data: Advertisement.decode(data).encode()), advertisement_seeds
    ),
    "round_plan": Target(round_plan, round_plan_seeds),
    "cohort_call": Target(refused_or(lambda data: CohortCall.decode(data).encode()), cohort_call_seeds),
    "json": Target(json_value, json_seeds),
    "bundle": Target(bundle, bundle_seeds),
    "packed_vector": Target(packed_vector, packed_seeds),
    "journal_file": Target(journal_file, journal_seeds),
    "memory_journal": Target(refused_or(memory_journal), memory_journal_seeds),
    "identity": Target(
        refused_or(lambda data: EpochIdentity.from_bytes(data, DOMAIN).to_bytes()), identity_seeds
    ),
    "sealed_box": Target(sealed_box, sealed_seeds),
}


def sweep() -> None:
    """Remove the scratch folder."""
    if scratch.cache_info().currsize:
        shutil.rmtree(scratch(), ignore_errors=True)
        scratch.cache_clear()


def without_sync() -> None:
    """Journals in this process are not synchronised to disk: what is tried here is what they accept, not the disk."""
    os.fsync = lambda _file: None
