"""The simulated population of a run: who holds which rows, who is dishonest, which accounts they use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fl_core.cohorts import beacon_of_run
from fl_core.data import Encoder, Federation, Projection, Schema, Table, root_digest
from fl_core.data.tables import IntArray
from fl_core.engine import Hospital, InProcessEngine, WireBytes
from fl_core.errors import SpecError
from fl_core.models import Float32Array
from fl_core.privacy import Budget, NoiseSource, PrivacyLoss, person_loss
from fl_core.public_start import start_from_root
from fl_core.robust import RootRows, root_update
from fl_core.round_plan import RoundPlan
from fl_core.secagg import MemoryJournal
from fl_core.signing import Domain, Signer, Verifier
from fl_core.simulation import ATTACKS, Behaviour, backdoor_success
from fl_core.simulation.faults import RandomFaults
from fl_core.spec import RoundSpec
from fl_core.tiers import Device, Edge, Records, ValidationRows
from fl_core.tiers.forging_device import ForgingDevice
from fl_core.tiers.outgoing import fresh_noise
from incentives import bucket_rows
from scripts.federation.agreed_data import Place, agree_on_data
from scripts.federation.dishonest import place_dishonest
from scripts.federation.settings import RunSettings
from scripts.federation.torch_device import require_device

Accounts = Callable[[int, int, int], Signer]
"""The account of a device by (hospital, index, epoch)."""

HospitalAccounts = Callable[[int], Signer]
"""The account of a hospital by its id."""

NoiseSources = Callable[[int, int, int], NoiseSource]
"""A device's noise by (hospital, index, round): seeded, for tests that hold two runs against each other."""

_MAX_ROWS = 1 << 22


