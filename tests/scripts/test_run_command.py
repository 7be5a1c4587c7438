"""However a command ends, its user gets one line and an exit code."""

from __future__ import annotations

import signal

import pytest

from scripts.console.errors import CommandError
from scripts.console.run_command import DEBUG_VARIABLE, StopAsked, run


@pytest.fixture(autouse=True)
def handlers():
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    yield
    for kind, handler in before.items():
        signal.signal(kind, handler)


def raising(error):
    def build():
        raise error

    return build


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StopAsked(), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (CommandError("do this instead"), "do this instead"),
        (CommandError("two\nlines"), "two lines"),
        (OSError(28, "No space left on device", "runs/x"), "runs/x: No space left"),
        (ZeroDivisionError("division by zero"), "unexpected ZeroDivisionError"),
    ],
)
def test_whatever_goes_wrong_even_while_starting_ends_in_one_line(capsys, error, words):
    with pytest.raises(SystemExit) as stop:
        run(raising(error))
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fediomt: ")
    assert words in line


def test_whoever_asks_sees_where_the_unexpected_happened(monkeypatch):
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError("division by zero")))
