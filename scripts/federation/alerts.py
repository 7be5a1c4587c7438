"""Alerts: each decision about a device's standing, as a line of a log in the run's folder and to a webhook.

An alert names no more than a bundle does: the device's account of the epoch, and what was decided on which evidence. A
webhook that fails is noted in the log; it stops nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.federation.record import RoundRecord
from scripts.federation.webhook import Webhook

ALERTS_FILE = "alerts.jsonl"
_NATS = 1_000


@dataclass(frozen=True)
class Alerts:
    """The alerts of a run.

    Attributes:
        run: its id.
        folder: its folder.
        webhook: where they are posted as well, or None.
    """

    run: str
    folder: Path
    webhook: Webhook | None = None

    @property
    def path(self) -> Path:
        """The log."""
        return self.folder / ALERTS_FILE

    def tell(self, record: RoundRecord) -> list[dict[str, Any]]:
        """Give each decision of a round once, however often the round is told again; what was given now.

        Raises:
            OSError: the log cannot be written.
        """
        known = {_identity(line) for line in read_alerts(self.folder) if line.get("event") == "decision"}
        fresh = [line for line in _lines(self.run, record) if _identity(line) not in known]
        if not fresh:
            return []
        self._log(fresh)
        failure = None if self.webhook is None else self.webhook.post(fresh)
        if failure is not None and self.webhook is not None:
            note = {"event": "webhook failed", "run": self.run, "round": record.number}
            self._log([{**note, "host": self.webhook.host, "reason": failure}])
        return fresh

    def _log(self, lines: list[dict[str, Any]]) -> None:
        text = "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in lines).encode()
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
            end = log.tell()
            if end and os.pread(log.fileno(), 1, end - 1) != b"\n":
                text = b"\n" + text  # a crash cut the last line short: it must not take the next one with it
            log.write(text)


def read_alerts(folder: Path) -> list[dict[str, Any]]:
    """The alerts of a run's folder, in order; a line that a crash cut short is left out."""
    try:
        lines = (folder / ALERTS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _lines(run: str, record: RoundRecord) -> Iterator[dict[str, Any]]:
    for hospital, part in sorted(record.hospitals.items()):
        for decision in part.decisions:
            yield {
                "event": "decision",
                "run": run,
                "round": record.number,
                "hospital": hospital,
                "device": decision.device.hex(),
                "status": decision.status.value,
                "until_round": decision.until or None,
                "evidence_nats": decision.evidence / _NATS,
                "limit_nats": decision.limit / _NATS,
            }


def _identity(line: dict[str, Any]) -> tuple[object, ...]:
    return line.get("round"), line.get("hospital"), line.get("device"), line.get("status")
