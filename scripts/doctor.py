"""`fediomt doctor`: what is installed, what runs, what is wrong, and what to do about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from chain.anvil import find_anvil
from chain.compile import collect_sources, stale_artifacts
from chain.connect import chain_id_of
from chain.deployments import load_deployment
from chain.errors import ChainError, CompileError, NodeError, NotDeployed
from fl_core.data import load
from scripts.console.options import HOME, ChainId, Home, Json, Url
from scripts.console.output import console, print_json, print_table
from scripts.console.run_command import run_function
from scripts.console.session import deployments_folder, node_url, open_node

MIN_PYTHON, MIN_NODE = (3, 11), 20
PACKAGES = ("torch", "numpy", "cryptography", "web3", "eth-account", "py-solc-x", "safetensors")
DATA_VARIABLE = "FEDIOMT_DATA"


@dataclass(frozen=True)
class Check:
    """One thing looked at: "ok", "note" (not needed now) or "wrong"; and what to do where it is not ok."""

    what: str
    state: str
    found: str
    advice: str = ""


def doctor(home: Home = HOME, url: Url = None, expected_chain: ChainId = None, as_json: Json = False) -> None:
    """Look at versions, node, contracts and data; exit code 1 if something is wrong."""
    checks = [*_versions(), *_compiler(), *_node(home, url, expected_chain), *_data()]
    healthy = all(check.state != "wrong" for check in checks)
    if as_json:
        print_json({"healthy": healthy, "checks": [asdict(check) for check in checks]})
    else:
        rows = [(check.what, check.state, check.found, check.advice) for check in checks]
        print_table("doctor", ("what", "state", "found", "what to do"), rows)
        console().print("nothing is wrong" if healthy else "something is wrong: see the last column")
    if not healthy:
        raise typer.Exit(1)


def _versions() -> Iterator[Check]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info[:2] >= MIN_PYTHON
    yield Check("Python", "ok" if good else "wrong", python, "" if good else "install Python 3.11 or newer")
    for package in PACKAGES:
        try:
            yield Check(package, "ok", version(package))
        except PackageNotFoundError:
            yield Check(package, "wrong", "not installed", "make setup")
    node = shutil.which("node")
    if node is None:
        yield Check("Node", "wrong", "not found", "install Node 20 or newer")
    else:
        asked = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
        found = asked.stdout.strip()
        good = (
            found.lstrip("v").split(".")[0].isdecimal() and int(found.lstrip("v").split(".")[0]) >= MIN_NODE
        )
        yield Check("Node", "ok" if good else "wrong", found, "" if good else "install Node 20 or newer")
    try:
        yield Check("Anvil", "ok", str(find_anvil().name))
    except NodeError as error:
        yield Check("Anvil", "wrong", "not found", str(error))


def _compiler() -> Iterator[Check]:
    try:
        stale = stale_artifacts(collect_sources())
    except CompileError as error:
        yield Check("compiled contracts", "note", "sources could not be compared", str(error))
        return
    if stale:
        yield Check(
            "compiled contracts", "wrong", f"{', '.join(stale)} differ from the sources", "make contracts"
        )
    else:
        yield Check("compiled contracts", "ok", "as the sources compile")


def _node(home: Path, url: str | None, expected: int | None) -> Iterator[Check]:
    where = node_url(home, url)
    try:
        w3 = open_node(home, url, expected)
    except NodeError as error:
        state = "wrong" if url is not None or expected is not None else "note"
        yield Check("node", state, f"none at {where}", str(error))
        return
    yield Check("node", "ok", f"{where}, chain {chain_id_of(w3)}")
    try:
        deployment = load_deployment(deployments_folder(home), w3)
        yield Check("contracts", "ok", f"ledger at {deployment.ledger}")
    except NotDeployed as error:
        yield Check("contracts", "note", "not deployed on this node", str(error))
    except ChainError as error:
        yield Check("contracts", "wrong", "cannot be read", str(error))


def _data() -> Iterator[Check]:
    table = load("wdbc")
    yield Check("data wdbc", "ok", f"{len(table)} rows")
    folder = os.environ.get(DATA_VARIABLE)
    if folder is None:
        yield Check(DATA_VARIABLE, "note", "not set", "only tests on further data sets need it")
    elif Path(folder).is_dir():
        yield Check(DATA_VARIABLE, "ok", folder)
    else:
        yield Check(
            DATA_VARIABLE, "wrong", f"{folder} is no folder", f"set {DATA_VARIABLE} to a folder, or unset it"
        )


if __name__ == "__main__":
    run_function(doctor)
