"""Which hospital a device is of, as a round's bundle says: nobody's word besides."""

from __future__ import annotations

from fl_core.errors import FlError
from fl_core.secagg import Advertisement
from incentives import Finding
from scripts.federation.checks.line import CheckLine
from scripts.federation.record import HospitalRecord, RoundRecord

_WHAT = "the hospital that has the device in its roster, slots or ready list"


def hospitals_of(record: RoundRecord, device: bytes) -> list[int]:
    """The hospitals that have a device, by its account, in their roster, slots, ready list or receipts, in order."""
    return [number for number, part in sorted(record.hospitals.items()) if _has(part, device)]


def find_hospital(record: RoundRecord, device: bytes, said: int | None) -> tuple[int | None, CheckLine]:
    """A device's hospital by the bundle, and the line that holds it against what the run's file says.

    Args:
        record: the round.
        device: its account, 20 bytes.
        said: what the run's file says, or None where it says nothing.

    Returns:
        The hospital, None where the bundle has the device nowhere; of several the one that was said, else the first.
    """
    found, who = hospitals_of(record, device), f"device {device.hex()}"
    if not found:
        return None, CheckLine("hospital", _WHAT, skipped="the bundle has the device at no hospital")
    hospital = said if said is not None and said in found else found[0]
    findings = []
    if len(found) > 1:
        several = f"hospitals {', '.join(map(str, found))}"
        findings.append(Finding("hospital", who, "one hospital that has it", several))
    if said is not None and said not in found:
        findings.append(Finding("hospital", who, f"hospital {said}, as the run says", f"hospital {found[0]}"))
    return hospital, CheckLine("hospital", _WHAT, tuple(findings))


def _has(part: HospitalRecord, device: bytes) -> bool:
    return (
        device in part.slots
        or device in part.receipts
        or any(line.address == device for line in part.ready)
        or any(_address(data) == device for data in part.advertisements)
    )


def _address(advertisement: bytes) -> bytes | None:
    try:
        return Advertisement.decode(advertisement).address
    except FlError:
        return None
