"""`fediomt claim`: claim what a run earned, for its devices and its hospitals' treasuries."""

from __future__ import annotations

from typing import Annotated

import typer

from chain.clock import clock_for
from chain.connect import to_address
from scripts.console.errors import CommandError
from scripts.console.options import (
    HOME,
    RUNS,
    ChainId,
    Home,
    Json,
    Keystore,
    PasswordFile,
    RunId,
    Runs,
    Store,
    Url,
)
from scripts.console.output import console, print_json, tokens
from scripts.console.run_command import run_function
from scripts.console.session import find_run_and_store, open_consortium, open_run_contracts
from scripts.federation.claims import claim_all
from scripts.federation.record import RoundRecord
from scripts.federation.run import RunState


def claim(
    run: RunId = None,
    hospital: Annotated[int | None, typer.Option(help="Only for this hospital and its devices.")] = None,
    device: Annotated[str | None, typer.Option(help="Only for the device with this account.")] = None,
    store: Store = None,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Claim all that is claimable of a run: leaves of devices that opted in, by relay, and each treasury's part."""
    bundles, state = find_run_and_store(runs, run, store)
    contracts = open_run_contracts(state, home, url, expected_chain)
    records = [RoundRecord.from_files(bundles.read_bundle(number)) for number in state.rounds]
    if not records:
        raise CommandError(f"run {state.run} has no finished round: there is nothing to claim")
    screen, clock = console(quiet=as_json), clock_for(contracts.w3)
    consortium = open_consortium(contracts, home, keystore, password_file, screen)
    before = contracts.token.total_minted()
    with screen.status("claiming"):
        payouts = claim_all(
            consortium, records, state.devices(), clock, hospital=hospital, device=_account(state, device)
        )
    minted = contracts.token.total_minted() - before
    if as_json:
        print_json(
            {
                "run": state.run,
                "device_claims": payouts.device_claims,
                "treasury_claims": payouts.treasury_claims,
                "minted": tokens(minted),
                "exact": {"minted": str(minted)},
                "gas": consortium.gas.total(),
                "clock": clock.describe(),
            }
        )
    elif payouts.device_claims + payouts.treasury_claims == 0:
        screen.print(f"run {state.run}: nothing is left to claim")
    else:
        screen.print(
            f"run {state.run}: {payouts.device_claims} leaves and {payouts.treasury_claims} treasury parts claimed, "
            f"{tokens(minted):,.3f} tokens minted ({clock.describe()})"
        )


def _account(state: RunState, device: str | None) -> bytes | None:
    if device is None:
        return None
    account = bytes.fromhex(to_address(device)[2:])
    if account not in state.devices():
        raise CommandError(
            f"{device} is no device of run {state.run}: `fediomt ledger device` shows what is known of it"
        )
    return account


if __name__ == "__main__":
    run_function(claim)
