"""Secure sums in a bundle: who took part, and what was released, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from fl_core.canonical import sha256
from fl_core.tiers import JOINT_HOSPITAL, CohortReport, Release


def hex_map(values: Mapping[bytes, bytes]) -> dict[str, str]:
    """Bytes by bytes, as hexadecimal digits."""
    return {key.hex(): value.hex() for key, value in values.items()}


def bytes_map(values: Mapping[str, str]) -> dict[bytes, bytes]:
    """What `hex_map` wrote."""
    return {bytes.fromhex(key): bytes.fromhex(value) for key, value in values.items()}


def sum_name(hospital: int, cohort: int | None) -> str:
    """The tensor that holds a released sum: of a cohort, of a hospital (cohort None), or of all (hospital 0)."""
    if hospital == JOINT_HOSPITAL:
        return "sum"
    return f"sum.{hospital}" if cohort is None else f"sum.{hospital}.{cohort}"


def report_json(report: CohortReport) -> dict[str, Any]:
    """Who took part in a sum, as a JSON object."""
    kept = {"transcript_hash": report.transcript_hash.hex()} if report.transcript_hash else {}
    return {
        **kept,
        "cohort": report.cohort,
        "link_class": report.link_class,
        "members": [address.hex() for address in report.members],
        "survivors": [address.hex() for address in report.survivors],
        "rows": report.rows,
        "failure": report.failure,
        "deposited_hash": report.deposited_hash.hex(),
        "masked_hashes": hex_map(report.masked_hashes),
        "signatures": hex_map(report.signatures),
    }


def release_json(release: Release) -> dict[str, Any]:
    """A released sum as a JSON object; its numbers are a tensor, held to their digest."""
    return {
        "cohort": release.cohort,
        "devices": list(release.devices),
        "rows": list(release.rows),
        "sum_digest": sha256(release.total.astype("<i8").tobytes()).hex(),
    }


def read_report(hospital: int, item: dict[str, Any]) -> CohortReport:
    """What `report_json` wrote."""
    return CohortReport(
        hospital=hospital,
        cohort=int(item["cohort"]),
        link_class=int(item["link_class"]),
        members=tuple(bytes.fromhex(address) for address in item["members"]),
        survivors=tuple(bytes.fromhex(address) for address in item["survivors"]),
        rows=int(item["rows"]),
        failure=None if item["failure"] is None else _text(item["failure"]),
        deposited_hash=bytes.fromhex(item["deposited_hash"]),
        masked_hashes=bytes_map(item["masked_hashes"]),
        signatures=bytes_map(item["signatures"]),
        transcript_hash=bytes.fromhex(item.get("transcript_hash", "")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a reason for failing is {type(value).__name__}, not text")
    return value


def read_release(hospital: int, item: dict[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Release:
    """What `release_json` wrote, with its tensor."""
    cohort = None if item["cohort"] is None else int(item["cohort"])
    return Release(
        hospital=hospital,
        cohort=cohort,
        devices=tuple(int(count) for count in item["devices"]),
        rows=tuple(int(count) for count in item["rows"]),
        total=tensors[sum_name(hospital, cohort)],
    )
