"""Claims of a run: what its devices and treasuries can claim, put together from bundles, and claimed in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chain.clock import Clock
from chain.contracts import Contracts
from chain.keys import Key
from chain.records import Claim, Consent
from chain.sender import Sender
from scripts.federation.consortium import Consortium
from scripts.federation.contributions import entry_of
from scripts.federation.record import RoundRecord

CONSENT_SECONDS = 3_600
CLAIMS_A_TRANSACTION = 64


@dataclass(frozen=True)
class DeviceClaims:
    """What one payee can claim of a hospital's entries.

    Attributes:
        hospital: the hospital's id.
        payee: the device's account, 20 bytes.
        claims: leaves with proofs, by round.
    """

    hospital: int
    payee: bytes
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Payouts:
    """What a run's claims did: leaves claimed by devices, treasury parts claimed by hospitals."""

    device_claims: int
    treasury_claims: int


def claim_all(
    consortium: Consortium,
    records: Sequence[RoundRecord],
    devices: Mapping[bytes, tuple[int, int, int]],
    clock: Clock,
    *,
    hospital: int | None = None,
    device: bytes | None = None,
) -> Payouts:
    """Every device that opted in consents and its hospital relays; every hospital claims its treasury's part.

    Args:
        consortium: contracts and keys.
        records: the run's rounds.
        devices: (hospital, index, epoch) by account.
        clock: waits for the challenge window.
        hospital: claim for this hospital and its devices only.
        device: claim for this device (account, 20 bytes) only.
    """
    contracts, keyring = consortium.contracts, consortium.keyring
    rounds = [record.number for record in records]
    views = {view.round: view for view in contracts.ledger.rounds(rounds)}
    paid = frozenset(number for number, view in views.items() if view.paid)
    if paid:
        clock.wait_until(max(views[number].claimable_at for number in paid))
    hospitals = sorted({h for record in records for h in record.hospitals if hospital in (None, h)})
    relayers = {h: consortium.sender(keyring.hospital(h)) for h in hospitals}
    claimed = 0
    for due in device_claims(records):
        if due.hospital not in relayers or device not in (None, due.payee):
            continue
        open_claims = unclaimed(contracts, due, paid_rounds=paid)
        if open_claims.claims:
            key = keyring.device(*devices[due.payee])
            relayer = relayers[due.hospital]
            claimed += claim_by_relay(contracts, open_claims, key, relayer, now=clock.now())
    treasuries = 0
    if device is None:
        treasuries = sum(claim_treasury(contracts, h, relayers[h], sorted(paid)) for h in hospitals)
    return Payouts(device_claims=claimed, treasury_claims=treasuries)


def device_claims(records: Sequence[RoundRecord]) -> list[DeviceClaims]:
    """Every leaf of a run whose device has a payee of its own and weighs something."""
    found: dict[tuple[int, bytes], list[Claim]] = {}
    for record in records:
        for hospital, part in record.hospitals.items():
            if not part.contributions:
                continue
            entry = entry_of(record, part)
            for item in part.contributions:
                if item.payee is None:
                    continue
                receipt = entry.receipt(item.device)
                claim = Claim(record.number, hospital, receipt.leaf, receipt.siblings)
                found.setdefault((hospital, item.payee), []).append(claim)
    return [
        DeviceClaims(hospital, payee, tuple(claims)) for (hospital, payee), claims in sorted(found.items())
    ]


def unclaimed(contracts: Contracts, due: DeviceClaims, *, paid_rounds: frozenset[int]) -> DeviceClaims:
    """The part of `due` that is in a paid round and not claimed yet."""
    claims = tuple(
        claim
        for claim in due.claims
        if claim.round in paid_rounds
        and not contracts.distributor.is_claimed(claim.round, due.hospital, claim.leaf.slot)
    )
    return DeviceClaims(due.hospital, due.payee, claims)


def claim_by_relay(contracts: Contracts, due: DeviceClaims, device: Key, relayer: Sender, *, now: int) -> int:
    """A relayer claims for a device that consents; returns the number of claims.

    Args:
        contracts: the deployment.
        due: what to claim.
        device: the payee's key, which signs the consent and sends nothing.
        relayer: who sends and pays for the transaction.
        now: the chain's time, unix seconds.
    """
    rounds = [claim.round for claim in due.claims]
    if not rounds:
        return 0
    consent = Consent(
        payee=device.address,
        relayer=relayer.address,
        from_round=min(rounds),
        to_round=max(rounds),
        deadline=now + CONSENT_SECONDS,
    )
    signature = contracts.distributor.sign_consent(device, consent)
    for start in range(0, len(due.claims), CLAIMS_A_TRANSACTION):
        part = due.claims[start : start + CLAIMS_A_TRANSACTION]
        contracts.distributor.claim_for(relayer, part, consent, signature)
    return len(rounds)


def claim_treasury(contracts: Contracts, hospital: int, treasury: Sender, rounds: Sequence[int]) -> int:
    """A hospital claims its treasury's lane of rounds that it has not claimed yet; returns their number."""
    due = [number for number in rounds if not contracts.distributor.is_treasury_claimed(number, hospital)]
    if due:
        contracts.distributor.claim_treasury(treasury, hospital, due)
    return len(due)
