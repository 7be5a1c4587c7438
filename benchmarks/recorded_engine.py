"""An engine that records rounds without training and masking: every signature is real, every sum is made up.

The audit recomputes as much from such records, from as many bytes, as from those of devices that trained. What is left
out (key agreement of all pairs, training, masks, three of four hospitals recomputing each round) is most of what a
simulated round takes, and none of what its audit takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fl_core.engine import InProcessEngine
from fl_core.hospital_part import HospitalPart
from fl_core.round_plan import RoundPlan
from fl_core.secagg import Roster, SecAggResult, masked_input_message
from fl_core.signing import Domain, Signer
from fl_core.spec import epoch_of
from fl_core.tiers import PublicDraw, called_cohort
from incentives import Finding
from scripts.federation.facts import LedgerFacts
from scripts.federation.record import RoundRecord
from scripts.federation.run import Run

_SPREAD = 1_000  # of the made-up sums' entries, in integer steps: far within any clip

Signers = Callable[[int, int, int], Signer]
"""A device's account by (hospital, index, epoch)."""


@dataclass
class RecordedEngine(InProcessEngine):
    """Plays the devices of a run whose sums nobody needs.

    Attributes:
        signers: the devices' accounts.
        domain: EIP-712 domain of the run.
    """

    signers: Signers | None = field(default=None, kw_only=True)
    domain: Domain | None = field(default=None, kw_only=True)

    def _meet(self, rosters: Sequence[Roster]) -> None:
        """Nobody masks, so nobody agrees on keys."""

    def _sum_cohorts(self, parts: Sequence[HospitalPart], plan: RoundPlan, public: PublicDraw) -> None:
        assert self.signers is not None
        assert self.domain is not None
        for part in parts:
            hospital = part.hospital
            part.refusals.clear()
            places = {device.address: index for index, device in enumerate(hospital.devices)}
            for called in part.called:
                cohort = called_cohort(called.call, plan.spec.terms, public.subject).plan
                rng = np.random.default_rng((plan.number, hospital.id, called.call.cohort))
                deposited, signatures, masked = rng.bytes(32), {}, {}
                for address in cohort.members:
                    masked[address] = rng.bytes(32)
                    signer = self.signers(hospital.id, places[address], epoch_of(plan.number))
                    message = masked_input_message(self.domain, cohort, deposited, masked[address])
                    signatures[address] = signer.sign(message)
                total = rng.integers(-_SPREAD, _SPREAD, cohort.dim).astype(np.uint64)
                result = SecAggResult(
                    sum=total & np.uint64((1 << cohort.bits) - 1),
                    survivors=cohort.members,
                    signatures=signatures,
                    masked_hashes=masked,
                    deposited_hash=deposited,
                )
                summed = hospital.edge.cohort_sum(called, plan.spec, result)
                part.sums.append(summed)
                part.reports.append(summed.report)


class _Follower:
    """A hospital that attests what the first one has recomputed."""

    def check(self, _record: RoundRecord, _facts: LedgerFacts | None = None) -> list[Finding]:
        """Nothing of its own."""
        return []


def record_only(run: Run, signers: Signers, domain: Domain) -> None:
    """Let a new run record its rounds without training, with one hospital that recomputes them."""
    plain, coordinator = run.population.engine, run._coordinator
    run.population.engine = RecordedEngine(plain.hospitals, plain.faults, signers=signers, domain=domain)
    first, *others = coordinator._checkers
    for hospital in others:
        coordinator._checkers[hospital] = _Follower()  # type: ignore[assignment]
    assert first in coordinator._checkers
