"""The command line `fediomt`: only the command that is asked for is imported."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from scripts.console.run_command import run

COMMANDS = {
    "demo": "demo",
    "chain": "node",
    "deploy": "deploy",
    "train": "train",
    "ledger": "ledger",
    "tokens": "tokens",
    "consortium": "consortium",
    "claim": "claim",
    "redeem": "redeem",
    "audit": "audit",
    "dispute": "dispute",
    "bench": "bench",
    "doctor": "doctor",
}
"""Each command and its file in this folder."""


def build_app(wanted: str | None) -> typer.Typer:
    """The command line with one command, or with all of them where none, or no known one, is named."""
    app = typer.Typer(
        help="Federated learning for the Internet of Medical Things that can be audited and paid for.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_several_commands)
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        assert name is not None
        module = import_module(f"scripts.{COMMANDS[name]}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, COMMANDS[name]))
    return app


def _several_commands() -> None:
    """Federated learning for the Internet of Medical Things that can be audited and paid for."""


def main() -> None:
    """Entry point of the `fediomt` command."""
    run(lambda: build_app(sys.argv[1] if len(sys.argv) > 1 else None))


if __name__ == "__main__":
    main()
