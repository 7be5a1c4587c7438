"""Runs the command line as a user does: a process of its own, exit code and both streams."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def fediomt(*arguments: str, cwd: Path, timeout_s: float = 120, **environment: str) -> Outcome:
    """`fediomt ARGUMENTS` in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts", *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_one_line_error(outcome: Outcome, *words: str, code: int = 1) -> None:
    """Failed with the code, one line that holds the words, and no traceback."""
    assert outcome.code == code, outcome
    assert "Traceback" not in outcome.err + outcome.out
    lines = [line for line in outcome.err.splitlines() if line.startswith("fediomt:")]
    assert len(lines) == 1, outcome.err
    for word in words:
        assert word in lines[0], lines[0]
