"""The reward rule, integer for integer as ``contracts/libraries/RewardMath.sol`` computes it.

Every division floors, so what rounding leaves over stays unminted. The functions take plain ints and check
nothing: like their Solidity twins they are total, and zero totals allocate zero. What goes into a rule is
checked once, by :class:`RewardRule`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from incentives.errors import IncentivesError

BPS: Final = 10_000
"""One, in basis points."""

FULL_SCORE: Final = 10_000
"""Full marks of a score; the scale of volume, quality and compute."""

E18: Final = 10**18
"""One, in the 18 decimals of tokens and shares."""

MAX_OPERATOR_BPS: Final = 2_000
"""The largest part of an allocation that a rule may give to the hospital's operator."""

CLASS_COUNT: Final = 4
"""Device classes that a rule has caps for."""

_E14: Final = 10**14


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRule:
    """Weights, gates and class caps of one round, frozen when it opens.

    Attributes:
        w_volume: weight of the volume score in a device's weight; the three weights sum to 10,000.
        w_quality: weight of the quality score.
        w_compute: weight of the compute score.
        device_gate: quality score (0..10,000) below which a device weighs nothing.
        hospital_gate: quality score (0..10,000) below which a hospital is allocated nothing.
        share_volume: part of the budget split by volume, bps; with ``share_compute`` 10,000.
        share_compute: part of the budget split by compute, bps.
        operator_bps: part of an allocation for the hospital's operator, bps, at most 2,000.
        volume_cap: largest volume score a device of each class may claim, by class.
        compute_cap: largest compute score a device of each class may claim, by class.

    Raises:
        IncentivesError: if a field is out of range or a pair of weights does not sum to 10,000.
    """

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

    def __post_init__(self) -> None:
        for name in ("w_volume", "w_quality", "w_compute", "device_gate", "hospital_gate"):
            _within(name, getattr(self, name), FULL_SCORE)
        for name in ("share_volume", "share_compute"):
            _within(name, getattr(self, name), BPS)
        _within("operator_bps", self.operator_bps, MAX_OPERATOR_BPS)
        for name in ("volume_cap", "compute_cap"):
            caps = getattr(self, name)
            if len(caps) != CLASS_COUNT:
                raise IncentivesError(f"{name} has {len(caps)} entries: give one a device class, 4 in all")
            for device_class, cap in enumerate(caps):
                _within(f"{name}[{device_class}]", cap, FULL_SCORE)
        weights = self.w_volume + self.w_quality + self.w_compute
        if weights != BPS:
            raise IncentivesError(f"w_volume + w_quality + w_compute is {weights}: it must be 10000")
        shares = self.share_volume + self.share_compute
        if shares != BPS:
            raise IncentivesError(f"share_volume + share_compute is {shares}: it must be 10000")


def _within(name: str, value: int, largest: int) -> None:
    if not 0 <= value <= largest:
        raise IncentivesError(f"{name} is {value}: it must lie in 0..{largest}")


def weight(rule: RewardRule, *, quality_scored: bool, volume: int, quality: int, compute: int) -> int:
    """A device's weight: zero below the gate; quality counts as 10,000 where it is not scored."""
    if not quality_scored:
        return rule.w_volume * volume + rule.w_quality * FULL_SCORE + rule.w_compute * compute
    if quality < rule.device_gate:
        return 0
    return rule.w_volume * volume + rule.w_quality * quality + rule.w_compute * compute


def share_e18(
    rule: RewardRule, *, capacity_bps: int, volume: int, total_volume: int, compute: int, total_compute: int
) -> int:
    """A hospital's share of the budget (18 decimals) by volume and compute, capped as voted at joining."""
    by_volume = 0 if total_volume == 0 else rule.share_volume * _E14 * volume // total_volume
    by_compute = 0 if total_compute == 0 else rule.share_compute * _E14 * compute // total_compute
    return min(capacity_bps * _E14, by_volume + by_compute)


def hospital_allocation(
    *, budget: int, share: int, quality: int, hospital_gate: int, quality_scored: bool
) -> int:
    """Tokens (18 decimals) of a hospital: no other one's quality enters, and below the gate it gets none."""
    if quality_scored and quality < hospital_gate:
        return 0
    counted = quality if quality_scored else FULL_SCORE
    return budget * share * counted // (E18 * FULL_SCORE)


def operator_share(allocation: int, operator_bps: int) -> int:
    """The part of an allocation (18 decimals) that the hospital's operator keeps."""
    return allocation * operator_bps // BPS


def device_payout(
    allocation: int, *, operator_bps: int, device_weight: int, weight_treasury: int, weight_device: int
) -> int:
    """What a weight earns (18 decimals) of an allocation whose tree sums to the two weight lanes given."""
    total = weight_treasury + weight_device
    if total == 0:
        return 0
    return allocation * (BPS - operator_bps) * device_weight // (BPS * total)


def treasury_payout(allocation: int, *, operator_bps: int, weight_treasury: int, weight_device: int) -> int:
    """What a treasury claims in one call (18 decimals): the operator's share and its devices' payouts."""
    return operator_share(allocation, operator_bps) + device_payout(
        allocation,
        operator_bps=operator_bps,
        device_weight=weight_treasury,
        weight_treasury=weight_treasury,
        weight_device=weight_device,
    )


def bonus(*, median: int, best: int, per_point: int, cap: int) -> int:
    """Tokens (18 decimals) for a model score (0..10,000) above the best median so far."""
    return min((median - best) * per_point, cap) if median > best else 0


def lower_median(values: Sequence[int]) -> int:
    """The lower median: element (n-1)//2 in ascending order; the order of ``values`` does not matter.

    Raises:
        IncentivesError: if there are no values.
    """
    if not values:
        raise IncentivesError("a median of no values was asked for: give at least one")
    return sorted(values)[(len(values) - 1) // 2]
