"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from scripts.console.errors import CommandError
from scripts.federation.worker_processes import LARGE

DATA, ROOT, FEDERATION, TRAINING = "Data", "Root set: a few public rows", "Federation", "Model and training"
PRIVACY, BYTES = "Privacy", "Bytes sent"
DEFENCE, ATTACKERS = "Defence against poisoning", "Simulated attackers"
"""Headings under which a command's help lists its options."""

Home = Annotated[
    Path, typer.Option("--home", envvar="FEDIOMT_HOME", help="Folder of the local node and of deployments.")
]
Runs = Annotated[Path, typer.Option("--runs", envvar="FEDIOMT_RUNS", help="Folder of runs.")]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="FEDIOMT_URL", help="JSON-RPC address; default: the local node's."),
]
ChainId = Annotated[
    int | None, typer.Option("--chain-id", help="Refuse to talk to a node of any other chain id.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
RunId = Annotated[str | None, typer.Option("--run", help="The run's id; default: the latest run.")]
Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        help="What may be seen and scored: accountable, hospital or private.",
        rich_help_panel=PRIVACY,
    ),
]
Epsilon = Annotated[
    float,
    typer.Option(
        "--epsilon",
        help="Differential privacy of a device's data, over all rounds; inf for no noise.",
        rich_help_panel=PRIVACY,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Processes that the hospitals are spread over; the model is the same.",
        show_default=f"1; from {LARGE} devices on one a core",
        rich_help_panel=TRAINING,
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Where bundles are kept: a folder, or what fsspec knows, such as s3://bucket/path.",
        show_default="the run's folder",
    ),
]
Hospital = Annotated[int, typer.Option("--hospital", help="Id of the hospital that acts.")]
Ledger = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="ADDRESS",
        help="The ledger that you know the run to be recorded on.",
        show_default="the one recorded under --home",
    ),
]
Keystore = Annotated[
    Path | None,
    typer.Option("--keystore", help="Folder of encrypted keystores; needed on any chain that is not local."),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file", help="File with the keystores' password; or FEDIOMT_PASSWORD in the environment."
    ),
]

HOME = Path(".fediomt")
RUNS = Path("runs")

Number = TypeVar("Number", int, float)


def numbers(option: str, text: str) -> tuple[float, ...]:
    """Numbers of an option that takes several, separated by commas.

    Raises:
        CommandError: a part is no number.
    """
    return tuple(_number(option, part, float) for part in text.split(","))


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers of an option that takes several, separated by commas.

    Raises:
        CommandError: a part is no whole number.
    """
    return tuple(_number(option, part, int) for part in text.split(","))


def _number(option: str, part: str, kind: Callable[[str], Number]) -> Number:
    try:
        return kind(part)
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise CommandError(
            f"{option}: {part!r} is none of the {what} separated by commas that it takes"
        ) from None
