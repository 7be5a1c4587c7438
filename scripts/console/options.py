"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    str, typer.Option("--profile", help="What may be seen and scored: accountable, hospital or private.")
]
Epsilon = Annotated[
    float,
    typer.Option(
        "--epsilon", help="Differential privacy of a device's data, over all rounds; inf for no noise."
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
