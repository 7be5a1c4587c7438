"""What each hospital claimed to bring, what its capacity let it have, and what honest declarations would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from fl_core.training import training_flops
from incentives import BPS, bucket_rows, compute_points, share_e18, volume_points
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.report import HospitalLine

E18 = 10**18

Totals = dict[int, tuple[int, int]]
"""Volume and compute of each hospital's entry."""


def hospital_lines(
    records: Sequence[RoundRecord],
    *,
    true_rows: Mapping[bytes, int],
    capacities_bps: Mapping[int, int],
    allocations: Mapping[tuple[int, int], int],
    qualities: Mapping[tuple[int, int], int],
    inflating: int,
) -> list[HospitalLine]:
    """One line a hospital, averaged over the rounds.

    Args:
        records: the run's rounds.
        true_rows: rows that each device really has, by account.
        capacities_bps: by hospital.
        allocations: tokens by (round, hospital).
        qualities: applied quality by (round, hospital).
        inflating: id of the hospital that inflates, or 0.
    """
    declared = [_totals(record, None) for record in records]
    honest = [_totals(record, true_rows) for record in records]
    lines = []
    for hospital, capacity in sorted(capacities_bps.items()):
        applied = [qualities[r.number, hospital] for r in records if (r.number, hospital) in qualities]
        lines.append(
            HospitalLine(
                hospital=hospital,
                inflated=hospital == inflating,
                uncapped_share=_mean_share(records, declared, hospital, BPS),
                capacity=capacity / BPS,
                honest_share=_mean_share(records, honest, hospital, capacity),
                paid_share=_mean_share(records, declared, hospital, capacity),
                tokens=sum(allocations.get((r.number, hospital), 0) for r in records),
                quality=fmean(applied) if applied else 0.0,
            )
        )
    return lines


def _totals(record: RoundRecord, true_rows: Mapping[bytes, int] | None) -> Totals:
    return {h: _volume_and_compute(record, part, true_rows) for h, part in record.hospitals.items()}


def _volume_and_compute(
    record: RoundRecord, part: HospitalRecord, true_rows: Mapping[bytes, int] | None
) -> tuple[int, int]:
    if true_rows is None:
        return sum(i.volume for i in part.contributions), sum(i.compute for i in part.contributions)
    volume = compute = 0
    for item in part.contributions:
        rows = bucket_rows(true_rows[item.device])
        work = training_flops(record.spec.model, rows, record.spec.training)
        volume += volume_points(rows, record.rule.volume_cap[item.device_class])
        compute += compute_points(work, record.rule.compute_cap[item.device_class])
    return volume, compute


def _mean_share(
    records: Sequence[RoundRecord], totals: Sequence[Totals], hospital: int, capacity_bps: int
) -> float:
    shares = []
    for record, found in zip(records, totals, strict=True):
        volume, compute = found[hospital]
        shares.append(
            share_e18(
                record.rule,
                capacity_bps=capacity_bps,
                volume=volume,
                total_volume=sum(v for v, _ in found.values()),
                compute=compute,
                total_compute=sum(c for _, c in found.values()),
            )
            / E18
        )
    return fmean(shares)
