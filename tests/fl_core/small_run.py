"""Two hospitals with a handful of devices on made-up rows: everything real, everything small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from fl_core.canonical import sha256
from fl_core.cohorts import beacon_of_run
from fl_core.data import Encoder, Table, derive_schema
from fl_core.engine import Hospital, InProcessEngine
from fl_core.models import ModelSpec
from fl_core.privacy import NoiseSource
from fl_core.round_plan import RoundPlan
from fl_core.secagg import MemoryJournal
from fl_core.signing import Domain, LocalSigner, LocalVerifier
from fl_core.simulation.behaviours import Behaviour
from fl_core.simulation.faults import Death
from fl_core.spec import RoundSpec
from fl_core.tiers import Called, CalledCohort, Cloud, Device, Edge, PublicDraw, Records, ValidationRows
from fl_core.tiers.forging_device import ForgingDevice
from fl_core.training import LocalTraining
from fl_core.updates.ring import Ring

DOMAIN = Domain.of_run("small run")
SESSION = bytes(range(32))
SEED = 5
MAX_ROWS = 1 << 16


@dataclass(frozen=True)
class Schedule:
    """Who dies when: by (round, hospital, index)."""

    deaths: Mapping[tuple[int, int, int], Death] = field(default_factory=dict)

    def death(self, round_number, hospital, index):
        return self.deaths.get((round_number, hospital, index), Death.NEVER)


def table_of(rows, seed=SEED):
    """Rows of two classes that a line separates, more or less; columns of different means and spreads, some missing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    plain = rng.normal(size=(rows, 4)) + labels[:, None] * np.array([1.5, -1.0, 0.5, 0.0])
    numeric = plain * np.array([1.0, 30.0, 0.01, 5.0]) + np.array([0.0, 1000.0, -0.5, 3.0])
    numeric[rng.random(numeric.shape) < 0.05] = np.nan
    return Table(
        name="made-up",
        source="a generator",
        numeric_names=("a", "b", "c", "d"),
        numeric=numeric,
        categorical_names=(),
        categorical=np.empty((rows, 0), dtype=object),
        labels=labels.astype(np.int64),
        class_names=("ill", "well"),
    )


def spec_of(features, **changes):
    fields = {
        "model": ModelSpec("logistic", features, 2),
        "training": LocalTraining(epochs=2, batch_size=4, learning_rate=0.1),
        "cohort_size": 4,
        "k_min": 3,
        "clip_norm": 8.0,
        "bits": 32,
        "fraction_bits": 20,
        "reference_rows": 6,
        "utility_clip": 1.0,
        "utility_step": 100,
        "schema_digest": "ab" * 32,
        "scoring_digest": "cd" * 32,
    }
    return RoundSpec(**{**fields, **changes})


class NotingDevice(Device):
    """A device that remembers what it trained: in a batch, that may differ from training alone in the last bits."""

    def __init__(self, **options):
        super().__init__(**options)
        self.trained = {}

    def join(self, task, delta):
        self.trained[task.plan.number, task.plan.model_hash] = delta.copy()
        return super().join(task, delta)


class NotingForger(ForgingDevice, NotingDevice):
    """The same, and it masks whatever it is told to."""


