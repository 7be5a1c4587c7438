"""`fediomt chain`: start, stop and look at the local node."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chain.daemon import NodeStatus, daemon_status, start_daemon, stop_daemon
from scripts.console.options import HOME, Home, Json
from scripts.console.output import console, print_json
from scripts.console.run_command import run
from scripts.console.session import node_folder

app = typer.Typer(help="The local EVM node (Anvil or Hardhat).", no_args_is_help=True)


class Engine(StrEnum):
    """Programs that can be the local node."""

    ANVIL = "anvil"
    HARDHAT = "hardhat"


@app.command()
def up(
    home: Home = HOME,
    port: Annotated[int, typer.Option(help="Port on loopback.", min=1, max=65_535)] = 8545,
    chain_id: Annotated[int, typer.Option(help="Chain id.", min=1)] = 31337,
    engine: Annotated[
        Engine, typer.Option(help="anvil keeps its chain across restarts; hardhat starts afresh each time.")
    ] = Engine.ANVIL,
    as_json: Json = False,
) -> None:
    """Start a node in the background; does nothing if it runs already. Anvil's state survives restarts."""
    started = start_daemon(node_folder(home), engine=engine, port=port, chain_id=chain_id)
    _show(started, as_json)
    if started.changed and engine is Engine.HARDHAT:
        console(quiet=as_json).print(
            "Hardhat keeps no state: this is a new chain, and what was deployed before is gone. Run `fediomt deploy`."
        )


@app.command()
def down(home: Home = HOME, as_json: Json = False) -> None:
    """Stop the node; does nothing if none runs."""
    stopped = stop_daemon(node_folder(home))
    _show(stopped, as_json, "node stopped" if stopped.changed else "no node was running")


@app.command()
def status(home: Home = HOME, as_json: Json = False) -> None:
    """Say whether the node runs, and where."""
    _show(daemon_status(node_folder(home)), as_json)


def _show(
    node: NodeStatus, as_json: bool, otherwise: str = "no node runs: start one with `fediomt chain up`"
) -> None:
    if as_json:
        print_json(
            {
                "running": node.running,
                "engine": node.engine,
                "url": node.url,
                "pid": node.pid,
                "chain_id": node.chain_id,
                "block": node.block,
            }
        )
    elif node.running:
        console().print(
            f"{node.engine} runs at {node.url} (chain {node.chain_id}, block {node.block}, process {node.pid})"
        )
    else:
        console().print(otherwise)


if __name__ == "__main__":
    run(app)
