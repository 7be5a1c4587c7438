"""`fediomt deploy`: put a consortium's contracts on the node, and admit its hospitals."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from web3 import Web3

from chain.compile import collect_sources, compile_sources
from chain.connect import LOCAL_CHAIN_IDS, chain_id_of
from chain.contracts import Contracts, open_contracts
from chain.deploy import DeployConfig
from chain.deployments import Deployment, load_deployment
from chain.errors import NotDeployed
from chain.verify import first_difference, verify_code
from incentives import DEFAULT_RULE
from scripts.console.errors import CommandError
from scripts.console.options import HOME, ChainId, Home, Json, Keystore, PasswordFile, Url
from scripts.console.output import console, print_json, print_table
from scripts.console.run_command import run_function
from scripts.console.session import deployments_folder, open_deployment, open_keyring, open_node
from scripts.federation.consortium import found_consortium
from scripts.federation.settings import RunSettings


def deploy(
    hospitals: Annotated[int, typer.Option(help="Hospitals to admit.", min=1, max=64)] = 4,
    capacity: Annotated[
        float | None,
        typer.Option(help="Each hospital's capacity, percent of a round's budget; default: equal parts."),
    ] = None,
    k_min: Annotated[
        int, typer.Option(help="Fewest devices of a cohort and of an entry.")
    ] = RunSettings.k_min,
    fresh: Annotated[bool, typer.Option("--fresh", help="Deploy anew although contracts are there.")] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Deploy nothing: recompile the sources and compare with the code on chain."
        ),
    ] = False,
    settlement: Annotated[
        str | None,
        typer.Option(help="ERC-20 in which bonds are posted; a plain one is deployed on local chains."),
    ] = None,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Deploy the contracts and admit hospitals; does nothing if they are there already."""
    if verify:
        _verify(open_deployment(home, url, expected_chain), as_json)
        return
    w3 = open_node(home, url, expected_chain)
    folder = deployments_folder(home)
    known = _known(folder, w3)
    if known is not None and not fresh:
        admitted = open_contracts(w3, known).consortium.hospital_count()
        if admitted < hospitals:
            raise CommandError(
                f"contracts with {admitted} hospitals are there already: admit more with `fediomt consortium propose "
                "admit`, or deploy anew with --fresh"
            )
        _show(open_contracts(w3, known), known, as_json, new=False)
        return
    share = 100 / hospitals if capacity is None else capacity
    if not 0 < share <= 100:
        raise CommandError(f"a capacity of {share:g}% makes no sense: choose above 0, at most 100")
    local = chain_id_of(w3) in LOCAL_CHAIN_IDS
    if not local and settlement is None:
        raise CommandError(
            f"chain {chain_id_of(w3)} is not a local one: name the ERC-20 in which bonds are posted with --settlement"
        )
    config = (
        DeployConfig.local(k_min=k_min, rule=DEFAULT_RULE)
        if local
        else DeployConfig(k_min=k_min, rule=DEFAULT_RULE, settlement=settlement)
    )
    screen = console(quiet=as_json)
    with screen.status("deploying") as status:
        consortium = found_consortium(
            w3,
            open_keyring(
                w3, keystore, password_file, creates=frozenset({"operator", "coordinator", "hospital"})
            ),
            config,
            capacities_bps=[int(share * 100)] * hospitals,
            progress=status.update,
        )
    consortium.contracts.deployment.save(folder)
    _show(consortium.contracts, consortium.contracts.deployment, as_json, new=True)


def _verify(contracts: Contracts, as_json: bool) -> None:
    """Compare what is deployed with the sources; fails with the first contract that differs.

    Raises:
        CommandError: one differs.
    """
    with console(quiet=as_json).status("compiling"):
        compiled = {artifact["contractName"]: artifact for artifact in compile_sources(collect_sources())}
    checks = verify_code(contracts, compiled)
    difference = first_difference(checks, contracts.deployment)
    if as_json:
        print_json({"same": difference is None, "contracts": [asdict(check) for check in checks]})
    else:
        rows = [
            (
                check.field,
                check.address,
                "not compared: it was there before"
                if check.contract is None
                else check.problem or f"{check.contract}, as the sources have it",
            )
            for check in checks
        ]
        print_table(f"code on chain {contracts.deployment.chain_id}", ("contract", "address", "code"), rows)
    if difference is not None:
        raise CommandError(difference)


def _known(folder: Path, w3: Web3) -> Deployment | None:
    try:
        return load_deployment(folder, w3)
    except NotDeployed:
        return None


def _show(contracts: Contracts, deployment: Deployment, as_json: bool, *, new: bool) -> None:
    if as_json:
        print_json({**asdict(deployment), "new": new, "hospitals": contracts.consortium.hospital_count()})
        return
    title = f"contracts on chain {deployment.chain_id}" + (
        "" if new else ", already there (--fresh deploys anew)"
    )
    print_table(title, ("contract", "address"), list(deployment.addresses().items()))
    rows = [
        (h.id, h.account, f"{h.capacity_bps / 100:g}%", h.active) for h in contracts.consortium.hospitals()
    ]
    print_table("hospitals", ("hospital", "account", "capacity", "active"), rows)


if __name__ == "__main__":
    run_function(deploy)
