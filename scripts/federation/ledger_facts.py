"""From the chain's history of a round to plain facts, and to what closing it should have given."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

from chain.contracts import Contracts
from chain.history import RoundHistory, Where
from chain.records import Lanes as ChainLanes
from chain.records import Node as ChainNode
from fl_core.spec import epoch_of
from incentives import (
    FULL_SCORE,
    EmissionTerms,
    HospitalRound,
    IncentivesError,
    Lanes,
    LedgerState,
    Node,
    Profile,
    RecordedAllocation,
    RecordedClose,
    RecordedEntry,
    Reveal,
    RewardRule,
    RoundOutcome,
    close_round,
)
from scripts.federation.facts import EntryFacts, LedgerFacts, RevealFacts


def facts_of(contracts: Contracts, history: RoundHistory) -> LedgerFacts:
    """A round as the ledger recorded it."""
    record = history.record
    epoch = epoch_of(record.round)
    registrations = {h: contracts.ledger.epoch_registration(h, epoch) for h in sorted(record.active)}
    return LedgerFacts(
        number=record.round,
        chain_id=contracts.ledger.chain_id,
        ledger=bytes.fromhex(contracts.ledger.address[2:]),
        k_min=contracts.ledger.params().k_min,
        profile=record.profile,
        rho_micro=record.rho_micro,
        spec_hash=record.spec_hash,
        model_hash=record.model_hash,
        model_hash_after=record.model_hash_after,
        beacon=record.beacon,
        rule=asdict(history.rule),
        roster_roots={h: item.roster_root for h, item in registrations.items()},
        commitments={h: item.noise_seed_commitment for h, item in registrations.items()},
        ready=history.ready,
        reveals={
            item.hospital: RevealFacts(item.scores, item.model_score, item.utilities_digest)
            for item in history.reveals
        },
        entries={
            item.hospital: EntryFacts(
                RecordedEntry(
                    left=_node(item.left), right=_node(item.right), root=item.root, lanes=_lanes(item.lanes)
                ),
                item.bundle_digest,
            )
            for item in history.submissions
        },
        accounts=contracts.consortium.accounts_of(sorted(record.active)),
        opened_at=record.opened_at,
        closed_at=record.closed_at or None,
        accepted_digest=record.accepted_digest if any(record.accepted_digest) else None,
        close=_close(history),
        hospitals=record.hospital_count,
        quality_commitments=history.commitments,
        attested={item.hospital: item.digest for item in history.attestations},
    )


@dataclass
class LedgerReplay:
    """Closes the ledger's rounds again, one after the other, from what was revealed, entered, attested and voided.

    Attributes:
        terms: what deployment fixed.
        capacities_bps: each hospital's capacity.
        state: the ledger's running figures after the last round replayed.
        qualities: each hospital's last accepted quality.
        earlier: the rounds replayed so far, with what disputes had taken back of each when it was last looked at.
    """

    terms: EmissionTerms
    capacities_bps: dict[int, int]
    state: LedgerState
    qualities: dict[int, int] = field(default_factory=dict)
    earlier: list[tuple[RoundHistory, dict[int, int]]] = field(default_factory=list)

    @classmethod
    def begin(cls, contracts: Contracts) -> LedgerReplay:
        """Before the ledger's first round."""
        params = contracts.ledger.params()
        return cls(
            terms=EmissionTerms(
                max_supply=params.max_supply,
                decay_bps=params.emission_decay_bps,
                bonus_per_point=params.bonus_per_point,
                bonus_cap=params.bonus_cap,
            ),
            capacities_bps={h.id: h.capacity_bps for h in contracts.consortium.hospitals()},
            state=LedgerState(total_allocated=0, next_emission=params.initial_emission),
        )

    def close(self, history: RoundHistory) -> RoundOutcome:
        """What closing this round, the next one in order, should have given.

        Raises:
            IncentivesError: the round has not closed.
        """
        if history.closing is None:
            raise IncentivesError(f"round {history.record.round} has not closed: there is nothing to replay")
        self._take_back(history.closing.where)
        voided = history.voided_before(history.closing.where)
        reveals = {item.hospital: Reveal(item.scores, item.model_score) for item in history.reveals}
        lanes = {item.hospital: _lanes(item.lanes) for item in history.submissions}
        attested = {item.hospital: item.digest for item in history.attestations}
        hospitals = [
            HospitalRound(
                hospital=hospital,
                capacity_bps=self.capacities_bps[hospital],
                lanes=lanes.get(hospital),
                reveal=reveals.get(hospital),
                attested=attested.get(hospital),
                voided=hospital in voided,
                last_quality=self.qualities.get(hospital, FULL_SCORE),
            )
            for hospital in sorted(history.record.active)
        ]
        rule = RewardRule(**asdict(history.rule))
        outcome = close_round(rule, Profile(history.record.profile), hospitals, self.state, self.terms)
        self.state = outcome.state
        self.qualities |= outcome.last_qualities
        self.earlier.append((history, voided))
        return outcome

    def _take_back(self, closing: Where) -> None:
        """Take what was voided of closed rounds since the last closing off the total."""
        total = self.state.total_allocated
        for position, (history, seen) in enumerate(self.earlier):
            voided = history.voided_before(closing)
            total -= sum(amount for hospital, amount in voided.items() if hospital not in seen)
            self.earlier[position] = (history, voided)
        self.state = replace(self.state, total_allocated=total)


def _close(history: RoundHistory) -> RecordedClose | None:
    closing = history.closing
    if closing is None:
        return None
    return RecordedClose(
        paid=closing.paid,
        accepted_digest=closing.digest if any(closing.digest) else None,
        budget=closing.budget,
        bonus=closing.bonus,
        total_volume=closing.total_volume,
        total_compute=closing.total_compute,
        allocations={
            item.hospital: RecordedAllocation(
                quality=item.quality, share_e18=item.share_e18, amount=item.amount
            )
            for item in history.allocations
        },
    )


def _lanes(lanes: ChainLanes) -> Lanes:
    return Lanes(lanes.n, lanes.volume, lanes.compute, lanes.weight_treasury, lanes.weight_device)


def _node(node: ChainNode) -> Node:
    return Node(node.hash, _lanes(node.lanes))
