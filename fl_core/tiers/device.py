"""The device: owns records, trains, clips, encodes, masks, signs. Nothing else of it ever leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.cohorts import ReadyDevice
from fl_core.data import Encoder, Schema, Table
from fl_core.data.tables import IntArray
from fl_core.errors import SpecError
from fl_core.fixed_point import clip_l2
from fl_core.secagg import (
    Advertisement,
    CohortPlan,
    EpochIdentity,
    Journal,
    Roster,
    SecAggClient,
    verify_advertisements,
)
from fl_core.signing import Domain, Signer, Verifier
from fl_core.simulation.behaviours import Behaviour, labels_as_used, update_as_sent
from fl_core.spec import RoundPlan
from fl_core.statistics import encode_statistics, statistics_length
from fl_core.tiers.draw import PublicDraw, called_to
from fl_core.tiers.messages import CohortCall
from fl_core.training import train_local

STATISTICS_BITS = 64  # ring of the sums that give the scaling statistics


@dataclass(frozen=True)
class Records:
    """The rows of a table that one device holds.

    Attributes:
        table: the data.
        rows: int64 (n,), indices of the device's own rows.
    """

    table: Table
    rows: IntArray


class Device:
    """One simulated IoMT device of a hospital."""

    def __init__(
        self,
        *,
        accounts: Callable[[int], Signer],
        verifier: Verifier,
        domain: Domain,
        records: Records,
        device_class: int,
        declared_rows: int,
        own_payee: bool,
        behaviour: Behaviour,
        journal: Journal,
        seed: Sequence[int],
    ) -> None:
        """Take ownership of records.

        Args:
            accounts: the device's account of an epoch.
            verifier: checks the peers' signatures.
            domain: EIP-712 domain of the run.
            records: the rows of this device's patients.
            device_class: index into the spec's classes.
            declared_rows: the public bucketed count of rows.
            own_payee: whether it claims its tokens itself.
            behaviour: honest, or one of the simulated dishonest ones.
            journal: write-ahead record of the secure aggregation.
            seed: seed of its training and rounding (never of its secrets).
        """
        self._accounts = accounts
        self._verifier = verifier
        self._domain = domain
        self._records = records
        self._journal = journal
        self._seed = tuple(seed)
        self._signer = accounts(0)
        self._identity: EpochIdentity | None = None
        self._roster: Roster | None = None
        self._features: NDArray[np.float32] | None = None
        self._labels = records.table.labels[records.rows]
        self.behaviour = behaviour
        self.device_class = device_class
        self.declared_rows = declared_rows
        self.own_payee = own_payee

    @property
    def address(self) -> bytes:
        """The device's account, 20 bytes."""
        return self._signer.address

    @property
    def rows(self) -> int:
        """Training rows the device really has."""
        return len(self._labels)

    @property
    def ready(self) -> ReadyDevice:
        """The device's line of the ready list."""
        return ReadyDevice(self.address, self.device_class, self.declared_rows, self.own_payee)

    @property
    def identity(self) -> EpochIdentity:
        """The keys of the current epoch.

        Raises:
            SpecError: no epoch has begun.
        """
        if self._identity is None:
            raise SpecError("device has no epoch keys yet: begin an epoch first")
        return self._identity

    def begin_epoch(self, epoch: int) -> Advertisement:
        """Take the epoch's account, draw fresh keys and advertise them, signed by that account."""
        self._signer = self._accounts(epoch)
        self._identity = EpochIdentity.generate(self._signer, self._domain, epoch)
        return self._identity.advertisement

    def meet(self, advertisements: Sequence[Advertisement]) -> None:
        """Verify the hospital's roster of this epoch once, and agree on pair keys with every peer.

        Raises:
            SecAggError: a signature or the roster is bad.
        """
        epoch = self.identity.advertisement.epoch
        self._roster = verify_advertisements(advertisements, epoch, self._domain, self._verifier)
        self.identity.meet(self._roster)

    def fit(self, encoder: Encoder) -> None:
        """Encode the device's records with the agreed scaling."""
        self._features = encoder.encode(self._records.table, self._records.rows)

    def sum_statistics(
        self, call: bytes, schema: Schema, public: PublicDraw, *, cohort_size: int, k_min: int, max_rows: int
    ) -> SecAggClient:
        """Join the cohort that sums the scaling statistics.

        Args:
            call: an encoded `CohortCall`.
            schema: the schema that the consortium agreed on, like the three sizes below: not the edge's to choose.
            public: the draw as the device reads it for itself.
            cohort_size: the aim of the draw.
            k_min: fewest devices whose sum may be seen.
            max_rows: most rows that all devices together may hold (fixes the range of the sum).

        Raises:
            SpecError: the call contradicts the public draw, or calls it to a cohort that it is not in.
            DataError: a value beyond the schema's declared magnitudes.
            SecAggError: keys, roster and plan do not belong together, or the round has passed.
        """
        length = statistics_length(schema)
        plan = called_to(
            CohortCall.decode(call),
            public,
            self.ready,
            cohort_size=cohort_size,
            k_min=k_min,
            bits=STATISTICS_BITS,
            dim=length,
        )
        numeric = self._records.table.numeric[self._records.rows]
        return self._client(plan, encode_statistics(numeric, schema, bits=STATISTICS_BITS, max_rows=max_rows))

    def train(self, plan: bytes, call: bytes, public: PublicDraw) -> SecAggClient:
        """Train on the plan's model and join the round's cohort with the encoded update.

        Args:
            plan: an encoded `RoundPlan`.
            call: an encoded `CohortCall`.
            public: the round as the device reads it for itself.

        Returns:
            The device's side of the cohort's secure aggregation.

        Raises:
            SpecError: plan or call contradict the public round, or the device is called to a cohort that it is not in.
            TrainingError: training gave something that must not be sent.
            SecAggError: keys, roster and plan do not belong together, or the round has passed.
        """
        decoded = RoundPlan.decode(plan)
        spec, number = decoded.spec, decoded.number
        if number != public.round_number:
            raise SpecError(f"plan of round {number} in round {public.round_number}")
        if spec.digest != public.spec_hash:
            raise SpecError(f"round {number}: the plan's spec is not the public one")
        if decoded.model_hash != public.model_hash:
            raise SpecError(f"round {number}: the plan's model is not the public one")
        masked_sum = called_to(
            CohortCall.decode(call),
            public,
            self.ready,
            cohort_size=spec.cohort_size,
            k_min=spec.k_min,
            bits=spec.bits,
            dim=spec.dim,
        )
        return self._client(masked_sum, self.update(decoded))

    def update(self, plan: RoundPlan) -> NDArray[np.uint64]:
        """Train -> weight -> clip -> round: the vector that will be masked, uint64 (d,) ring elements.

        The same for the same plan, however often it is asked for.

        Raises:
            SpecError: the device has no features yet, or the plan's model is not one for them.
            TrainingError: training gave something that must not be sent.
        """
        if self._features is None:
            raise SpecError("device has no scaled features yet: the statistics come first")
        spec, number = plan.spec, plan.number
        if self.behaviour.trains:
            labels = labels_as_used(self.behaviour, self._labels, spec.model.classes)
            seed = self._derived_seed(number, 1)
            delta = train_local(spec.model, plan.model, self._features, labels, spec.training, seed)
        else:
            delta = np.zeros(spec.dim, dtype=np.float32)
        sent = update_as_sent(self.behaviour, delta)
        weighted = sent.astype(np.float64) * spec.weight(self.declared_rows, self.device_class)
        rounding = np.random.default_rng((*self._seed, number, 2))
        return spec.fixed_point.encode(clip_l2(weighted, spec.clip_norm), rounding)

    def _derived_seed(self, number: int, purpose: int) -> int:
        state = np.random.SeedSequence((*self._seed, number, purpose)).generate_state(1, np.uint64)
        return int(state[0]) >> 1  # 63 bits

    def _client(self, plan: CohortPlan, vector: NDArray[np.uint64]) -> SecAggClient:
        if self._roster is None:
            raise SpecError("device has met no peers yet: the epoch's roster comes first")
        return SecAggClient(
            self.identity, plan, self._roster, vector, self._journal, self._signer, self._domain
        )
