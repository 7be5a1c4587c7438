"""`fediomt chain`: start, stop and look at the local node; write the files of a network for production."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chain.besu import QbftNetwork, QbftSettings, parse_operator, plan_network, write_network
from chain.daemon import NodeStatus, daemon_status, start_daemon, stop_daemon
from scripts.console.options import HOME, Home, Json
from scripts.console.output import console, print_json, print_table
from scripts.console.run_command import run
from scripts.console.session import node_folder

app = typer.Typer(
    help="The local EVM node (Anvil or Hardhat), and the files of a network for production.",
    no_args_is_help=True,
)


class Engine(StrEnum):
    """Programs that can be the local node."""

    ANVIL = "anvil"
    HARDHAT = "hardhat"


class Consensus(StrEnum):
    """How the validators of a network for production agree."""

    QBFT = "qbft"


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


@app.command()
def init(
    validators: Annotated[int, typer.Option(help="Nodes that sign blocks; 4 bear one fault, 7 two.")],
    consensus: Annotated[
        Consensus, typer.Option(help="How validators agree: qbft, run by Hyperledger Besu.")
    ] = Consensus.QBFT,
    directory: Annotated[
        Path, typer.Option(help="Folder for the network's files; must not be there yet.")
    ] = Path("besu-network"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put a folder that is there aside; its keys are never deleted.")
    ] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="IPv4 address of each validator's machine, in order; repeat. Default: all on this one, for a trial."
        ),
    ] = None,
    operator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=ADDRESS",
            help="An account that may send transactions; repeat. Default: every account may.",
        ),
    ] = None,
    chain_id: Annotated[int, typer.Option(help="Chain id (EIP-155).")] = QbftSettings.chain_id,
    block_period: Annotated[
        int, typer.Option(help="Seconds between blocks.")
    ] = QbftSettings.block_period_seconds,
    epoch_length: Annotated[
        int, typer.Option(help="Blocks after which votes on validators are reset.")
    ] = QbftSettings.epoch_length,
    request_timeout: Annotated[
        int, typer.Option(help="Seconds until a round of consensus is given up.")
    ] = QbftSettings.request_timeout_seconds,
    p2p_port: Annotated[int, typer.Option(help="First TCP port between validators.")] = QbftSettings.p2p_port,
    rpc_port: Annotated[
        int, typer.Option(help="First port of JSON-RPC, on loopback.")
    ] = QbftSettings.rpc_port,
    metrics_port: Annotated[
        int, typer.Option(help="First port of metrics, on loopback.")
    ] = QbftSettings.metrics_port,
    allow_few: Annotated[
        bool, typer.Option("--allow-few", help="Accept fewer than 4 validators, which bear no fault.")
    ] = False,
    image: Annotated[str, typer.Option(help="Container image of Besu.")] = QbftSettings.besu_image,
    as_json: Json = False,
) -> None:
    """Write genesis, node keys and configuration of a Besu network; see docs/chain-production.md."""
    del consensus  # one is known, and typer refuses others
    network = plan_network(
        QbftSettings(
            validators=validators,
            chain_id=chain_id,
            hosts=tuple(host or ()),
            block_period_seconds=block_period,
            epoch_length=epoch_length,
            request_timeout_seconds=request_timeout,
            operators=tuple(parse_operator(text) for text in operator or ()),
            p2p_port=p2p_port,
            rpc_port=rpc_port,
            metrics_port=metrics_port,
            allow_few=allow_few,
            besu_image=image,
        )
    )
    aside = None if dry_run else write_network(network, directory, replace=replace)
    _show_network(network, directory, aside, as_json, written=not dry_run)


def _show_network(
    network: QbftNetwork, directory: Path, aside: Path | None, as_json: bool, *, written: bool
) -> None:
    """What was or would be written; a dry run's keys are thrown away, so it names no address."""
    files = [(str(path), len(file.content), f"{file.mode:o}") for path, file in network.files.items()]
    tolerated = network.settings.tolerated
    if as_json:
        print_json(
            {
                "directory": str(directory),
                "written": written,
                "put_aside": None if aside is None else str(aside),
                "chain_id": network.settings.chain_id,
                "tolerated_faults": tolerated,
                "validators": [site.key.address for site in network.sites] if written else None,
                "files": [{"path": path, "bytes": size, "mode": mode} for path, size, mode in files],
            }
        )
        return
    print_table(
        f"{'written to' if written else 'would be written to'} {directory}", ("file", "bytes", "mode"), files
    )
    screen = console()
    screen.print(
        f"chain {network.settings.chain_id}: {len(network.sites)} validators, of which {tolerated} may fail at once"
    )
    if not network.settings.operators:
        screen.print("no --operator is named: every account that reaches a node may send transactions")
    if aside is not None:
        screen.print(f"what was there is at {aside}")
    if written:
        screen.print("next: docs/chain-production.md says how to start it, and how to keep the keys")


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
