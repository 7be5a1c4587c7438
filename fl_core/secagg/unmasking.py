"""The server's last step: from opened shares to the masks that remain in the sum, each checked before it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from fl_core.secagg.errors import SecAggAbort
from fl_core.secagg.masking import MaskKey
from fl_core.secagg.messages import Deposit
from fl_core.secagg.pairwise import SEED_BYTES, crypt_table
from fl_core.secagg.plan import CohortPlan
from fl_core.secagg.reed_solomon import decode
from fl_core.secagg.shamir import Interpolation, encode_element

Mask = tuple[MaskKey, int]  # with the sign that takes it off


@dataclass(frozen=True, repr=False)
class Opened:
    """What the last stage works on.

    Attributes:
        attempt: hash of the attempt.
        advertised: indices of U1.
        deposits: by index, of U2.
        survivors: indices of U3.
        shares: by responder: by dealer, the share of b where the dealer survived, else of a.
    """

    attempt: bytes
    advertised: tuple[int, ...]
    deposits: Mapping[int, Deposit]
    survivors: tuple[int, ...]
    shares: Mapping[int, Mapping[int, bytes]]


def contradictions(plan: CohortPlan, advertised: Sequence[int], deposits: Mapping[int, Deposit]) -> set[int]:
    """Depositors to leave out so that the two check values of every remaining pair agree.

    The two of a pair see the same seed if both are honest, so every contradiction has a liar in it. Contradictions of
    which no two share a member are chosen until each other one touches a chosen one (a maximal matching), and both ends
    of each are left out: no more honest members than there are liars, whatever these arrange with each other.

    Of a chosen pair, an end that contradicts nobody who stays is taken back where the other contradicts somebody who
    does. So who contradicts several honest members leaves alone; where it is one word against one, both leave, since
    the server cannot tell which of them lies.

    Proof. Chosen pairs are disjoint, and each holds a liar: h honest members in them take h pairs, and so h liars, to
    leave. Taking back only makes fewer leave. What agrees: two members outside all chosen pairs do, or the matching
    would not be maximal; one that is taken back agrees with all who stay at that time, and nobody leaves later.
    """
    checks = {
        index: dict(zip(plan.neighbours_among(index, advertised), deposit.checks, strict=True))
        for index, deposit in deposits.items()
    }
    conflicts = {
        index: {peer for peer, check in own.items() if peer in checks and checks[peer][index] != check}
        for index, own in checks.items()
    }
    pairs: list[tuple[int, int]] = []
    left_out: set[int] = set()
    for index in sorted(conflicts, key=lambda index: (-len(conflicts[index]), index)):
        free = conflicts[index] - left_out
        if index not in left_out and free:
            pairs.append((index, min(free)))
            left_out |= {index, min(free)}
    for pair in pairs:
        settled = [end for end in pair if conflicts[end] <= left_out]
        if len(settled) == 1:
            left_out -= set(settled)
    return left_out


def remaining_masks(plan: CohortPlan, opened: Opened) -> list[Mask]:
    """The masks in the sum of the survivors' masked inputs, with the sign that takes each off.

    Raises:
        SecAggAbort: a secret that fits what was deposited cannot be reconstructed.
    """
    reconstruction = _Reconstruction(plan, opened.shares)
    survivors, masks = set(opened.survivors), []
    for index in opened.deposits:
        taken_off = _self_mask if index in survivors else _pair_masks
        masks += reconstruction.accepted(index, partial(taken_off, plan, opened, index))
    return masks


def _self_mask(_plan: CohortPlan, opened: Opened, survivor: int, secret: int) -> list[Mask] | None:
    """The survivor's own mask, None where `secret` is not the b that it deposited."""
    mask = MaskKey.from_seed(encode_element(secret))
    return [(mask, -1)] if mask.check == opened.deposits[survivor].self_check else None


def _pair_masks(plan: CohortPlan, opened: Opened, dropped: int, secret: int) -> list[Mask] | None:
    """The masks between survivors and a dropped member, None where `secret` is not the a that it deposited."""
    deposit, survivors, masks = opened.deposits[dropped], set(opened.survivors), []
    table = crypt_table(secret, opened.attempt, deposit.table)
    for position, peer in enumerate(plan.neighbours_among(dropped, opened.advertised)):
        if peer in survivors:
            mask = MaskKey.from_seed(table[position * SEED_BYTES : (position + 1) * SEED_BYTES])
            if mask.check != deposit.checks[position]:
                return None
            masks.append((mask, -1 if peer < dropped else 1))
    return masks


class _Reconstruction:
    """Secrets from shares. Responders whose shares fitted so far go first, so Lagrange coefficients are reused."""

    def __init__(self, plan: CohortPlan, shares: Mapping[int, Mapping[int, bytes]]) -> None:
        self._plan = plan
        self._shares = shares
        self._misfits: Counter[int] = Counter()
        self._interpolations: dict[tuple[int, ...], Interpolation] = {}

    def accepted(self, dealer: int, accept: Callable[[int], list[Mask] | None]) -> list[Mask]:
        """What `accept` makes of the dealer's secret, correcting false shares if the plain way is not accepted."""
        threshold = self._plan.threshold
        held = {
            point: holder
            for point, holder in enumerate(self._plan.holders(dealer), start=1)
            if holder in self._shares
        }
        if len(held) < threshold:
            raise SecAggAbort(f"{len(held)} shares of member {dealer}'s secret: {threshold} are needed")
        points = list(held)
        if self._misfits:
            points.sort(key=lambda point: self._misfits[held[point]])
        masks = accept(self._interpolate(dealer, tuple(points[:threshold]), held))
        if masks is None:
            values = [int.from_bytes(self._shares[held[point]][dealer], "big") for point in points]
            decoded = decode(points, values, threshold)
            if decoded is not None:
                secret, false = decoded
                self._misfits.update(held[points[position]] for position in false)
                masks = accept(secret)
        if masks is None:
            raise SecAggAbort(
                f"the shares opened for member {dealer} do not give the secret that it deposited"
            )
        return masks

    def _interpolate(self, dealer: int, points: tuple[int, ...], held: Mapping[int, int]) -> int:
        interpolation = self._interpolations.get(points)
        if interpolation is None:
            interpolation = self._interpolations[points] = Interpolation(points)
        return interpolation.secret(
            [int.from_bytes(self._shares[held[point]][dealer], "big") for point in points]
        )
