"""`fediomt consortium move` and `accept`: a hospital goes on with another account, in two steps of two keys."""

from __future__ import annotations

from typing import Annotated

import typer

from chain.connect import NOBODY, to_address
from chain.contracts import Contracts
from chain.sender import Sender
from scripts.console.options import HOME, ChainId, Home, Json, Keystore, PasswordFile, Url
from scripts.console.output import console, print_json
from scripts.console.session import open_deployment, open_keyring

Hospital = Annotated[int, typer.Option(help="Id of the hospital that moves.")]


def move(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The next account, never used here; none takes it back.")
    ],
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Name the account that the hospital goes on with, by its present key; the account then accepts."""
    following = None if account == "none" else to_address(account)
    contracts = open_deployment(home, url, expected_chain)
    contracts.consortium.hospital(hospital)
    keyring = open_keyring(contracts.w3, keystore, password_file)
    contracts.consortium.propose_account(Sender(contracts.w3, keyring.hospital(hospital)), following)
    _say(contracts, hospital, as_json)


def accept(
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Accept for the next account: --keystore names the folder in which hospital-ID.json is the new key."""
    contracts = open_deployment(home, url, expected_chain)
    contracts.consortium.hospital(hospital)
    keyring = open_keyring(contracts.w3, keystore, password_file)
    contracts.consortium.accept_account(Sender(contracts.w3, keyring.hospital(hospital)), hospital)
    _say(contracts, hospital, as_json)


def _say(contracts: Contracts, hospital: int, as_json: bool) -> None:
    account = contracts.consortium.hospital(hospital).account
    pending = contracts.consortium.pending_account(hospital)
    following = None if pending == NOBODY else pending
    if as_json:
        print_json({"hospital": hospital, "account": account, "next_account": following})
        return
    then = "" if following is None else f"; {following} may accept with `fediomt consortium accept`"
    console().print(f"hospital {hospital} acts with {account}{then}")
