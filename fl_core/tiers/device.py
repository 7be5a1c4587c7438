"""The device: owns records, trains, clips, adds noise, masks, signs. Nothing else of it ever leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fl_core.checkpoint import Snapshot, account_from, account_snapshot
from fl_core.cohorts import CohortTerms, ReadyDevice
from fl_core.data import Encoder, Schema
from fl_core.errors import SpecError, TrainingError
from fl_core.privacy import Accountant, Budget, NoiseSource
from fl_core.round_plan import RoundPlan, decoded_plan
from fl_core.secagg import (
    Advertisement,
    CohortPlan,
    EpochIdentity,
    Journal,
    Roster,
    SecAggClient,
    SecAggError,
    verify_advertisements,
)
from fl_core.signing import Domain, Signer, Verifier
from fl_core.simulation.behaviours import Behaviour, rows_as_used
from fl_core.spec import RoundSpec
from fl_core.statistics import encode_statistics
from fl_core.tiers.device_memory import DeviceMemory
from fl_core.tiers.draw import CalledCohort, PublicDraw, called_to
from fl_core.tiers.fitting import require_fit
from fl_core.tiers.outgoing import Outgoing, fresh_noise
from fl_core.tiers.own_account import OwnAccount
from fl_core.tiers.records import Records
from fl_core.tiers.task import Task
from fl_core.updates import EncodedUpdate

STATISTICS_BITS = 64  # ring of the sums that give the scaling statistics


@dataclass(frozen=True, eq=False)
class _Sent:
    """An input on its way: the device's side of the sum, and what was encoded."""

    client: SecAggClient
    encoded: EncodedUpdate


