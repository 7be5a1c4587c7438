"""What the comparison of bytes runs on: UCI HAR on many devices, and one real secure aggregation to count."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fl_core.carrying import WireBytes, carry
from fl_core.cohorts import ReadyDevice
from fl_core.data import Encoder, derive_schema, load_har, partition_within_groups, split
from fl_core.data.schema import Statistics
from fl_core.secagg import (
    CohortPlan,
    EpochIdentity,
    MemoryJournal,
    SecAggClient,
    SecAggServer,
    verify_advertisements,
)
from fl_core.secagg.plan import minimum_threshold
from fl_core.signing import Domain, LocalSigner, LocalVerifier
from fl_core.tiers.messages import CohortCall

Float32Array = NDArray[np.float32]
EDGES = 10
COHORT_MEMBERS = 25  # 100 devices at an edge make 4 cohorts of 24 or more
K_MIN = 16


@dataclass(frozen=True, eq=False)
class Population:
    """Devices with their rows, and the test rows."""

    features: list[Float32Array]
    labels: list[NDArray[np.int64]]
    test_features: Float32Array
    test_labels: NDArray[np.int64]

    def every(self, step: int) -> Population:
        """One device of each `step`."""
        return replace(self, features=self.features[::step], labels=self.labels[::step])


def har_population(devices: int, seed: int) -> Population:
    """UCI HAR's training subjects on `devices` devices of 10 edges; the nine test subjects are the test.

    Raises:
        DataError: the data are not there.
    """
    table, rng = load_har(), np.random.default_rng(seed)
    parts = split(table, hospitals=EDGES, rng=rng)
    federation = partition_within_groups(table, parts, devices=devices // EDGES, rng=rng)
    training = federation.training_rows
    values = table.numeric[training]
    statistics = Statistics(np.full(values.shape[1], len(values)), values.mean(axis=0), values.std(axis=0))
    encoded = Encoder(derive_schema(table, training), statistics).encode(table)
    rows = [part for hospital in federation.devices for part in hospital]
    assert table.held_out is not None
    test = np.flatnonzero(table.held_out)
    return Population(
        [encoded[r] for r in rows], [table.labels[r] for r in rows], encoded[test], table.labels[test]
    )


def protocol_bytes(length: int, bits: int) -> tuple[int, int]:
    """What secure aggregation takes of one device of a cohort of 25, up and down, beside the packed vector.

    One real run, its encoded messages counted; with the call that holds the ready list of 100 devices.
    """
    domain, members = Domain.of_run("bytes"), [LocalSigner() for _ in range(COHORT_MEMBERS)]
    identities = [EpochIdentity.generate(signer, domain, 0) for signer in members]
    roster = verify_advertisements([i.advertisement for i in identities], 0, domain, LocalVerifier())
    plan = CohortPlan(
        session=bytes(32),
        round=1,
        hospital=1,
        cohort=0,
        attempt=0,
        members=tuple(sorted(signer.address for signer in members)),
        threshold=max(minimum_threshold(COHORT_MEMBERS), K_MIN),
        bits=bits,
        dim=length,
    )
    clients = {}
    for signer, identity in zip(members, identities, strict=True):
        identity.meet(roster)
        vector = np.zeros(length, dtype=np.uint64)
        clients[signer.address] = SecAggClient(
            identity, plan, roster, vector, MemoryJournal(), signer, domain
        )
    wire = WireBytes()
    carry(SecAggServer(plan, roster, LocalVerifier(), domain), clients, {}, wire, {})
    ready = tuple(ReadyDevice(bytes([n]) * 20, 0, 8, own_payee=False) for n in range(100))
    call = len(CohortCall(1, 1, bytes(32), bytes(32), ready, 0).encode())
    return wire.up // COHORT_MEMBERS - plan.packed_bytes, wire.down // COHORT_MEMBERS + call
