"""`fediomt deploy`: put a consortium's contracts on the node, and admit its hospitals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from web3 import Web3

from chain.compile import collect_sources, compile_sources
from chain.connect import LOCAL_CHAIN_IDS, chain_id_of, to_address
from chain.contracts import Contracts, open_contracts
from chain.deploy import TOKEN, DeployConfig
from chain.deployments import Deployment, load_deployment
from chain.errors import NotDeployed
from chain.verify import first_difference, verify_code
from incentives import DEFAULT_RULE
from scripts.console.capacity import capacity_bps
from scripts.console.errors import CommandError
from scripts.console.given import given_options
from scripts.console.options import HOME, ChainId, Home, Json, Keystore, PasswordFile, Url
from scripts.console.output import console, print_json, print_table
from scripts.console.run_command import run_function
from scripts.console.session import (
    deployments_folder,
    open_deployment,
    open_keyring,
    open_node,
    open_outbox,
)
from scripts.federation.consortium import found_consortium
from scripts.federation.settings import RunSettings

GOVERNANCE = "Court and council"
"""Heading of the options for disputes and votes; their defaults are `DeployConfig`'s."""

_FIXED = {
    "k_min": "k_min",
    "settlement": "settlement",
    "challenge_bond": "challenge_bond",
    "slash": "slash_amount",
    "case_hours": "case_seconds",
    "openings": "openings",
    "voting_hours": "council_voting_seconds",
    "delay_hours": "council_delay_seconds",
    "arbitration_hours": "arbitration_seconds",
}
"""Parameters of the contracts, by the option that sets them."""

_WHERE = frozenset({"home", "url", "expected_chain", "keystore", "password_file", "as_json"})
"""Options that say where and how, and nothing of the contracts."""


def deploy(
    context: typer.Context,
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
    challenge_bond: Annotated[
        float | None, typer.Option(help="Bond of a challenge, settlement tokens.", rich_help_panel=GOVERNANCE)
    ] = None,
    slash: Annotated[
        float | None,
        typer.Option(
            help="What a proved fault takes from a bond, settlement tokens.", rich_help_panel=GOVERNANCE
        ),
    ] = None,
    case_hours: Annotated[
        float | None, typer.Option(help="How long a dispute is open.", rich_help_panel=GOVERNANCE)
    ] = None,
    openings: Annotated[
        int | None, typer.Option(help="Random leaves that a demand draws.", rich_help_panel=GOVERNANCE)
    ] = None,
    voting_hours: Annotated[
        float | None, typer.Option(help="How long hospitals vote on a proposal.", rich_help_panel=GOVERNANCE)
    ] = None,
    delay_hours: Annotated[
        float | None,
        typer.Option(
            help="From queueing a carried proposal until it can be executed; 0 on local chains only.",
            rich_help_panel=GOVERNANCE,
        ),
    ] = None,
    arbitration_hours: Annotated[
        float | None,
        typer.Option(
            help="How long the council may decide on an objection to a delivery; more than voting and delay.",
            rich_help_panel=GOVERNANCE,
        ),
    ] = None,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Deploy the contracts and admit hospitals; does nothing if they are there already."""
    given = {name: option for name, option in given_options(context).items() if name not in _WHERE}
    if verify:
        if len(given) > 1:
            option = next(option for name, option in given.items() if name != "verify")
            raise CommandError(f"--verify deploys nothing: leave out {option}")
        _verify(open_deployment(home, url, expected_chain), as_json)
        return
    w3 = open_node(home, url, expected_chain)
    folder = deployments_folder(home)
    share_bps = 10_000 // hospitals if capacity is None else capacity_bps(capacity)
    local = chain_id_of(w3) in LOCAL_CHAIN_IDS
    config = (
        DeployConfig.local(DEFAULT_RULE, k_min=k_min) if local else DeployConfig(DEFAULT_RULE, k_min=k_min)
    )
    config = replace(config, settlement=None if settlement is None else to_address(settlement))
    config = _with_governance(
        config,
        amounts={"challenge_bond": challenge_bond, "slash_amount": slash},
        hours={
            "case_seconds": case_hours,
            "council_voting_seconds": voting_hours,
            "council_delay_seconds": delay_hours,
            "arbitration_seconds": arbitration_hours,
        },
        openings=openings,
    )
    known = _known(folder, w3)
    if known is not None and not fresh:
        contracts = open_contracts(w3, known)
        _require_as_it_is(contracts, config, given, hospitals=hospitals, capacity=capacity)
        _show(contracts, known, as_json, new=False)
        return
    if not local and settlement is None:
        raise CommandError(
            f"chain {chain_id_of(w3)} is not a local one: name the ERC-20 in which bonds are posted with --settlement"
        )
    screen = console(quiet=as_json)
    with screen.status("deploying") as status:
        consortium = found_consortium(
            w3,
            open_keyring(
                w3, keystore, password_file, creates=frozenset({"operator", "coordinator", "hospital"})
            ),
            config,
            capacities_bps=[share_bps] * hospitals,
            outbox=open_outbox(home),
            records=folder,
            progress=status.update,
        )
    _show(consortium.contracts, consortium.contracts.deployment, as_json, new=True)


def _require_as_it_is(
    contracts: Contracts,
    config: DeployConfig,
    given: Mapping[str, str],
    *,
    hospitals: int,
    capacity: float | None,
) -> None:
    """What is deployed is what the options ask for, since nothing of it can be changed here.

    Raises:
        CommandError: it is not.
    """
    admitted = contracts.consortium.hospitals()
    if len(admitted) < hospitals:
        raise CommandError(
            f"contracts with {len(admitted)} hospitals are there already: admit more with `fediomt consortium propose "
            "admit`, or deploy anew with --fresh"
        )
    wanted, recorded = config.as_json(), contracts.deployment.config
    differ = [
        name for name, field in _FIXED.items() if name in given and recorded.get(field) != wanted[field]
    ]
    if capacity is not None and any(item.capacity_bps != capacity_bps(capacity) for item in admitted):
        differ.append("capacity")
    if differ:
        raise CommandError(
            f"contracts are there already, with another {given[differ[0]]}: leave it out, or deploy anew with --fresh"
        )


def _with_governance(
    config: DeployConfig,
    *,
    amounts: Mapping[str, float | None],
    hours: Mapping[str, float | None],
    openings: int | None,
) -> DeployConfig:
    """The configuration with what was chosen for court and council; `chain.deploy` refuses what is out of range.

    Raises:
        CommandError: a number is negative or none.
    """
    wanted = {name: (value, TOKEN) for name, value in amounts.items()}
    wanted |= {name: (value, 3_600) for name, value in hours.items()}
    chosen = {name: given for name, given in wanted.items() if given[0] is not None}
    for name, (value, _) in chosen.items():
        if value is None or not 0 <= value < 10**9:
            raise CommandError(f"{name.replace('_', ' ')} {value} does not work: choose 0 or more")
    numbers = {name: round(Fraction(str(value)) * unit) for name, (value, unit) in chosen.items()}
    if openings is not None:
        numbers["openings"] = openings
    return replace(config, **numbers)  # type: ignore[arg-type]


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
