"""The device: owns records, trains, clips, encodes, masks, signs. Nothing else of it ever leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.cohorts import ReadyDevice, default_threshold, draw_cohorts, ready_digest
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
from fl_core.statistics import encode_statistics
from fl_core.tiers.messages import CohortCall
from fl_core.training import train_local

STATISTICS_BITS = 64  # ring of the sums that give the scaling statistics


@dataclass(frozen=True)
class PublicDraw:
    """What a device reads for itself about a round's draw, from the chain where there is one.

    Attributes:
        round_number: the round.
        beacon: 32 bytes.
        ready_digests: each hospital's ready-list digest, fixed before the beacon.
    """

    round_number: int
    beacon: bytes
    ready_digests: Mapping[int, bytes]


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
            schema: the agreed schema.
            public: the draw as the device reads it for itself.
            cohort_size: the aim of the draw.
            k_min: fewest devices whose sum may be seen.
            max_rows: most rows that all devices together may hold (fixes the range of the sum).
        """
        numeric = self._records.table.numeric[self._records.rows]
        vector = encode_statistics(numeric, schema, bits=STATISTICS_BITS, max_rows=max_rows)
        decoded = CohortCall.decode(call)
        plan = cohort_plan(
            decoded, cohort_size=cohort_size, k_min=k_min, bits=STATISTICS_BITS, dim=vector.size
        )
        self._check_call(decoded, plan, public)
        return self._client(plan, vector)

    def train(self, plan: bytes, call: bytes, public: PublicDraw) -> SecAggClient:
        """Train on the plan's model and join the round's cohort with the encoded update.

        Args:
            plan: an encoded `RoundPlan`.
            call: an encoded `CohortCall`.
            public: the draw as the device reads it for itself.

        Returns:
            The device's side of the cohort's secure aggregation.

        Raises:
            SpecError: the call contradicts the public draw, or calls it to a cohort that it is not in.
            TrainingError: training gave something that must not be sent.
        """
        decoded_plan, decoded_call = RoundPlan.decode(plan), CohortCall.decode(call)
        if decoded_call.round_number != decoded_plan.number:
            raise SpecError(
                f"called to round {decoded_call.round_number} with a plan of {decoded_plan.number}"
            )
        spec = decoded_plan.spec
        masked_sum = cohort_plan(
            decoded_call, cohort_size=spec.cohort_size, k_min=spec.k_min, bits=spec.bits, dim=spec.dim
        )
        self._check_call(decoded_call, masked_sum, public)
        return self._client(masked_sum, self.update(decoded_plan))

    def update(self, plan: RoundPlan) -> NDArray[np.uint64]:
        """Train -> weight -> clip -> round: the vector that will be masked, uint64 (d,) ring elements."""
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
        return int(np.random.SeedSequence((*self._seed, number, purpose)).generate_state(1, np.uint64)[0])

    def _client(self, plan: CohortPlan, vector: NDArray[np.uint64]) -> SecAggClient:
        if self._roster is None:
            raise SpecError("device has met no peers yet: the epoch's roster comes first")
        return SecAggClient(
            self.identity, plan, self._roster, vector, self._journal, self._signer, self._domain
        )

    def _check_call(self, call: CohortCall, plan: CohortPlan, public: PublicDraw) -> None:
        """Redraw the cohorts and refuse a call that the public record does not bear out."""
        if call.round_number != public.round_number or call.beacon != public.beacon:
            raise SpecError(f"round {call.round_number}: the call's beacon is not the public one")
        if ready_digest(call.round_number, call.hospital, call.ready) != public.ready_digests.get(
            call.hospital
        ):
            raise SpecError(
                f"round {call.round_number}: the ready list is not the one published before the beacon"
            )
        if sum(line.address == self.address for line in call.ready) != 1 or self.ready not in call.ready:
            raise SpecError(f"round {call.round_number}: the ready list does not hold this device as it is")
        if self.address not in plan.members:
            raise SpecError(
                f"round {call.round_number}: called to cohort {call.cohort}, which this device is not in"
            )


def cohort_plan(call: CohortCall, *, cohort_size: int, k_min: int, bits: int, dim: int) -> CohortPlan:
    """The plan of the called cohort, as edge and device both derive it from the draw.

    Raises:
        SpecError: the draw has no such cohort, or a device is twice on the ready list.
    """
    if len({line.address for line in call.ready}) != len(call.ready):
        raise SpecError(f"round {call.round_number}: a device is twice on the ready list")
    cohorts = draw_cohorts(call.beacon, call.hospital, len(call.ready), cohort_size=cohort_size, k_min=k_min)
    if not 0 <= call.cohort < len(cohorts):
        raise SpecError(
            f"round {call.round_number}: the draw has {len(cohorts)} cohorts, none is {call.cohort}"
        )
    members = tuple(sorted(call.ready[position].address for position in cohorts[call.cohort]))
    return CohortPlan(
        session=call.session,
        round=call.round_number,
        hospital=call.hospital,
        cohort=call.cohort,
        attempt=call.attempt,
        members=members,
        threshold=default_threshold(len(members), k_min),
        bits=bits,
        dim=dim,
    )
