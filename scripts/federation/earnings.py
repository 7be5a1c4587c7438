"""Who earned what: each device's part of its hospital's allocations, claimed by itself or by the treasury."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from incentives import device_payout, leaf_weight, operator_share
from scripts.federation.contributions import entry_of
from scripts.federation.record import RoundRecord


@dataclass(frozen=True)
class Earnings:
    """Tokens in smallest units (18 decimals).

    Attributes:
        devices: by account, what each device's leaves are due, whoever claims it.
        hospitals: by hospital, what was allocated.
        operators: by hospital, the operator's share.
    """

    devices: dict[bytes, int]
    hospitals: dict[int, int]
    operators: dict[int, int]


def earnings(records: Iterable[RoundRecord], allocations: Mapping[tuple[int, int], int]) -> Earnings:
    """Split allocations by the reward rule.

    Args:
        records: the run's rounds.
        allocations: tokens by (round, hospital), as the ledger has them.
    """
    devices: dict[bytes, int] = {}
    hospitals: dict[int, int] = {}
    operators: dict[int, int] = {}
    for record in records:
        for hospital, part in record.hospitals.items():
            for address in part.slots:
                devices.setdefault(address, 0)
            amount = allocations.get((record.number, hospital), 0)
            hospitals[hospital] = hospitals.get(hospital, 0) + amount
            bps = record.rule.operator_bps
            operators[hospital] = operators.get(hospital, 0) + operator_share(amount, bps)
            if not part.contributions:
                continue
            tree = entry_of(record, part).tree
            for item in part.contributions:
                devices[item.device] += device_payout(
                    amount,
                    operator_bps=bps,
                    device_weight=leaf_weight(
                        record.rule, tree.leaves[item.slot], quality_scored=record.device_quality_scored
                    ),
                    weight_treasury=tree.root.lanes.weight_treasury,
                    weight_device=tree.root.lanes.weight_device,
                )
    return Earnings(devices, hospitals, operators)
