"""What a server and the devices in its pocket can work out from everything they ever saw of an attempt.

The attack is complete in this sense: it reconstructs every secret of which enough shares are known, decrypts every
table whose secret is known, takes every known mask off every masked input, and then finds every sum of inputs in which
the masks that are left cancel. Masks that are not known occur in one or two masked inputs each, with opposite signs, so
these sums are those of whole connected groups of devices, and there are no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fl_core.secagg import CohortPlan, SecAggError
from fl_core.secagg import messages as wire
from fl_core.secagg.masking import MaskKey, apply_masks, ring_mask
from fl_core.secagg.pairwise import SEED_BYTES, PairSecrets, crypt_table
from fl_core.secagg.shamir import ELEMENT_BYTES, Interpolation, decode_element, encode_element

A, B = 0, 1  # the two secrets of a device, in the order in which they are shared


@dataclass
class Shown:
    """What one device was told: the attempt it believes in, and the lists."""

    attempt: bytes = b""
    advertised: tuple[int, ...] = ()
    deposited: tuple[int, ...] = ()
    survivors: tuple[int, ...] = ()


@dataclass
class View:
    """All that server and colluders have.

    `pair_keys` are the round's keys of colluders with every member; `openings` are answers with the survivors that
    the device which answered had been shown.
    """

    plan: CohortPlan
    pair_keys: Mapping[tuple[int, int], bytes]
    shown: dict[int, Shown] = field(default_factory=dict)
    deposits: dict[int, wire.Deposit] = field(default_factory=dict)
    masked: dict[int, np.ndarray] = field(default_factory=dict)
    openings: list[tuple[int, tuple[int, ...], wire.Openings]] = field(default_factory=list)

    @property
    def colluders(self) -> frozenset[int]:
        return frozenset(member for member, _ in self.pair_keys)

    @property
    def honest(self) -> tuple[int, ...]:
        return tuple(member for member in range(self.plan.size) if member not in self.colluders)

    def pair(self, colluder: int, peer: int) -> PairSecrets:
        """What the two share in the attempt that the peer believes in."""
        return PairSecrets.derive(self.pair_keys[colluder, peer], self.shown[peer].attempt, colluder, peer)


def known_shares(view: View) -> dict[tuple[int, int], dict[int, int]]:
    """By dealer and secret: shares by holder, from boxes sealed to colluders and from what was opened."""
    plan, shares = view.plan, {}
    for dealer, deposit in view.deposits.items():
        attempt, advertised = view.shown[dealer].attempt, view.shown[dealer].advertised
        for receiver, box in zip(plan.neighbours_among(dealer, advertised), deposit.sealed, strict=True):
            if (receiver, dealer) not in view.pair_keys:
                continue
            try:
                opened = view.pair(receiver, dealer).open_shares(attempt, receiver, dealer, box)
            except SecAggError:
                continue
            for which, half in ((A, opened[:ELEMENT_BYTES]), (B, opened[ELEMENT_BYTES:])):
                shares.setdefault((dealer, which), {})[receiver] = decode_element(half)
    for responder, survivors, openings in view.openings:
        dealers = sorted((responder, *plan.neighbours_among(responder, view.shown[responder].deposited)))
        for dealer, share in zip(dealers, openings.shares, strict=True):
            which = B if dealer in survivors else A
            shares.setdefault((dealer, which), {})[responder] = decode_element(share)
    return shares


def known_secrets(view: View) -> dict[tuple[int, int], int]:
    """By dealer and secret: every a and b of which enough shares are known, held to what was deposited."""
    found = {}
    for (dealer, which), held in known_shares(view).items():
        holders = sorted(held)[: view.plan.threshold]
        if len(holders) == view.plan.threshold and dealer in view.deposits:
            points = [1 + view.plan.holders(dealer).index(holder) for holder in holders]
            secret = Interpolation(points).secret([held[holder] for holder in holders])
            if _fits(view, dealer, which, secret):
                found[dealer, which] = secret
    return found


def _fits(view: View, dealer: int, which: int, secret: int) -> bool:
    deposit = view.deposits[dealer]
    if which == B:
        return MaskKey.from_seed(encode_element(secret)).check == deposit.self_check
    table = crypt_table(secret, view.shown[dealer].attempt, deposit.table)
    return MaskKey.from_seed(table[:SEED_BYTES]).check == deposit.checks[0]


def known_pair_seeds(
    view: View, secrets: Mapping[tuple[int, int], int]
) -> dict[tuple[bytes, int, int], bytes]:
    """By attempt and pair: seeds of masks, from colluders' keys and from tables whose secret is known."""
    seeds = {}
    for colluder, peer in view.pair_keys:
        if peer in view.shown:
            seeds[view.shown[peer].attempt, *sorted((colluder, peer))] = view.pair(colluder, peer).seed
    for (dealer, which), secret in secrets.items():
        if which == A:
            shown, deposit = view.shown[dealer], view.deposits[dealer]
            table = crypt_table(secret, shown.attempt, deposit.table)
            for place, peer in enumerate(view.plan.neighbours_among(dealer, shown.advertised)):
                seed = table[place * SEED_BYTES : (place + 1) * SEED_BYTES]
                seeds[shown.attempt, *sorted((dealer, peer))] = seed
    return seeds


def residues(view: View) -> dict[int, tuple[np.ndarray, set]]:
    """By honest device: its masked input without the masks that are known, and names of those that stay on it."""
    secrets, found = known_secrets(view), {}
    seeds = known_pair_seeds(view, secrets)
    for member in view.honest:
        if member not in view.masked:
            continue
        shown, words, unknown, masks = view.shown[member], view.masked[member].copy(), set(), []
        if (member, B) in secrets:
            masks.append((MaskKey.from_seed(encode_element(secrets[member, B])), -1))
        else:
            unknown.add((b"own", member))
        for peer in view.plan.neighbours_among(member, shown.deposited):
            name = (shown.attempt, *sorted((member, peer)))
            if name in seeds:
                masks.append((MaskKey.from_seed(seeds[name]), -1 if member < peer else 1))
            else:
                unknown.add(name)
        apply_masks(words, masks)
        found[member] = (words & ring_mask(view.plan.bits), unknown)
    return found


def learnt_sums(view: View) -> dict[frozenset[int], list[int]]:
    """Every group of honest devices whose sum of inputs the view determines, and that sum."""
    left, bits = residues(view), view.plan.bits
    return {
        group: summed([left[member][0] for member in group], bits)
        for group in _connected(left)
        if _cancels([left[member][1] for member in group])
    }


def summed(vectors: Iterable[np.ndarray], bits: int) -> list[int]:
    """The sum in Python integers, modulo 2^bits."""
    return [sum(column) % (1 << bits) for column in zip(*(v.tolist() for v in vectors), strict=True)]


def _connected(left: Mapping[int, tuple[np.ndarray, set]]) -> list[frozenset[int]]:
    groups: list[tuple[set[int], set]] = []
    for member, (_, unknown) in left.items():
        touching = [group for group in groups if group[1] & unknown]
        groups = [group for group in groups if not group[1] & unknown]
        members = {member}.union(*(group[0] for group in touching))
        groups.append((members, set(unknown).union(*(group[1] for group in touching))))
    return [frozenset(members) for members, _ in groups]


def _cancels(unknown: list[set]) -> bool:
    """Whether every mask that stays on the group is on two of its members, and so adds up to nothing."""
    names = [name for names in unknown for name in names]
    return all(names.count(name) == 2 for name in names)