@dataclass
class Population:
    """Everything that takes part in a run.

    Attributes:
        settings: what the user chose.
        table: the data.
        federation: who holds which rows.
        root: rows that the coordinator holds; empty where none are set aside.
        persons: the devices of each person; a device that several persons share is in each one's.
        schema: the agreed schema.
        engine: carries the messages.
        behaviours: by (hospital, index).
        true_rows: training rows that a device really has, by (hospital, index).
        encoder: the agreed scaling: from public ranges, or once its statistics have been summed.
        setup_wire: bytes of keys and scaling statistics.
    """

    settings: RunSettings
    table: Table
    federation: Federation
    root: IntArray
    persons: tuple[tuple[Place, ...], ...]
    schema: Schema
    engine: InProcessEngine
    behaviours: dict[tuple[int, int], Behaviour]
    true_rows: dict[tuple[int, int], int]
    encoder: Encoder | None
    setup_wire: WireBytes

    @property
    def hospitals(self) -> list[Hospital]:
        """The hospitals, in order of their ids."""
        return list(self.engine.hospitals)

    def privacy_loss(self) -> PrivacyLoss | None:
        """What the device that took part most has lost; None where noise is off."""
        accounts = [device.accountant for h in self.hospitals for device in h.devices]
        losses = [account.loss() for account in accounts if account is not None]
        return max(losses, key=lambda loss: loss.release, default=None)

    @property
    def devices_per_person(self) -> int:
        """Most devices that one person has."""
        return max(map(len, self.persons))

    def person_loss(self) -> PrivacyLoss | None:
        """The most that any person has lost through all of their devices, figure by figure; None where noise is off."""
        accounts = {
            (hospital.id, index): device.accountant
            for hospital in self.hospitals
            for index, device in enumerate(hospital.devices)
        }
        charged = ([accounts[place] for place in devices] for devices in self.persons)
        losses = {person_loss(found) for each in charged if (found := [a for a in each if a is not None])}
        if not losses:
            return None
        return PrivacyLoss(
            edge=max(loss.edge for loss in losses),
            release=max(loss.release for loss in losses),
            unmasked=max(loss.unmasked for loss in losses),
        )

    def public_start(self, spec: RoundSpec) -> Float32Array:
        """The first model, trained on the root set, float32 (d,).

        Raises:
            SpecError: the scaling has not been agreed on yet.
            TrainingError: training diverged.
        """
        rows = self.root_rows
        return start_from_root(spec.model, rows.features, rows.labels, seed=self.settings.seed)

    @property
    def root_rows(self) -> RootRows:
        """The root set as features and labels.

        Raises:
            SpecError: the scaling has not been agreed on yet.
        """
        if self.encoder is None:
            raise SpecError("the root set cannot be encoded before the scaling is agreed on")
        return RootRows(self.encoder.encode(self.table, self.root), self.table.labels[self.root])

    def root_update(self, plan: RoundPlan, beacon: bytes) -> Float32Array | None:
        """What the root set teaches in a round, float32 (d,); None where the spec's rule takes nothing from it.

        Raises:
            SpecError: the scaling has not been agreed on yet.
            TrainingError: training diverged.
        """
        spec = plan.spec
        if not spec.rule.takes_root:
            return None
        return root_update(
            spec.model,
            plan.model,
            self.root_rows,
            spec.training,
            rows_each=spec.reference_rows,
            clip_norm=spec.clip_norm,
            beacon=beacon,
        )

    def backdoor_success(self, spec: RoundSpec, model: Float32Array) -> float:
        """Share of the test rows of other classes that a trigger makes the model take for the attackers' class.

        Raises:
            SpecError: the scaling has not been agreed on yet.
            DataError: all test rows are of that class.
        """
        if self.encoder is None:
            raise SpecError("test rows cannot be encoded before the scaling is agreed on")
        rows = self.federation.test
        return backdoor_success(
            spec.model, model, self.encoder.encode(self.table, rows), self.table.labels[rows]
        )

    def round_spec(self, scoring_digest: str) -> RoundSpec:
        """The spec of the run's rounds; the reference weight is the typical declared row count."""
        declared = sorted(device.declared_rows for h in self.hospitals for device in h.devices)
        return self.settings.round_spec(
            self.schema,
            reference_rows=declared[len(declared) // 2],
            scoring_digest=scoring_digest,
            root_digest=root_digest(self.table, self.root),
        )

    def agree_on_scaling(self, round_number: int) -> Encoder:
        """Let every device and edge encode its rows, if need be after summing the scaling statistics securely.

        With noise on nothing is summed: an un-noised sum would tell more than the claim allows, so that the scaling
        comes from public ranges.

        Args:
            round_number: the number before the first round, under which the cohorts of this sum are drawn.

        Raises:
            SpecError: no hospital has a cohort large enough.
        """
        settings = self.settings
        if self.encoder is None:
            statistics, wire = self.engine.sum_statistics(
                self.schema,
                round_number,
                beacon_of_run(settings.seed, round_number),
                cohort_size=settings.cohort_size,
                k_min=settings.k_min,
                max_rows=_MAX_ROWS,
            )
            self.encoder = Encoder(self.schema, statistics)
            self.setup_wire.up += wire.up
            self.setup_wire.down += wire.down
        for index, hospital in enumerate(self.hospitals):
            for device in hospital.devices:
                device.fit(self.encoder)
            rows = self.federation.validation[index]
            hospital.edge.hold_validation(
                ValidationRows(self.encoder.encode(self.table, rows), self.table.labels[rows])
            )
        return self.encoder


def build_population(
    settings: RunSettings,
    *,
    domain: Domain,
    verifier: Verifier,
    accounts: Accounts,
    hospital_accounts: HospitalAccounts,
    session: bytes,
    noise: NoiseSources | None = None,
    known: Projection | None = None,
) -> Population:
    """Split the data, create hospitals and devices, and place the dishonest ones.

    Args:
        settings: what the user chose.
        domain: EIP-712 domain of the run.
        verifier: checks device signatures.
        accounts: gives each device its account of an epoch.
        hospital_accounts: gives each hospital its account.
        session: 32 bytes that name the run.
        noise: where devices' noise comes from; None for the operating system.
        known: the projection that the run began with, where it goes on.

    Raises:
        DataError: the data cannot be split that way.
        SpecError: settings that cannot work, or a device to compute on that is not there.
    """
    require_device(settings.torch_device)
    rng = np.random.default_rng((settings.seed, 11))
    agreed = agree_on_data(settings, rng, known)
    table, federation = agreed.table, agreed.federation
    behaviours = place_dishonest(settings, federation, rng)
    opted_in = _place_own_payees(settings, rng)
    link_classes = _place_link_classes(settings)
    hospitals = []
    true_rows: dict[tuple[int, int], int] = {}
    budget = device_budget(settings, agreed.schema)
    for h in range(1, settings.hospitals + 1):
        inflation = settings.inflation if h == settings.inflating_hospital else 1
        devices = []
        for i, rows in enumerate(federation.devices[h - 1]):
            true_rows[h, i] = len(rows)
            forges = settings.unclipped and behaviours[h, i] is ATTACKS.get(settings.attack or "")
            devices.append(
                (ForgingDevice if forges else Device)(
                    accounts=_account(accounts, h, i),
                    verifier=verifier,
                    domain=domain,
                    records=Records(table, rows),
                    device_class=0,
                    declared_rows=bucket_rows(len(rows) * inflation),
                    own_payee=(h, i) in opted_in,
                    link_class=link_classes[h, i],
                    behaviour=behaviours[h, i],
                    journal=MemoryJournal(),
                    seed=(settings.seed, h, i),
                    noise_source=fresh_noise if noise is None else partial(noise, h, i),
                    budget=budget,
                )
            )
        edge = Edge(
            hospital=h,
            session=session,
            verifier=verifier,
            domain=domain,
            account=hospital_accounts(h),
            journal=MemoryJournal(),
        )
        hospitals.append(Hospital(edge=edge, devices=tuple(devices)))
    engine = InProcessEngine(
        hospitals,
        RandomFaults(settings.dropout, settings.seed),
        device=settings.torch_device,
        threads=settings.threads,
        workers=settings.workers,
    )
    return Population(
        settings=settings,
        table=table,
        federation=federation,
        root=agreed.root,
        persons=agreed.persons,
        schema=agreed.schema,
        engine=engine,
        behaviours=behaviours,
        true_rows=true_rows,
        encoder=agreed.encoder,
        setup_wire=WireBytes(),
    )


def device_budget(settings: RunSettings, schema: Schema) -> Budget | None:
    """What each device is ready to lose, whatever is proposed to it later; None without noise.

    Where no target at the edge is named, what the agreed noise comes to there is the cap.

    Raises:
        SpecError: settings that cannot work.
    """
    nothing = "00" * 32
    spec = settings.round_spec(schema, reference_rows=1, scoring_digest=nothing, root_digest=nothing)
    if spec.noise is None or spec.exposure is None:
        return None
    agreed = Budget.of(spec.noise, spec.exposure)
    return agreed if settings.edge_epsilon is None else replace(agreed, edge_epsilon=settings.edge_epsilon)


def _account(accounts: Accounts, hospital: int, index: int) -> Callable[[int], Signer]:
    return lambda epoch: accounts(hospital, index, epoch)


def _place_own_payees(settings: RunSettings, rng: np.random.Generator) -> set[tuple[int, int]]:
    """The share of each hospital's devices that opt in to a payee of their own."""
    count = round(settings.own_payees * settings.devices)
    return {
        (h, int(i))
        for h in range(1, settings.hospitals + 1)
        for i in rng.permutation(settings.devices)[:count]
    }


def _place_link_classes(settings: RunSettings) -> dict[tuple[int, int], int]:
    """The link class of each device: each hospital's devices in a random order, dealt to the classes in turn."""
    rng, classes = np.random.default_rng((settings.seed, 17)), len(settings.link_classes)
    return {
        (h, int(i)): turn % classes
        for h in range(1, settings.hospitals + 1)
        for turn, i in enumerate(rng.permutation(settings.devices))
    }
