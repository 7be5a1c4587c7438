"""What the contracts keep and take, as frozen data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chain.connect import NOBODY
from chain.phases import HospitalStatus, OrderStatus, Phase, ProposalState, Standing
from chain.shapes import LeafLike, NodeLike


@dataclass(frozen=True)
class Lanes:
    """Sums of a Merkle-sum tree's node."""

    n: int
    volume: int
    compute: int
    weight_treasury: int
    weight_device: int


@dataclass(frozen=True)
class Node:
    """A node of a Merkle-sum tree."""

    hash: bytes
    lanes: Lanes


@dataclass(frozen=True)
class Leaf:
    """A device's contribution in one round; `payee` None means the hospital's treasury."""

    slot: int
    device_class: int
    payee: str | bytes | None
    volume: int
    quality: int
    compute: int
    salt: bytes


@dataclass(frozen=True)
class Claim:
    """One leaf to be paid, with its siblings from the bottom of the tree to the root's children."""

    round: int
    hospital: int
    leaf: LeafLike
    siblings: Sequence[NodeLike]


@dataclass(frozen=True)
class RuleRecord:
    """A reward rule. `w_*` sum to 10_000, and so do `share_*`; caps by device class."""

    w_volume: int
    w_quality: int
    w_compute: int
    device_gate: int
    hospital_gate: int
    share_volume: int
    share_compute: int
    operator_bps: int
    volume_cap: tuple[int, int, int, int]
    compute_cap: tuple[int, int, int, int]


@dataclass(frozen=True)
class HospitalRecord:
    """A hospital of the consortium. `bond` in the settlement token's smallest unit."""

    id: int
    account: str
    capacity_bps: int
    status: HospitalStatus
    bond: int
    bond_release_at: int

    @property
    def active(self) -> bool:
        """Whether it may act."""
        return self.status is HospitalStatus.ACTIVE


@dataclass(frozen=True)
class AccountTenure:
    """When an account (20 bytes) acted for a hospital, in unix seconds; `until` is None while it does."""

    account: bytes
    since: int
    until: int | None

    def touches(self, start: int, end: int | None) -> bool:
        """Whether it acted at some time from `start` to `end`, or since `start`."""
        return (end is None or self.since <= end) and (self.until is None or self.until >= start)


@dataclass(frozen=True)
class ProposalRecord:
    """A proposal of the council: one call.

    Attributes:
        id: its id, from 1.
        state: where it stands now.
        proposer: the hospital that made it.
        target: the contract to be called.
        data: selector and arguments.
        electorate: hospitals that were active when it was made.
        supporters: those that voted for it.
        counted: how many of the supporters are active now.
        threshold: how many it takes.
        voting_ends_at: until when votes are taken (unix seconds).
        executable_at: from when it can be executed (unix seconds); 0 until it is queued.
        expires_at: from when it no longer can (unix seconds).
    """

    id: int
    state: ProposalState
    proposer: int
    target: str
    data: bytes
    electorate: frozenset[int]
    supporters: frozenset[int]
    counted: int
    threshold: int
    voting_ends_at: int
    executable_at: int
    expires_at: int


@dataclass(frozen=True)
class LedgerParams:
    """What is fixed at the ledger's deployment; amounts in the smallest unit, durations in seconds."""

    max_supply: int
    initial_emission: int
    emission_decay_bps: int
    bonus_per_point: int
    bonus_cap: int
    k_min: int
    rho_cap_micro: int
    ready_seconds: int
    training_seconds: int
    commit_seconds: int
    reveal_seconds: int
    entry_seconds: int
    attest_seconds: int
    challenge_seconds: int
    idle_seconds: int
    max_freeze_seconds: int
    disclosed_tree: str = NOBODY


@dataclass(frozen=True)
class RoundRecord:
    """A round as the ledger has it; zeros where it has not come so far. Times in unix seconds."""

    round: int
    phase: Phase
    paid: bool
    profile: int
    rule_id: int
    active: frozenset[int]
    hospital_count: int
    opener: int
    spec_hash: bytes
    model_hash: bytes
    model_hash_after: bytes
    beacon: bytes
    ready_block: int
    phase_deadline: int
    opened_at: int
    closed_at: int
    claimable_at: int
    budget: int
    accepted_digest: bytes
    rho_micro: int
    median_model_score: int


@dataclass(frozen=True)
class EntryRecord:
    """A hospital's part in a round; `root` is 32 zero bytes without an entry."""

    round: int
    hospital: int
    root: bytes
    lanes: Lanes
    ready: bool
    committed: bool
    revealed: bool
    submitted: bool
    attested: bool
    frozen: bool
    voided: bool
    quality: int
    allocation: int


@dataclass(frozen=True)
class ClaimTerms:
    """What decides on a claim against a hospital's entry; all but `standing` is zero unless it is held or payable."""

    standing: Standing
    device_quality_scored: bool
    root: bytes
    allocation: int
    rule: RuleRecord


@dataclass(frozen=True)
class EpochRegistration:
    """What a hospital registered for an epoch; zeros without one."""

    roster_root: bytes
    noise_seed_commitment: bytes
    roster_size: int


@dataclass(frozen=True)
class ServiceRecord:
    """A service at the redemption desk. Price in the token's smallest unit, durations in seconds."""

    id: int
    provider: int
    price: int
    fulfil_seconds: int
    buyer_seconds: int
    retired: bool
    metadata_hash: bytes


@dataclass(frozen=True)
class OrderRecord:
    """An order at the redemption desk; `deadline` of its present status (unix seconds), 0 once it is over."""

    id: int
    buyer: str
    service_id: int
    status: OrderStatus
    deadline: int


@dataclass(frozen=True)
class Consent:
    """A payee's consent that a relayer claims for it, rounds inclusive, `deadline` in unix seconds."""

    payee: str
    relayer: str
    from_round: int
    to_round: int
    deadline: int
