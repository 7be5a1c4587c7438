"""`fediomt claim`: claim what a run earned, for its devices and its hospitals' treasuries."""

from __future__ import annotations

from chain.clock import clock_for
from chain.gas import GasLedger
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
    Url,
)
from scripts.console.output import console, print_json, tokens
from scripts.console.run_command import run_function
from scripts.console.session import find_run, open_keyring, open_run_contracts
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium


def claim(
    run: RunId = None,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Claim all that is claimable of a run: leaves of devices that opted in, by relay, and each treasury's part."""
    folder, state = find_run(runs, run)
    contracts = open_run_contracts(state, home, url, expected_chain)
    records = [state.read_round(folder, number)[0] for number in state.rounds]
    if not records:
        raise CommandError(f"run {state.run} has no finished round: there is nothing to claim")
    consortium = Consortium(contracts, open_keyring(contracts.w3, keystore, password_file), GasLedger())
    screen, clock = console(quiet=as_json), clock_for(contracts.w3)
    before = contracts.token.total_minted()
    with screen.status("claiming"):
        payouts = claim_all(consortium, records, state.devices(), clock)
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
        screen.print(f"run {state.run}: everything is claimed already")
    else:
        screen.print(
            f"run {state.run}: {payouts.device_claims} leaves and {payouts.treasury_claims} treasury parts claimed, "
            f"{tokens(minted):,.3f} tokens minted ({clock.describe()})"
        )


if __name__ == "__main__":
    run_function(claim)
