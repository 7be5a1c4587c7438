"""The hospital's edge: lists ready devices, runs secure aggregation per cohort, values the others' cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_core.cohorts import ReadyDevice, draw_cohorts
from fl_core.errors import SpecError
from fl_core.secagg import Advertisement, Roster, SecAggResult, SecAggServer, verify_advertisements
from fl_core.signing import Domain, Verifier
from fl_core.spec import RoundSpec
from fl_core.tiers.draw import cohort_plan
from fl_core.tiers.messages import CohortCall, CohortSum
from fl_core.valuation import cohort_utilities, model_score


@dataclass(frozen=True)
class ValidationRows:
    """A hospital's own validation rows: features float32 (n, f), labels int64 (n,). Never trained on."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


class Edge:
    """One hospital's edge server."""

    def __init__(self, *, hospital: int, session: bytes, verifier: Verifier, domain: Domain) -> None:
        """Start an edge.

        Args:
            hospital: the hospital's id, from 1.
            session: 32 bytes that name the run, the same for all its edges.
            verifier: checks the devices' signatures.
            domain: EIP-712 domain of the run.
        """
        self.hospital = hospital
        self.session = session
        self._verifier = verifier
        self._domain = domain
        self._roster: Roster | None = None
        self._validation: ValidationRows | None = None

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
        self, round_number: int, ready: Sequence[ReadyDevice], beacon: bytes, *, cohort_size: int, k_min: int
    ) -> list[tuple[CohortCall, tuple[bytes, ...]]]:
        """Draw the round's cohorts: for each a call, and the addresses it goes to.

        Raises:
            SpecError: a ready device is not enrolled, or the draw cannot work.
        """
        unknown = [line.address.hex() for line in ready if line.address not in self.roster]
        if unknown:
            raise SpecError(
                f"hospital {self.hospital}: ready devices that are not enrolled: {', '.join(unknown)}"
            )
        cohorts = draw_cohorts(beacon, self.hospital, len(ready), cohort_size=cohort_size, k_min=k_min)
        return [
            (
                CohortCall(
                    round_number=round_number,
                    hospital=self.hospital,
                    session=self.session,
                    beacon=beacon,
                    ready=tuple(ready),
                    cohort=index,
                ),
                tuple(ready[position].address for position in cohort),
            )
            for index, cohort in enumerate(cohorts)
        ]

    def aggregator(
        self, call: CohortCall, *, cohort_size: int, k_min: int, bits: int, dim: int, subject: bytes
    ) -> SecAggServer:
        """The server side of a called cohort's secure aggregation."""
        plan = cohort_plan(call, cohort_size=cohort_size, k_min=k_min, bits=bits, dim=dim, subject=subject)
        return SecAggServer(plan, self.roster, self._verifier, self._domain)

    def cohort_sum(
        self, call: CohortCall, spec: RoundSpec, members: tuple[bytes, ...], result: SecAggResult
    ) -> CohortSum:
        """What leaves the hospital of a cohort whose secure aggregation succeeded."""
        lines = {line.address: line for line in call.ready}
        survivors = tuple(sorted(result.survivors))
        return CohortSum(
            hospital=self.hospital,
            cohort=call.cohort,
            members=members,
            survivors=survivors,
            total=spec.fixed_point.signed(result.sum),
            rows=sum(spec.credited_rows(lines[a].rows, lines[a].device_class) for a in survivors),
            failure=None,
            signatures=dict(result.signatures),
            masked_hashes=dict(result.masked_hashes),
            deposited_hash=result.deposited_hash,
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

    def score(self, spec: RoundSpec, model: NDArray[np.float32]) -> int:
        """Score of a model on this hospital's validation rows, 0..10_000."""
        return model_score(spec.model, model, self.validation.features, self.validation.labels)
