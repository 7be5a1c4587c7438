"""Alerts: each decision about a device's standing, as a line of a log in the run's folder and to a webhook.

An alert names no more than a bundle does: the device's account of the epoch, and what was decided on which evidence. A
webhook that fails is noted in the log; it stops nothing.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fl_core.errors import SpecError
from scripts.federation.record import RoundRecord

ALERTS_FILE = "alerts.jsonl"
_TIMEOUT_S = 5.0
_NATS = 1_000


@dataclass(frozen=True)
class Webhook:
    """Where alerts are posted.

    Attributes:
        url: http or https; it may hold a token, so that it is kept nowhere and shown without path and query.

    Raises:
        SpecError: it is no such URL.
    """

    url: str

    def __post_init__(self) -> None:
        """Refuse what cannot be posted to."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SpecError(
                "--alert-webhook takes a URL that begins with http:// or https:// and names a host"
            )

    @property
    def host(self) -> str:
        """The host, which is all that may be shown."""
        return str(urlsplit(self.url).hostname)

    def post(self, alerts: list[dict[str, Any]]) -> str | None:
        """Post alerts in one request; why it failed, or None."""
        body = json.dumps({"alerts": alerts}).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            self.url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
                return None
        except urllib.error.HTTPError as error:
            error.close()
            return f"it answered {error.code}"
        except urllib.error.URLError as error:
            return f"{error.reason}"
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"


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
        with self.path.open("a", encoding="utf-8") as log:
            log.writelines(f"{json.dumps(line, sort_keys=True)}\n" for line in lines)


def read_alerts(folder: Path) -> list[dict[str, Any]]:
    """The alerts of a run's folder, in order; a line that a crash cut short is left out."""
    try:
        lines = (folder / ALERTS_FILE).read_text(encoding="utf-8").splitlines()
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
