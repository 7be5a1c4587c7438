"""Who earned what: each device's part of its hospital's allocations, claimed by itself or by the treasury."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from incentives import device_payout, leaf_weight
from scripts.federation.contributions import entry_of
from scripts.federation.record import RoundRecord


def device_earnings(
    records: Iterable[RoundRecord], allocations: Mapping[tuple[int, int], int]
) -> dict[bytes, int]:
    """What each device's leaves are due by the reward rule, whoever claims it.

    Args:
        records: the run's rounds.
        allocations: tokens by (round, hospital), as the ledger has them.

    Returns:
        Tokens in smallest units (18 decimals) by account; enrolled devices without a leaf have 0.
    """
    earned: dict[bytes, int] = {}
    for record in records:
        for hospital, part in record.hospitals.items():
            for address in part.slots:
                earned.setdefault(address, 0)
            if not part.contributions:
                continue
            tree = entry_of(record, part).tree
            for item in part.contributions:
                earned[item.device] += device_payout(
                    allocations.get((record.number, hospital), 0),
                    operator_bps=record.rule.operator_bps,
                    device_weight=leaf_weight(
                        record.rule, tree.leaves[item.slot], quality_scored=record.device_quality_scored
                    ),
                    weight_treasury=tree.root.lanes.weight_treasury,
                    weight_device=tree.root.lanes.weight_device,
                )
    return earned