@lru_cache(maxsize=4)
def _verified(
    advertisements: tuple[Advertisement, ...], epoch: int, domain: Domain, verifier: Verifier
) -> Roster:
    """`verify_advertisements`, once for all simulated devices that were shown the same advertisements."""
    return verify_advertisements(advertisements, epoch, domain, verifier)


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
        link_class: int = 0,
        behaviour: Behaviour,
        journal: Journal,
        seed: Sequence[int],
        noise_source: Callable[[int], NoiseSource] = fresh_noise,
        budget: Budget | None = None,
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
            link_class: how slow its link is, 0 the fastest.
            behaviour: honest, or one of the simulated dishonest ones.
            journal: write-ahead record of the secure aggregation.
            seed: seed of its training and rounding (never of its secrets).
            noise_source: where the noise of a round comes from; anything but the operating system's randomness is for
                tests.
            budget: what the device is ready to lose of its privacy; None takes over the first spec's with noise.
        """
        self._accounts = accounts
        self._verifier = verifier
        self._domain = domain
        self._records = records
        self._journal = journal
        self._seed = tuple(seed)
        self._outgoing = Outgoing(self._seed, behaviour, noise_source)
        self._account = OwnAccount(budget)
        self._sent: _Sent | None = None
        self.failure: TrainingError | None = None
        self._signer = accounts(0)
        self._identity: EpochIdentity | None = None
        self._roster: Roster | None = None
        self._features: NDArray[np.float32] | None = None
        self._scaling = ""
        self._labels = records.table.labels[records.rows]
        self.behaviour = behaviour
        self.device_class = device_class
        self.declared_rows = declared_rows
        self.own_payee = own_payee
        self.link_class = link_class

    @property
    def address(self) -> bytes:
        """The device's account, 20 bytes."""
        return self._signer.address

    @property
    def residual(self) -> NDArray[np.float32] | None:
        """What earlier rounds left unsent, float32 (d,), a copy; None before a round with error feedback."""
        return self._outgoing.residual

    @property
    def rows(self) -> int:
        """Training rows the device really has."""
        return len(self._labels)

    @property
    def ready(self) -> ReadyDevice:
        """The device's line of the ready list."""
        return ReadyDevice(
            self.address, self.device_class, self.declared_rows, self.own_payee, self.link_class
        )

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
        self._roster = _verified(
            tuple(advertisements),
            epoch,
            self._domain,
            self._verifier,  # type: ignore[arg-type]  # hashed by identity
        )
        self.identity.meet(self._roster)

    def memory(self) -> DeviceMemory:
        """What rounds change in the device, for the process that this one was forked from.

        The residual is not part of it: its memory is shared.
        """
        return DeviceMemory(self.identity.pairs, self._journal, self.accountant)

    def remember(self, memory: DeviceMemory, roster: Roster | None = None) -> None:
        """Go on from what happened to the device in a forked process.

        Args:
            memory: what `memory` gave there.
            roster: the epoch's roster, verified, where the device has met it there.
        """
        self.identity.take_pairs(memory.pairs)
        self._journal, self._account.accountant = memory.journal, memory.accountant
        self._roster = self._roster if roster is None else roster

    def snapshot(self) -> Snapshot:
        """What the device holds between two rounds; its records and features are no part of it."""
        account, residual = self.accountant, self.residual
        return Snapshot(
            arrays={} if residual is None else {"residual": residual},
            secrets={"identity": self.identity.to_bytes(), "journal": self._journal.to_bytes()},
            parts={} if account is None else {"account": account_snapshot(account)},
        )

    def restore(self, snapshot: Snapshot, roster: Roster, *, dim: int) -> None:
        """Go on where a snapshot was taken.

        Args:
            snapshot: what `snapshot` gave.
            roster: the hospital's roster of that epoch, verified.
            dim: number of the model's parameters.

        Raises:
            CheckpointError: the snapshot lacks something.
            SecAggError: its keys are malformed, of another account, or have met another roster.
        """
        identity = EpochIdentity.from_bytes(snapshot.secret("identity"), self._domain)
        identity.rejoin(roster)
        signer = self._accounts(identity.epoch)
        if signer.address != identity.address:
            raise SecAggError(f"keys of {identity.address.hex()} for the device {signer.address.hex()}")
        self._journal.restore(snapshot.secret("journal"))
        if "residual" in snapshot.arrays:
            self._outgoing.keep(snapshot.array("residual", np.float32, (dim,)))
        if "account" in snapshot.parts:
            self._account.accountant = account_from(snapshot.part("account"))
        self._signer, self._identity, self._roster = signer, identity, roster

    def charge_interrupted(self, spec: RoundSpec, round_number: int) -> None:
        """Charge a round that was interrupted: nobody knows any more whether the device's masked input was sent."""
        self._account.admit(spec, round_number)

    def fit(self, encoder: Encoder) -> None:
        """Encode the device's records with the agreed scaling."""
        self._features = encoder.encode(self._records.table, self._records.rows)
        self._scaling = encoder.scaling_digest

    def sum_statistics(
        self, call: bytes, schema: Schema, public: PublicDraw, terms: CohortTerms, *, max_rows: int
    ) -> SecAggClient:
        """Join the cohort that sums the scaling statistics.

        Args:
            call: an encoded `CohortCall`.
            schema: the schema that the consortium agreed on, like terms and bound: not the edge's to choose.
            public: the draw as the device reads it for itself.
            terms: what was agreed on about cohorts.
            max_rows: most rows that all devices together may hold (fixes the range of the sum).

        Raises:
            SpecError: the call contradicts the public draw, or calls it to a cohort that it is not in; or the device
                takes part with noise only.
            DataError: a value beyond the schema's declared magnitudes.
            SecAggError: keys, roster and plan do not belong together, or the round has passed.
        """
        self._account.require_noise(None)
        plan = self._called_to(call, public, terms).plan
        numeric = self._records.table.numeric[self._records.rows]
        return self._client(plan, encode_statistics(numeric, schema, bits=terms.bits, max_rows=max_rows))

    def accept(self, plan: bytes, call: bytes, public: PublicDraw) -> Task:
        """Check what the device is asked to do in a round against the public record.

        Args:
            plan: an encoded `RoundPlan`.
            call: an encoded `CohortCall`.
            public: the round as the device reads it for itself.

        Returns:
            The training that it will do.

        Raises:
            SpecError: plan or call contradict the public round, the device is called to a cohort that it is not in, it
                takes part with noise only, or it has no features yet.
            PrivacyBudgetError: the round would overspend the device's account.
        """
        decoded = decoded_plan(plan)
        spec, number = decoded.spec, decoded.number
        if number != public.round_number:
            raise SpecError(f"plan of round {number} in round {public.round_number}")
        if spec.digest != public.spec_hash:
            raise SpecError(f"round {number}: the plan's spec is not the public one")
        if decoded.model_hash != public.model_hash:
            raise SpecError(f"round {number}: the plan's model is not the public one")
        if decoded.previous_hash != public.previous_hash:
            raise SpecError(f"round {number}: the plan's model of the round before is not the public one")
        cohort = self._called_to(call, public, spec.terms)
        task = self.task(decoded, cohort, public.beacon)
        self._account.require(spec, cohort.plan, self._journal.last_round(cohort.plan.session))
        self._outgoing.make_room(task.codec)
        return task

    def task(self, plan: RoundPlan, cohort: CalledCohort, beacon: bytes) -> Task:
        """The device's training of a round.

        Raises:
            SpecError: the device has no features yet, or the plan's model is not one for them.
        """
        if self._features is None:
            raise SpecError("device has no scaled features yet: the statistics come first")
        classes = len(self._records.table.class_names)
        require_fit(plan, features=self._features.shape[1], classes=classes, scaling=self._scaling)
        features, labels = rows_as_used(self.behaviour, self._features, self._labels, classes)
        return Task(
            plan=plan,
            cohort=cohort,
            codec=plan.codec(beacon, cohort.link_class),
            features=features,
            labels=labels,
            seed=self._derived_seed(plan.number, 1),
            trains=self.behaviour.trains,
        )

    def join(self, task: Task, delta: NDArray[np.float32]) -> SecAggClient:
        """Join the round's cohort with the encoded update.

        Args:
            task: what the device accepted.
            delta: what training changed, float32 (d,).

        What the attempt costs in privacy is charged before anything leaves, and stays charged if the attempt fails.
        With noise on, a device whose training failed sends noise on nothing: whether it did depends on its data, and
        must not be seen. `failure` then says so to whoever runs a simulation.

        Returns:
            The device's side of the cohort's secure aggregation.

        Raises:
            TrainingError: training gave something that must not be sent, and there is no noise to hide that in.
            SecAggError: keys, roster and plan do not belong together, or the round has passed.
            PrivacyBudgetError: the round would overspend the device's account.
        """
        plan, spec = task.cohort.plan, task.plan.spec
        self._account.charge(spec, plan, self._journal.last_round(plan.session))
        self.failure = None
        try:
            encoded = self.encode(task, delta)
        except TrainingError as error:
            if spec.noise is None:
                raise
            self.failure = error
            encoded = self.encode(task, np.zeros_like(delta))
        client = self._client(plan, encoded.ring)
        self._sent = _Sent(client, encoded)
        return client

    def encode(self, task: Task, delta: NDArray[np.float32]) -> EncodedUpdate:
        """Update and residual -> weight -> select -> clip -> round -> noise: the vector that will be masked.

        Rounding is the same for the same round, however often it is asked for; noise is not.

        Raises:
            TrainingError: training gave something that must not be sent.
        """
        weight = task.plan.spec.weight(self.declared_rows, self.device_class)
        return self._outgoing.encode(task, delta, weight)

    def settle(self) -> None:
        """Keep what the round left unsent for the next one, and no key of it; called when it is over for this device.

        The device knows only whether it got to the end itself. If it did, what it sent counts as included, though its
        cohort may still have failed; if not, as lost, though the others may have summed it. Neither costs privacy:
        the residual never leaves, and every update is clipped with it.
        """
        sent, self._sent = self._sent, None
        if sent is None:
            return
        sent.client.abandon()
        if sent.encoded.batch.codec.residual_norm:
            self._outgoing.keep(sent.encoded.settle(included=sent.client.done))

    @property
    def accountant(self) -> Accountant | None:
        """The device's privacy account; None before its first round with noise."""
        return self._account.accountant

    def _derived_seed(self, number: int, purpose: int) -> int:
        state = np.random.SeedSequence((*self._seed, number, purpose)).generate_state(1, np.uint64)
        return int(state[0]) >> 1  # 63 bits

    def _called_to(self, call: bytes, public: PublicDraw, terms: CohortTerms) -> CalledCohort:
        """The cohort of a call that both the public draw and this device's own roster bear out."""
        called = called_to(call, public, self.ready, terms)
        if self._roster is None:
            raise SpecError("device has met no peers yet: the epoch's roster comes first")
        if public.roster_roots.get(called.plan.hospital) != self._roster.root:
            raise SpecError(
                f"round {public.round_number}: the public roster of hospital {called.plan.hospital} is not the one "
                "that this device was shown"
            )
        return called

    def _client(self, plan: CohortPlan, vector: NDArray[np.uint64]) -> SecAggClient:
        assert self._roster is not None
        return SecAggClient(
            self.identity, plan, self._roster, vector, self._journal, self._signer, self._domain
        )
