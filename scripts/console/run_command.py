"""How every command ends: exit code 0, 1 (failed) or 2 (usage), and one line that says what to do."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

import typer

from chain.errors import ChainError
from fl_core.errors import FlError
from incentives import IncentivesError
from scripts.console.errors import CommandError

_FAILURES = (ChainError, FlError, IncentivesError, CommandError)


class StopAsked(BaseException):
    """Ctrl-C or a request to terminate."""


def run(app: typer.Typer) -> None:
    """Run a command line; known failures become one line on standard error and exit code 1."""
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, _interrupt)
    try:
        app(standalone_mode=True)
    except _FAILURES as error:
        fail(str(error))
    except (StopAsked, KeyboardInterrupt):
        fail("interrupted: what was finished is kept, the node that this command started is stopped")
    except OSError as error:
        fail(f"{error.filename or 'system'}: {error.strerror or error}")


def run_function(command: Callable[..., object]) -> None:
    """Run one command's function as a command line of its own."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    run(app)


def fail(message: str) -> None:
    """Print one line and exit with code 1."""
    line = " ".join(message.split())
    sys.stderr.write(f"fediomt: {line}\n")
    raise SystemExit(1)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise StopAsked
