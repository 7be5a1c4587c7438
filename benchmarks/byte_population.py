"""What the comparison of bytes runs on: UCI HAR on many devices, and real secure aggregations to count."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fl_core.carrying import WireBytes, carry
from fl_core.cohorts import ReadyDevice, default_threshold
from fl_core.data import Encoder, Table, derive_schema, load_har, partition_within_groups, split
from fl_core.data.schema import Statistics
from fl_core.secagg import (
    CohortPlan,
    EpochIdentity,
    MemoryJournal,
    SecAggClient,
    SecAggServer,
    verify_advertisements,
)
from fl_core.signing import Domain, LocalSigner, LocalVerifier
from fl_core.tiers.messages import CohortCall

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
EDGES = 10
ROOT_SHARE = 0.02
TRAINING_SUBJECTS = 21
TUNING_SUBJECTS = 6  # of these, that settings are judged by
COHORT_MEMBERS = 25  # 100 devices at an edge make 4 cohorts of 24 or more
COHORT_SIZE, K_MIN = 24, 16
TUNING_SEED = 1_000
_TUNING_SHARE = 3  # one device of so many tunes


@dataclass(frozen=True, eq=False)
class Population:
    """Devices with their rows, public rows, and rows that nobody holds.

    Attributes:
        features: per device, float32 (n, 561), scaled by the public rows.
        labels: per device, int64 (n,).
        root: the public rows, which no device holds.
        test: rows of other subjects.
        stands_for: devices of the whole population that each one stands for.
        notes: what the loader says of the data.
    """

    features: list[Float32Array]
    labels: list[IntArray]
    root: tuple[Float32Array, IntArray]
    test: tuple[Float32Array, IntArray]
    stands_for: float
    notes: tuple[str, ...]


@lru_cache(maxsize=4)
def har_population(devices: int, seed: int, *, tuning: bool) -> Population:
    """UCI HAR's 21 training subjects on `devices` devices of 10 edges; the nine test subjects are the test.

    2% of the rows are taken out of the training rows beforehand: they are public, the features are scaled by them,
    and every method starts from the model that they give.

    Args:
        devices: of the whole population.
        seed: of who holds what, and of what is public.
        tuning: with the training subjects alone: six of them are the test, and a third of the devices takes part.

    Raises:
        DataError: the data are not there.
    """
    table, rng = _har(), np.random.default_rng(seed)
    stands_for = 1.0
    if tuning:
        table = training_subjects(table, rng)
    assert table.held_out is not None
    parts = split(table, hospitals=EDGES, rng=rng)
    training = np.concatenate(parts.train)
    root = np.sort(rng.choice(training, math.ceil(ROOT_SHARE * len(table)), replace=False))
    parts = replace(parts, train=(np.setdiff1d(training, root),))
    count = devices * (TRAINING_SUBJECTS - TUNING_SUBJECTS) // TRAINING_SUBJECTS if tuning else devices
    federation = partition_within_groups(table, parts, devices=count // EDGES, rng=rng)
    rows = [part for hospital in federation.devices for part in hospital]
    if tuning:
        rows = rows[::_TUNING_SHARE]
        stands_for = devices / len(rows)
    public = table.numeric[root]
    scaling = Statistics(np.full(public.shape[1], len(root)), public.mean(axis=0), public.std(axis=0))
    encoded = Encoder(derive_schema(table, federation.training_rows), scaling).encode(table)
    test = np.flatnonzero(table.held_out)
    return Population(
        [encoded[r] for r in rows],
        [table.labels[r] for r in rows],
        (encoded[root], table.labels[root]),
        (encoded[test], table.labels[test]),
        stands_for,
        table.notes,
    )


@lru_cache(maxsize=1)
def _har() -> Table:
    return load_har()


def training_subjects(table: Table, rng: np.random.Generator) -> Table:
    """The subjects that the source does not hold out, some of them held out in their stead."""
    assert table.held_out is not None
    assert table.groups is not None
    kept = np.flatnonzero(~table.held_out)
    present, groups = np.unique(table.groups[kept], return_inverse=True)
    judges = rng.permutation(len(present))[:TUNING_SUBJECTS]
    return replace(
        table,
        numeric=table.numeric[kept],
        categorical=table.categorical[kept],
        labels=table.labels[kept],
        groups=groups.astype(np.int64),
        group_names=tuple(table.group_names[group] for group in present),
        held_out=np.isin(groups, judges),
    )


def protocol_bytes(length: int, bits: int, members: int = COHORT_MEMBERS) -> tuple[int, int]:
    """What secure aggregation takes of one device of a cohort, up and down, beside the packed vector.

    One real run, its encoded messages counted; with the call that holds the ready list of 100 devices.
    """
    domain, signers = Domain.of_run("bytes"), [LocalSigner() for _ in range(members)]
    identities = [EpochIdentity.generate(signer, domain, 0) for signer in signers]
    roster = verify_advertisements([i.advertisement for i in identities], 0, domain, LocalVerifier())
    plan = CohortPlan(
        session=bytes(32),
        round=1,
        hospital=1,
        cohort=0,
        attempt=0,
        members=tuple(sorted(signer.address for signer in signers)),
        threshold=default_threshold(members, min(K_MIN, members)),
        bits=bits,
        dim=length,
    )
    clients = {}
    for signer, identity in zip(signers, identities, strict=True):
        identity.meet(roster)
        vector = np.zeros(length, dtype=np.uint64)
        clients[signer.address] = SecAggClient(
            identity, plan, roster, vector, MemoryJournal(), signer, domain
        )
    wire = WireBytes()
    carry(SecAggServer(plan, roster, LocalVerifier(), domain), clients, {}, wire, {})
    ready = tuple(ReadyDevice(bytes([n]) * 20, 0, 8, own_payee=False) for n in range(100))
    call = len(CohortCall(1, 1, bytes(32), bytes(32), ready, 0).encode())
    return wire.up // members - plan.packed_bytes, wire.down // members + call
