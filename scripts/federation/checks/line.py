"""A line of an audit: what was held against what, and the differences; and how checks compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from incentives import Finding
from incentives.checks import printable

_LONGEST = 200


class Verdict(Enum):
    """What a check came to."""

    OK = "ok"
    DIFFERS = "DIFFERS"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckLine:
    """One check of a round.

    Attributes:
        check: its name.
        what: what it recomputes or holds against what.
        findings: the differences, in order.
        skipped: why it was not done, or None where it was.
    """

    check: str
    what: str
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None

    @property
    def verdict(self) -> Verdict:
        """What it came to."""
        if self.findings:
            return Verdict.DIFFERS
        return Verdict.OK if self.skipped is None else Verdict.SKIPPED


def same(check: str, subject: str, expected: object, found: object) -> Iterator[Finding]:
    """A finding where two values differ."""
    if expected != found:
        yield Finding(check, subject, shown(expected), shown(found))


def concerning(hospital: int | None, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings of what one hospital put on record by itself."""
    return (replace(finding, hospital=hospital) for finding in findings)


def same_by_device(
    check: str, subject: str, expected: Mapping[bytes, object], found: Mapping[bytes, object]
) -> Iterator[Finding]:
    """A finding for each device (by account) of which two mappings say different things."""
    for device in sorted(expected.keys() | found.keys()):
        yield from same(
            check,
            f"{subject}, device {device.hex()}",
            expected.get(device, "none"),
            found.get(device, "none"),
        )


def shown(value: object) -> str:
    """A value as a finding shows it: short, bytes in hexadecimal digits, nothing that a terminal obeys."""
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, np.generic):
        return str(value.item())
    text = printable(str(value)[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
