"""The hospital's edge: runs secure aggregation per cohort, releases what the profile lets be seen, values others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fl_core.canonical import sha256
from fl_core.checkpoint import Snapshot
from fl_core.cohorts import CohortTerms, ReadyDevice, draw_cohorts
from fl_core.errors import SpecError
from fl_core.secagg import (
    Advertisement,
    EpochIdentity,
    Journal,
    Roster,
    SecAggClient,
    SecAggError,
    SecAggResult,
    SecAggServer,
    verify_advertisements,
)
from fl_core.secagg.codec import Reader
from fl_core.signing import Domain, Signer, TypedMessage, Verifier
from fl_core.spec import Profile, RoundSpec
from fl_core.tiers.draw import PublicDraw, called_cohort
from fl_core.tiers.hospital_keys import HospitalKeys, fresh_noise_seed
from fl_core.tiers.joint import JointServer, joint_plan
from fl_core.tiers.messages import CohortCall, CohortReport
from fl_core.tiers.release import CohortSum, Release, counts_of, summed_up, with_global_noise
from fl_core.tiers.sealed_transcript import OpenedTranscript, TranscriptPlace
from fl_core.updates.ring import Ring
from fl_core.valuation import cohort_utilities, model_score, path_utilities


@dataclass(frozen=True)
class ValidationRows:
    """A hospital's own validation rows: features float32 (n, f), labels int64 (n,). Never trained on."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


class Called(NamedTuple):
    """A drawn cohort: the call, the addresses it goes to in the order of the ready list, and its link class."""

    call: CohortCall
    members: tuple[bytes, ...]
    link_class: int


