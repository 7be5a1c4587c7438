"""How long a round of a whole population takes: training, noise, real secure aggregation of every cohort, the model."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fl_core.cohorts import beacon_of_run
from fl_core.data import Encoder, Statistics, Table, derive_schema
from fl_core.engine import Hospital, InProcessEngine
from fl_core.models import ModelSpec
from fl_core.secagg import MemoryJournal
from fl_core.signing import Domain, LocalSigner, LocalVerifier
from fl_core.simulation.behaviours import Behaviour
from fl_core.simulation.faults import RandomFaults
from fl_core.spec import Profile
from fl_core.tiers import Cloud, Device, Edge, Records
from fl_core.training import LocalTraining
from fl_core.updates import CompressionSpec
from scripts.federation.update_terms import UpdateTerms, agree_on_spec

_FEATURES, _CLASSES, _HIDDEN = 561, 6, (128, 64)
_DELTA = 1e-5
_NO_DIGEST = "00" * 32


@dataclass(frozen=True)
class PopulationFigures:
    """Wall-clock seconds unless `cpu` is in the name; a round is everything from its plan to the next model.

    Attributes:
        devices: devices of all hospitals.
        hospitals: edges.
        rows: rows a device, one batch.
        parameters: of the model.
        fraction: share of the parameters that a device sends.
        cohort_size: aim of the draw.
        bits: ring width.
        epsilon: at release over the rounds, profile `hospital`.
        workers: processes that play hospitals.
        epoch_s: keys of an epoch: advertisements, rosters, agreement of each device with all others of its hospital.
        first_round_s: the first round, caches cold.
        s_per_round: median of the rounds after it.
        cpu_s: CPU seconds of all processes in such a round, median.
        cpu_ms_per_device: the same by device.
        wire_bytes_up: from devices in a round.
        wire_bytes_down: to devices in a round.
        peak_bytes: largest resident memory of one process: of all of them where there is one.
        failed_cohorts: cohorts that gave no sum, of all rounds.
        rounds: rounds that medians are of.
    """

    devices: int
    hospitals: int
    rows: int
    parameters: int
    fraction: float
    cohort_size: int
    bits: int
    epsilon: float
    workers: int
    epoch_s: float
    first_round_s: float
    s_per_round: float
    cpu_s: float
    cpu_ms_per_device: float
    wire_bytes_up: int
    wire_bytes_down: int
    peak_bytes: int
    failed_cohorts: int
    rounds: int

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def measure_population(
    *,
    devices: int = 1000,
    hospitals: int = 10,
    rows: int = 8,
    fraction: float = 0.1,
    cohort_size: int = 24,
    k_min: int = 16,
    epsilon: float = 8.0,
    workers: int = 2,
    rounds: int = 3,
    progress: Callable[[int], None] = lambda _: None,
) -> PopulationFigures:
    """Run rounds of a population on made-up rows.

    Args:
        devices: devices of all hospitals.
        hospitals: edges; the devices are shared out evenly.
        rows: rows a device.
        fraction: share of the parameters that a device sends.
        cohort_size: aim of the draw.
        k_min: fewest devices whose sum may be seen.
        epsilon: at release, over the rounds run.
        workers: processes that play hospitals.
        rounds: rounds to take the median of; one more comes first.
        progress: called with the number of devices done.
    """
    each = devices // hospitals
    terms = UpdateTerms(
        profile=Profile.HOSPITAL,
        hospitals=hospitals,
        devices=each * hospitals,
        rounds=rounds + 1,
        cohort_size=cohort_size,
        k_min=k_min,
        epsilon=epsilon,
        delta=_DELTA,
        clip_norm=None,
        compression=CompressionSpec(fraction, 0.5),
        bits=None,
    )
    spec = agree_on_spec(
        terms,
        ModelSpec("mlp", _FEATURES, _CLASSES, _HIDDEN),
        LocalTraining(epochs=1, batch_size=rows, learning_rate=0.05),
        reference_rows=rows,
        schema_digest=_NO_DIGEST,
        scoring_digest=_NO_DIGEST,
    )
    engine = InProcessEngine(
        _hospitals(hospitals, each, rows), RandomFaults(0.0, 0), progress=progress, workers=workers
    )
    begin = time.perf_counter()
    engine.begin_epoch(0)
    epoch_s = time.perf_counter() - begin
    cloud, wall, cpu, failed, up, down = Cloud(spec, seed=0), [], [], 0, 0, 0
    for number in range(1, rounds + 2):
        begin, begin_cpu = time.perf_counter(), _cpu_s()
        plan, beacon = cloud.plan(), beacon_of_run(0, number)
        outcome = engine.run_round(plan, engine.ready_lists(number), beacon)
        cloud.combine(plan, outcome.releases, beacon)
        wall.append(time.perf_counter() - begin)
        cpu.append(_cpu_s() - begin_cpu)
        failed += sum(cohort.failure is not None for cohort in outcome.cohorts)
        up, down = outcome.wire.up, outcome.wire.down
    cpu_s = statistics.median(cpu[1:])
    return PopulationFigures(
        devices=each * hospitals,
        hospitals=hospitals,
        rows=rows,
        parameters=spec.dim,
        fraction=fraction,
        cohort_size=cohort_size,
        bits=spec.bits,
        epsilon=epsilon,
        workers=workers,
        epoch_s=epoch_s,
        first_round_s=wall[0],
        s_per_round=statistics.median(wall[1:]),
        cpu_s=cpu_s,
        cpu_ms_per_device=1e3 * cpu_s / (each * hospitals),
        wire_bytes_up=up,
        wire_bytes_down=down,
        peak_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        failed_cohorts=failed,
        rounds=rounds,
    )


def _cpu_s() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _hospitals(count: int, devices: int, rows: int) -> list[Hospital]:
    """Hospitals whose devices hold made-up rows."""
    table = _table(count * devices * rows)
    schema = derive_schema(table, np.arange(rows))
    encoder = Encoder(schema, Statistics.unscaled(schema))
    domain, verifier, session = Domain.of_run("population"), LocalVerifier(), bytes(32)
    hospitals = []
    for h in range(1, count + 1):
        members = []
        for index in range(devices):
            start = ((h - 1) * devices + index) * rows
            device = Device(
                accounts=_one_account(),
                verifier=verifier,
                domain=domain,
                records=Records(table, np.arange(start, start + rows)),
                device_class=0,
                declared_rows=rows,
                own_payee=False,
                behaviour=Behaviour.HONEST,
                journal=MemoryJournal(),
                seed=(0, h, index),
            )
            device.fit(encoder)
            members.append(device)
        edge = Edge(
            hospital=h,
            session=session,
            verifier=verifier,
            domain=domain,
            account=LocalSigner(),
            journal=MemoryJournal(),
        )
        hospitals.append(Hospital(edge, tuple(members)))
    return hospitals


def _one_account() -> Callable[[int], LocalSigner]:
    account = LocalSigner()
    return lambda _epoch: account


def _table(rows: int) -> Table:
    rng = np.random.default_rng(0)
    return Table(
        name="made-up",
        source="a generator",
        numeric_names=tuple(f"x{column}" for column in range(_FEATURES)),
        numeric=rng.normal(size=(rows, _FEATURES)),
        categorical_names=(),
        categorical=np.empty((rows, 0), dtype=object),
        labels=rng.integers(0, _CLASSES, rows),
        class_names=tuple("abcdef"),
    )
