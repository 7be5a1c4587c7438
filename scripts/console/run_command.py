"""How every command ends: exit code 0, 1 (failed) or 2 (usage), and one line that says what to do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import typer

from scripts.console.errors import CommandError

DEBUG_VARIABLE = "FEDIOMT_DEBUG"


def _known_failures() -> tuple[type[Exception], ...]:
    """Every error that is raised on purpose; imported only once something failed."""
    from chain.errors import ChainError  # noqa: PLC0415
    from fl_core.errors import FlError  # noqa: PLC0415
    from incentives.errors import IncentivesError  # noqa: PLC0415

    return (ChainError, FlError, IncentivesError, CommandError)


class StopAsked(BaseException):
    """Ctrl-C or a request to terminate."""


def run(app: typer.Typer | Callable[[], typer.Typer]) -> None:
    """Run a command line; known failures become one line on standard error and exit code 1.

    Args:
        app: the command line, or what builds it (importing much), so that even that can be interrupted.
    """
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, _interrupt)
    try:
        ready = app if isinstance(app, typer.Typer) else app()
        ready(standalone_mode=True)
    except _known_failures() as error:
        fail(str(error))
    except (StopAsked, KeyboardInterrupt) as stop:
        fail(
            str(stop)
            or "interrupted: what was finished is kept, the node that this command started is stopped"
        )
    except OSError as error:
        fail(f"{error.filename or 'system'}: {error.strerror or error}")
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        fail(f"unexpected {type(error).__name__}: {error} ({DEBUG_VARIABLE}=1 shows where)")


def run_function(command: Callable[..., object]) -> None:
    """Run one command's function as a command line of its own."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    run(app)


def fail(message: str) -> None:
    """Print one line and exit with code 1."""
    words = " ".join(message.split())  # a file of somebody else's may have chosen some of them
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words)
    sys.stderr.write(f"fediomt: {line}\n")
    raise SystemExit(1)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise StopAsked
