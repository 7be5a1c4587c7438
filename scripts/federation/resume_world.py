"""What a run's checkpoint holds of the simulated world, and the world from it: cloud, hospitals, devices, scaling."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from fl_core.canonical import canonical_json
from fl_core.checkpoint import CheckpointError, Snapshot
from fl_core.data import Encoder, Table
from fl_core.engine import Hospital, InProcessEngine
from fl_core.statistics import Statistics
from scripts.federation.population import Population

_WORDS = {"source", "notes"}  # fields of a table that nothing is computed from


def snapshot_of(population: Population) -> Snapshot:
    """Hospitals, devices and the agreed scaling of a population between two rounds.

    Raises:
        CheckpointError: its scaling has not been agreed on yet.
    """
    if population.encoder is None:
        raise CheckpointError("a run can be kept from its scaling statistics on, not before")
    statistics, wire = population.encoder.statistics, population.setup_wire
    return Snapshot(
        values={"setup_wire": [wire.up, wire.down]},
        arrays={"count": statistics.count, "mean": statistics.mean, "std": statistics.std},
        parts={f"hospital-{hospital.id}": _hospital(hospital) for hospital in population.hospitals},
    )


def restore(population: Population, snapshot: Snapshot, *, dim: int) -> None:
    """Set a population that was built from the same settings to where a snapshot was taken.

    Args:
        population: nothing has happened to it yet.
        snapshot: what `snapshot_of` gave.
        dim: number of the model's parameters.

    Raises:
        CheckpointError: the snapshot is of another population.
        FlError: keys or signatures in it are bad.
    """
    columns = (len(population.schema.numeric),)
    statistics = Statistics(
        count=snapshot.array("count", np.int64, columns),
        mean=snapshot.array("mean", np.float64, columns),
        std=snapshot.array("std", np.float64, columns),
    )
    engine = population.engine
    for hospital in engine.hospitals:
        part = snapshot.part(f"hospital-{hospital.id}")
        roster = hospital.edge.restore(part.part("edge"))
        if len(part.parts) != len(hospital.devices) + 1:
            raise CheckpointError(f"the checkpoint holds other devices of hospital {hospital.id}")
        for index, device in enumerate(hospital.devices):
            device.restore(part.part(f"device-{index}"), roster, dim=dim)
    _rejoin(engine)
    known = population.encoder
    if known is None:
        population.encoder = Encoder(population.schema, statistics)
    elif not _same(known.statistics, statistics):
        raise CheckpointError("the public ranges that the run scales its data by have changed since")
    population.agree_on_scaling(0)  # nothing is summed again: the encoder is there
    population.setup_wire.up, population.setup_wire.down = map(int, snapshot.value("setup_wire"))


def data_digest(table: Table) -> str:
    """SHA-256 (hex) over a table's columns, labels, groups and sites: whether a run's data are still the same."""
    digest = hashlib.sha256()
    for field in fields(table):
        value = getattr(table, field.name)
        if field.name in _WORDS:
            continue
        if isinstance(value, np.ndarray) and value.dtype != np.object_:
            what, content = [field.name, str(value.dtype), list(value.shape)], value.tobytes()
        else:
            what = [field.name]
            content = canonical_json(value.tolist() if isinstance(value, np.ndarray) else value)
        digest.update(canonical_json([*what, len(content)]) + content)
    return digest.hexdigest()


def _same(one: Statistics, other: Statistics) -> bool:
    return np.array_equal(one.mean, other.mean) and np.array_equal(one.std, other.std)


def _hospital(hospital: Hospital) -> Snapshot:
    devices = {f"device-{index}": device.snapshot() for index, device in enumerate(hospital.devices)}
    return Snapshot(parts={"edge": hospital.edge.snapshot(), **devices})


def _rejoin(engine: InProcessEngine) -> None:
    """The hospitals know each other's keys again, and the cloud theirs."""
    advertisements = [hospital.edge.keys.advertisement for hospital in engine.hospitals]
    for hospital in engine.hospitals:
        hospital.edge.rejoin(advertisements)
    engine.joint = engine.hospitals[0].edge.joint_server(advertisements)
