"""What the ledger says of a round, as plain facts to hold a bundle against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chain.records import AccountTenure
from incentives import RecordedClose, RecordedEntry


@dataclass(frozen=True)
class RevealFacts:
    """A hospital's reveal: scores of the others (0..10,000), score of the new model, digest of its utilities."""

    scores: Mapping[int, int]
    model_score: int
    utilities_digest: bytes


@dataclass(frozen=True)
class EntryFacts:
    """A hospital's entry as submitted, and the digest of its part of the bundle."""

    entry: RecordedEntry
    bundle_digest: bytes


@dataclass(frozen=True)
class LedgerFacts:
    """A round as the ledger recorded it.

    Attributes:
        number: the round.
        chain_id: id of the chain.
        ledger: address of the ledger, 20 bytes.
        k_min: fewest devices whose sum may be seen, fixed at deployment.
        profile: the profile's number.
        rho_micro: declared privacy loss, in millionths of rho.
        spec_hash: 32 bytes.
        model_hash: of the starting model, 32 bytes.
        model_hash_after: of the resulting model, 32 bytes.
        beacon: 32 bytes.
        rule: the reward rule frozen into the round, field by field.
        roster_roots: each hospital's roster root of the epoch.
        commitments: each hospital's commitment to its own keys and noise seed of the epoch.
        ready: each hospital's ready-list digest.
        reveals: by hospital.
        entries: by hospital.
        accounts: every account that acts or acted for each hospital.
        opened_at: when the round was opened, in unix seconds.
        closed_at: when it was closed, None before.
        accepted_digest: bundle digest that reached quorum, or None before.
        close: what the ledger says of the closing, or None before.
        hospitals: ids reach up to this number, in the ledger's packing of scores; 0 where that is not known.
        quality_commitments: what each hospital committed to as a validator, where that is known.
        attested: the bundle digest that each hospital attested.
    """

    number: int
    chain_id: int
    ledger: bytes
    k_min: int
    profile: int
    rho_micro: int
    spec_hash: bytes
    model_hash: bytes
    model_hash_after: bytes
    beacon: bytes
    rule: Mapping[str, object]
    roster_roots: Mapping[int, bytes]
    commitments: Mapping[int, bytes]
    ready: Mapping[int, bytes]
    reveals: Mapping[int, RevealFacts]
    entries: Mapping[int, EntryFacts]
    accounts: Mapping[int, tuple[AccountTenure, ...]]
    opened_at: int = 0
    closed_at: int | None = None
    accepted_digest: bytes | None = None
    close: RecordedClose | None = None
    hospitals: int = 0
    quality_commitments: Mapping[int, bytes] = field(default_factory=dict)
    attested: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def unpaid(self) -> bool:
        """Whether the round closed without quorum: it may have stopped anywhere, and the ledger has a part of it."""
        return self.close is not None and not self.close.paid

    def signatories(self, hospital: int) -> frozenset[bytes]:
        """The accounts that acted for a hospital at some time in the round: what they sign binds it, as in court."""
        tenures = self.accounts.get(hospital, ())
        return frozenset(t.account for t in tenures if t.touches(self.opened_at, self.closed_at))

    def enrolled_by(self, hospital: int) -> frozenset[bytes]:
        """The accounts that had acted for a hospital by the end of the round: one of them signed the epoch's keys."""
        tenures = self.accounts.get(hospital, ())
        return frozenset(t.account for t in tenures if t.touches(0, self.closed_at))

    def has(self, recorded: Mapping[int, object], hospital: int) -> bool:
        """Whether a bundle can be held against what a hospital recorded: of an unpaid round only if it did."""
        return hospital in recorded or not self.unpaid
