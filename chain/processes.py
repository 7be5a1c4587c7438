"""Telling one process from a later one that was given the same id."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path


def fingerprint(pid: int) -> str | None:
    """Start time and command line of a running process; None if there is none (a zombie is none)."""
    if sys.platform == "linux":
        return _from_proc(pid)
    listed = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=,lstart=,command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    line = listed.stdout.strip()
    if listed.returncode != 0 or not line or line.startswith("Z"):
        return None
    return line.split(maxsplit=1)[1]


def reap(pid: int, *, wait: bool = False) -> None:
    """Collect a child that has ended, so that it does not stay as a zombie; no effect on other processes."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0 if wait else os.WNOHANG)


def _from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the command name may hold spaces
    if fields[0] in {"Z", "X"}:
        return None
    words = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return f"{fields[19]} {words}"
