"""An audit on the screen and as JSON: a line a check, or a line a round where nothing differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from scripts.federation.auditing import AuditLine
from scripts.federation.checks.line import Verdict

SHOWN = 5
_COLOURS = {Verdict.OK: "green", Verdict.DIFFERS: "red", Verdict.SKIPPED: "yellow"}


@dataclass
class AuditScreen:
    """Prints lines as they come: a round's together, since whether they fold into one depends on all of them.

    Attributes:
        screen: where.
        folded: whether a round in which nothing differs is one line.
        quiet: print nothing.
    """

    screen: Console
    folded: bool
    quiet: bool
    _waiting: list[AuditLine] = field(default_factory=list)

    def take(self, line: AuditLine) -> None:
        """The next line."""
        if self._waiting and self._waiting[0].subject != line.subject:
            self.flush()
        self._waiting.append(line)

    def flush(self) -> None:
        """Print what waits."""
        lines, self._waiting = self._waiting, []
        if self.quiet or not lines:
            return
        if self.folded and all(line.ok for line in lines):
            self._fold(lines)
            return
        for line in lines:
            if not (self.folded and line.ok):
                self._show(line)

    def _fold(self, lines: Sequence[AuditLine]) -> None:
        """One line for a round in which nothing differs: what was checked, and what was not."""
        done = [line.line.check for line in lines if line.line.verdict is Verdict.OK]
        left = {line.line.check: line.line.skipped for line in lines if line.line.verdict is Verdict.SKIPPED}
        checks = f"{len(done)} checks ({', '.join(done)})" if done else "no check"
        reasons = "; ".join(
            f"{', '.join(check for check, why in left.items() if why == reason)}: {reason}"
            for reason in dict.fromkeys(left.values())
        )
        self._print(
            Verdict.OK if done else Verdict.SKIPPED,
            f"{lines[0].subject}  {checks}" + (f"; skipped {reasons}" if left else ""),
        )

    def _show(self, line: AuditLine) -> None:
        found = line.line
        why = "" if found.skipped is None else f" - {found.skipped}"
        self._print(found.verdict, f"{line.subject}  {found.check}: {found.what}{why}")
        for finding in found.findings[:SHOWN]:
            self.screen.print(f"    {finding}", markup=False)
        if len(found.findings) > SHOWN:
            self.screen.print(f"    and {len(found.findings) - SHOWN} more (--json lists all)")

    def _print(self, verdict: Verdict, text: str) -> None:
        self.screen.print(f"[{_COLOURS[verdict]}]{verdict.value:<8}[/]", end="")
        self.screen.print(text, markup=False)


def first_difference(lines: Sequence[AuditLine]) -> str | None:
    """The first difference that an audit found, or None."""
    return next((f"{line.subject}, {line.findings[0]}" for line in lines if line.findings), None)


def audit_json(run: str, lines: Sequence[AuditLine], *, ledger: str | None) -> dict[str, Any]:
    """An audit as a JSON object; `ledger` is the address of the one that it was held against, None for none."""
    return {
        "run": run,
        "chain": ledger is not None,
        "ledger": ledger,
        "audit_ok": all(line.ok for line in lines),
        "first_difference": first_difference(lines),
        "lines": [
            {
                "subject": line.subject,
                "round": line.round_number,
                "check": line.line.check,
                "what": line.line.what,
                "verdict": line.line.verdict.value.lower(),
                "skipped": line.line.skipped,
                "findings": [str(finding) for finding in line.findings],
            }
            for line in lines
        ],
    }
