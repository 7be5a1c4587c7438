"""Runs the command line as a user does: exit code and both streams; in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from scripts.__main__ import build_app
from scripts.console.run_command import run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def fediomt(*arguments: str, cwd: Path, **environment: str) -> Outcome:
    """`fediomt ARGUMENTS` in a folder, without starting a process."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, {"COLUMNS": "200", **environment}),
        mock.patch.object(sys, "argv", ["fediomt", *arguments]),
    ):
        try:
            run(build_app(arguments[0]))
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        finally:
            for kind, handler in handlers.items():
                signal.signal(kind, handler)
    return Outcome(code, out.getvalue(), err.getvalue())


def start_fediomt(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """`fediomt ARGUMENTS` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts", *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout_s: float = 120) -> Outcome:
    """Wait for a process that `start_fediomt` started."""
    out, err = process.communicate(timeout=timeout_s)
    return Outcome(process.returncode, out, err)


def assert_one_line_error(outcome: Outcome, *words: str, code: int = 1) -> None:
    """Failed with the code, one line that holds the words, and no traceback."""
    assert outcome.code == code, outcome
    assert "Traceback" not in outcome.err + outcome.out
    lines = [line for line in outcome.err.splitlines() if line.startswith("fediomt:")]
    assert len(lines) == 1, outcome.err
    for word in words:
        assert word in lines[0], lines[0]