@dataclass
class SmallRun:
    """Devices, edges, cloud and engine of a run; `ready_to_train` gives one whose devices have features."""

    table: Table
    rows: dict[tuple[int, int], np.ndarray]
    schema: object
    hospitals: list[Hospital]
    engine: InProcessEngine
    cloud: Cloud
    statistics: object = None

    @classmethod
    def of(
        cls,
        *,
        hospitals=2,
        devices=8,
        faults=None,
        behaviours=None,
        forging=(),
        link_classes=None,
        seeded=True,
        **spec_changes,
    ):
        sizes = {(h, i): 4 + (3 * h + 5 * i) % 6 for h in range(1, hospitals + 1) for i in range(devices)}
        table = table_of(sum(sizes.values()) + 40)
        order, start, rows = np.random.default_rng(SEED).permutation(len(table)), 0, {}
        for key, size in sizes.items():
            rows[key] = np.sort(order[start : start + size])
            start += size
        validation = np.sort(order[start:])
        schema = derive_schema(table, np.sort(order[:start]))
        spec = spec_of(schema.features, **spec_changes)
        built = []
        for h in range(1, hospitals + 1):
            edge = edge_of(h, draw_seed=lambda h=h: bytes([h]) * 32) if seeded else edge_of(h)
            members = tuple(
                (NotingForger if (h, i) in forging else NotingDevice)(
                    accounts=_fresh_accounts(),
                    verifier=LocalVerifier(),
                    domain=DOMAIN,
                    records=Records(table, rows[h, i]),
                    device_class=i % 2,
                    declared_rows=sizes[h, i],
                    own_payee=i % 2 == 0,
                    behaviour=(behaviours or {}).get((h, i), Behaviour.HONEST),
                    journal=MemoryJournal(),
                    seed=(SEED, h, i),
                    link_class=(link_classes or {}).get((h, i), 0),
                    **seeded_noise(h, i) if seeded else {},
                )
                for i in range(devices)
            )
            built.append(Hospital(edge=edge, devices=members))
        engine = InProcessEngine(built, faults or Schedule())
        run = cls(table, rows, schema, built, engine, Cloud(spec, seed=SEED))
        run.validation = validation
        return run

    @classmethod
    def ready_to_train(cls, **options):
        run = cls.of(**options)
        run.begin_epoch(0)
        run.agree_on_scaling()
        return run

    def begin_epoch(self, epoch):
        return self.engine.begin_epoch(epoch)

    def agree_on_scaling(self, round_number=0):
        statistics, wire = self.sum_statistics(round_number)
        self.statistics = statistics
        encoder = Encoder(self.schema, statistics)
        for hospital in self.hospitals:
            for device in hospital.devices:
                device.fit(encoder)
            features = encoder.encode(self.table, self.validation)
            hospital.edge.hold_validation(ValidationRows(features, self.table.labels[self.validation]))
        return wire

    def sum_statistics(self, round_number=0):
        spec = self.spec
        return self.engine.sum_statistics(
            self.schema,
            round_number,
            beacon_of_run(SEED, round_number),
            cohort_size=spec.cohort_size,
            k_min=spec.k_min,
            max_rows=MAX_ROWS,
        )

    @property
    def spec(self):
        return self.cloud.spec

    @property
    def training_rows(self):
        return np.concatenate(list(self.rows.values()))

    @property
    def devices(self):
        """All devices by account."""
        return {device.address: device for hospital in self.hospitals for device in hospital.devices}

    def device(self, hospital, index):
        return self.hospitals[hospital - 1].devices[index]

    def beacon(self, number):
        return beacon_of_run(SEED, number)

    def carry_round(self, beacon=None):
        """One round; returns its plan and outcome, and the cloud has moved on."""
        plan = self.cloud.plan()
        outcome = self.carry(plan, beacon)
        self.cloud.combine(plan, outcome.releases, beacon or self.beacon(plan.number))
        return plan, outcome

    def carry(self, plan, beacon=None):
        ready = self.engine.ready_lists(plan.number)
        return self.engine.run_round(plan, ready, beacon or self.beacon(plan.number))

    def public(self, plan, **changes):
        """What devices read for themselves about the round of `plan`."""
        ready = self.engine.ready_lists(plan.number)
        public = self.engine._public(plan.number, ready, self.beacon(plan.number), plan)
        return replace(public, **changes)

    def calls(self, plan, hospital=1) -> list[Called]:
        ready = self.engine.ready_lists(plan.number)[hospital]
        return self.hospitals[hospital - 1].edge.calls(
            plan.number, ready, self.beacon(plan.number), plan.spec.terms
        )

    def update(self, plan: RoundPlan, device: Device):
        """What a device would mask in the round of `plan`, uint64 (k,)."""
        task = device.task(plan, CalledCohort(None, 0), self.beacon(plan.number))
        delta = device.trained.get((plan.number, plan.model_hash))
        return device.encode(task, task.train() if delta is None else delta).ring

    def plain_sum(self, plan: RoundPlan, survivors) -> list[int]:
        """The survivors' encoded updates added as Python integers and read as two's complement."""
        bits, devices = plan.spec.bits, self.devices
        total = [0] * plan.spec.dim
        for address in survivors:
            total = [a + int(b) for a, b in zip(total, self.update(plan, devices[address]), strict=True)]
        half = 1 << (bits - 1)
        return [(value + half) % (1 << bits) - half for value in total]


def edge_of(hospital, **changes):
    """An edge with an account of its own."""
    fields = {
        "hospital": hospital,
        "session": SESSION,
        "verifier": LocalVerifier(),
        "domain": DOMAIN,
        "account": LocalSigner(),
        "journal": MemoryJournal(),
    }
    return Edge(**{**fields, **changes})


def seeded_noise(hospital, index):
    """Noise that depends on nothing but the device and the round."""

    def source(number):
        return NoiseSource.from_seed(sha256(bytes([hospital, index]) + number.to_bytes(8, "big")))

    return {"noise_source": source}


def decoded(spec, ring):
    """A ring vector as the reals that it stands for."""
    return Ring(spec.bits, len(ring)).inverse(ring) * 2.0**-spec.fraction_bits


def _fresh_accounts():
    """A device's accounts: another one each epoch, drawn from the operating system."""
    accounts = {}

    def account(epoch):
        return accounts.setdefault(epoch, LocalSigner())

    return account


__all__ = [
    "DOMAIN",
    "MAX_ROWS",
    "SEED",
    "SESSION",
    "PublicDraw",
    "Schedule",
    "SmallRun",
    "decoded",
    "edge_of",
    "spec_of",
    "table_of",
]