class Edge:
    """One hospital's edge server."""

    def __init__(
        self,
        *,
        hospital: int,
        session: bytes,
        verifier: Verifier,
        domain: Domain,
        account: Signer,
        journal: Journal,
        draw_seed: Callable[[], bytes] = fresh_noise_seed,
    ) -> None:
        """Start an edge.

        Args:
            hospital: the hospital's id, from 1.
            session: 32 bytes that name the run, the same for all its edges.
            verifier: checks the devices' signatures.
            domain: EIP-712 domain of the run.
            account: the hospital's account.
            journal: write-ahead record of the hospital's own part in sums over hospitals.
            draw_seed: draws the 32-byte seed of an epoch's global noise; anything but the operating system's randomness
                is for tests.
        """
        self.hospital = hospital
        self.session = session
        self._verifier = verifier
        self._domain = domain
        self._account = account
        self._journal = journal
        self._draw_seed = draw_seed
        self._roster: Roster | None = None
        self._keys: HospitalKeys | None = None
        self._peers: Roster | None = None
        self._validation: ValidationRows | None = None

    @property
    def account(self) -> bytes:
        """The hospital's account, 20 bytes."""
        return self._account.address

    def sign(self, message: TypedMessage) -> bytes:
        """The account's signature over a message."""
        return self._account.sign(message)

    @property
    def keys(self) -> HospitalKeys:
        """The hospital's own keys of the epoch.

        Raises:
            SpecError: no epoch has begun.
        """
        if self._keys is None:
            raise SpecError(f"hospital {self.hospital} has no keys of its own yet: begin an epoch first")
        return self._keys

    def begin_epoch(self, epoch: int) -> Advertisement:
        """Draw the hospital's own keys and noise seed of an epoch; returns the keys, signed by its account."""
        self._keys = HospitalKeys.draw(self._account, self._domain, epoch, self._draw_seed())
        return self._keys.advertisement

    def meet(self, advertisements: Sequence[Advertisement], admitted: Collection[bytes]) -> None:
        """Verify the hospitals' keys of this epoch once, and agree on pair keys with every other hospital.

        Args:
            advertisements: as the cloud shows them.
            admitted: accounts of the consortium's hospitals as this one reads them for itself, from the chain where
                there is one: a cloud that could add accounts of its own would be alone with this hospital in the sum.

        Raises:
            SecAggError: a signature or the roster is bad, or it is not that of the admitted hospitals.
        """
        if {item.address for item in advertisements} != set(admitted):
            raise SecAggError(
                f"hospital {self.hospital}: the keys shown are not those of the {len(admitted)} admitted hospitals"
            )
        epoch = self.keys.advertisement.epoch
        self._peers = verify_advertisements(advertisements, epoch, self._domain, self._verifier)
        self.keys.identity.meet(self._peers)

    def joint_server(self, advertisements: Sequence[Advertisement]) -> JointServer:
        """The cloud's side of this epoch's sums over hospitals, for an engine that plays the cloud as well.

        Raises:
            SecAggError: a signature or the roster is bad.
        """
        return JointServer(
            epoch=self.keys.advertisement.epoch,
            advertisements=advertisements,
            session=self.session,
            verifier=self._verifier,
            domain=self._domain,
        )

    @property
    def roster(self) -> Roster:
        """The epoch's roster.

        Raises:
            SpecError: no epoch has begun.
        """
        if self._roster is None:
            raise SpecError(f"hospital {self.hospital} has enrolled no devices yet")
        return self._roster

    def enrol(self, epoch: int, advertisements: Sequence[Advertisement]) -> Roster:
        """Verify and keep the epoch's advertisements.

        Raises:
            SecAggError: a signature or the roster is bad.
        """
        self._roster = verify_advertisements(advertisements, epoch, self._domain, self._verifier)
        return self._roster

    def snapshot(self) -> Snapshot:
        """What the edge holds between two rounds; its validation rows are no part of it."""
        keys, advertisements = self.keys, [item.encode() for item in self.roster.values()]
        return Snapshot(
            secrets={
                "identity": keys.identity.to_bytes(),
                "noise_seed": keys.noise_seed,
                "journal": self._journal.to_bytes(),
                "roster": b"".join(len(item).to_bytes(2, "big") + item for item in advertisements),
            }
        )

    def restore(self, snapshot: Snapshot) -> Roster:
        """Go on where a snapshot was taken; the other hospitals come with `rejoin`.

        Returns:
            The devices' roster, verified.

        Raises:
            CheckpointError: the snapshot lacks something.
            SecAggError: it is malformed, or a signature is bad.
        """
        identity = EpochIdentity.from_bytes(snapshot.secret("identity"), self._domain)
        reader, advertisements = Reader(snapshot.secret("roster")), []
        while reader.remaining:
            advertisements.append(Advertisement.decode(reader.take(reader.unsigned(2))))
        self._keys = HospitalKeys(identity, snapshot.secret("noise_seed"))
        self._journal.restore(snapshot.secret("journal"))
        return self.enrol(identity.epoch, advertisements)

    def rejoin(self, advertisements: Sequence[Advertisement]) -> None:
        """Take back the hospitals' keys of this epoch after `restore`.

        Raises:
            SecAggError: a signature is bad, or they are not those that this hospital has met.
        """
        peers = verify_advertisements(advertisements, self.keys.identity.epoch, self._domain, self._verifier)
        self.keys.identity.rejoin(peers)
        self._peers = peers

    def hold_validation(self, rows: ValidationRows) -> None:
        """Keep the rows that this hospital validates on."""
        self._validation = rows

    @property
    def validation(self) -> ValidationRows:
        """The hospital's validation rows.

        Raises:
            SpecError: it has none yet.
        """
        if self._validation is None:
            raise SpecError(f"hospital {self.hospital} holds no validation rows yet")
        return self._validation

    def calls(
        self, round_number: int, ready: Sequence[ReadyDevice], beacon: bytes, terms: CohortTerms
    ) -> list[Called]:
        """Draw the round's cohorts: for each a call, and the addresses it goes to.

        Raises:
            SpecError: a ready device is not enrolled, or the draw cannot work.
        """
        unknown = [line.address.hex() for line in ready if line.address not in self.roster]
        if unknown:
            raise SpecError(
                f"hospital {self.hospital}: ready devices that are not enrolled: {', '.join(unknown)}"
            )
        cohorts = draw_cohorts(
            beacon,
            self.hospital,
            [terms.link_class(line) for line in ready],
            cohort_size=terms.cohort_size,
            k_min=terms.k_min,
        )
        return [
            Called(
                CohortCall(
                    round_number=round_number,
                    hospital=self.hospital,
                    session=self.session,
                    beacon=beacon,
                    ready=tuple(ready),
                    cohort=index,
                ),
                tuple(ready[position].address for position in cohort.positions),
                cohort.link_class,
            )
            for index, cohort in enumerate(cohorts)
        ]

    def aggregator(
        self, call: CohortCall, terms: CohortTerms, subject: bytes, *, keeps_transcript: bool = False
    ) -> SecAggServer:
        """The server side of a called cohort's secure aggregation."""
        return SecAggServer(
            called_cohort(call, terms, subject).plan,
            self.roster,
            self._verifier,
            self._domain,
            keeps_transcript=keeps_transcript,
        )

    def cohort_sum(self, called: Called, spec: RoundSpec, result: SecAggResult) -> CohortSum:
        """What the hospital knows of a cohort whose secure aggregation succeeded."""
        lines = {line.address: line for line in called.call.ready}
        survivors = tuple(sorted(result.survivors))
        sealed = self._sealed(called.call, spec, result)
        report = CohortReport(
            hospital=self.hospital,
            cohort=called.call.cohort,
            members=called.members,
            survivors=survivors,
            rows=sum(spec.credited_rows(lines[a].rows, lines[a].device_class) for a in survivors),
            failure=None,
            link_class=called.link_class,
            signatures=dict(result.signatures),
            masked_hashes=dict(result.masked_hashes),
            deposited_hash=result.deposited_hash,
            transcript_hash=sha256(sealed) if sealed else b"",
        )
        return CohortSum(report, Ring(spec.bits, len(result.sum)).inverse(result.sum), sealed)

    def _sealed(self, call: CohortCall, spec: RoundSpec, result: SecAggResult) -> bytes:
        """The transcript of a sum for the spec's auditor; empty where none is kept."""
        if result.transcript is None:
            return b""
        place = TranscriptPlace(self.session, call.round_number, self.hospital, call.cohort)
        seed = b"" if spec.noise is None else self.keys.noise_seed
        return OpenedTranscript(result.transcript, seed).seal(bytes.fromhex(spec.auditor), place)

    def release(self, public: PublicDraw, spec: RoundSpec, sums: Sequence[CohortSum]) -> tuple[Release, ...]:
        """What leaves the hospital of its cohorts' sums: each, their sum, or nothing, as the profile says.

        Global noise is on each of them.

        Raises:
            SpecError: the sum could leave the range of 64 bits, or the spec is not the public one.
        """
        self._check(public, spec)
        if not sums or spec.profile is Profile.PRIVATE:
            return ()
        if spec.profile is Profile.HOSPITAL:
            whole = summed_up(spec, self.hospital, sums)
            return (self._noised(public, spec, whole),)
        apart = (
            Release(self.hospital, item.report.cohort, *counts_of(spec, [item.report]), item.total)
            for item in sums
        )
        return tuple(self._noised(public, spec, release) for release in apart)

    def _check(self, public: PublicDraw, spec: RoundSpec) -> None:
        """Noise and profile are those of the public spec, not of any that the cloud hands out."""
        if spec.digest != public.spec_hash:
            raise SpecError(f"round {public.round_number}: the plan's spec is not the public one")

    def _noised(self, public: PublicDraw, spec: RoundSpec, release: Release) -> Release:
        """The sum with the hospital's global noise."""
        return with_global_noise(
            release,
            spec,
            seed=self.keys.noise_seed,
            beacon=public.beacon,
            round_number=public.round_number,
        )

    def join_hospitals(self, public: PublicDraw, spec: RoundSpec, sums: Sequence[CohortSum]) -> SecAggClient:
        """Join the sum over hospitals (profile `private`) with the sum of this hospital's cohorts, and its noise.

        Raises:
            SpecError: too few hospitals, a sum that could leave the range of 64 bits, or a spec that is not public.
            SecAggError: the hospitals have not met, or the round has passed.
        """
        self._check(public, spec)
        if self._peers is None:
            raise SpecError(f"hospital {self.hospital} has met no other hospitals yet")
        whole = summed_up(spec, self.hospital, sums)
        padded = np.zeros(spec.terms.lengths[0], dtype=np.int64)
        padded[: len(whole.total)] = whole.total
        vector = self._noised(public, spec, replace(whole, total=padded)).total.view(np.uint64)
        plan = joint_plan(public.round_number, self.session, self._peers, spec, public.subject)
        keys = self.keys
        return SecAggClient(
            keys.identity, plan, self._peers, vector, self._journal, self._account, self._domain
        )

    def value(
        self, spec: RoundSpec, start: NDArray[np.float32], means: Sequence[NDArray[np.float64]]
    ) -> list[int]:
        """Utilities of cohorts' mean updates (float64 (d,) each) on this hospital's validation rows."""
        rows = self.validation
        return cohort_utilities(
            spec.model,
            start,
            means,
            rows.features,
            rows.labels,
            clip=spec.utility_clip,
            step=spec.utility_step,
        )

    def path_gains(
        self,
        spec: RoundSpec,
        start: NDArray[np.float32],
        after: NDArray[np.float32],
        means: Sequence[NDArray[np.float64]],
    ) -> list[int]:
        """What cohorts' mean updates contributed to the way from `start` to `after`, on the same rows."""
        rows = self.validation
        return path_utilities(
            spec.model,
            start,
            means,
            rows.features,
            rows.labels,
            after=after,
            clip=spec.utility_clip,
            step=spec.utility_step,
        )

    def score(self, spec: RoundSpec, model: NDArray[np.float32]) -> int:
        """Score of a model on this hospital's validation rows, 0..10_000."""
        return model_score(spec.model, model, self.validation.features, self.validation.labels)
