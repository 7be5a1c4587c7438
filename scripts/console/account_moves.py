"""`fediomt consortium move` and `accept`: a hospital goes on with another account, in two steps of two keys."""

from __future__ import annotations

from typing import Annotated

import typer

from chain.connect import NOBODY, to_address
from scripts.console.on_chain import OnChain, Signing, with_options
from scripts.console.options import Hospital


@with_options
def move(
    to: Signing,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The next account, never used here; none takes it back.")
    ],
    hospital: Hospital,
) -> None:
    """Name the account that the hospital goes on with, by its present key; the account then accepts."""
    following = None if account == "none" else to_address(account)
    to.contracts.consortium.propose_account(to.hospital(hospital), following)
    _say(to, hospital)


@with_options
def accept(to: Signing, hospital: Hospital) -> None:
    """Accept for the next account: --keystore names the folder in which hospital-ID.json is the new key."""
    to.contracts.consortium.accept_account(to.hospital(hospital), hospital)
    _say(to, hospital)


def _say(of: OnChain, hospital: int) -> None:
    account = of.contracts.consortium.hospital(hospital).account
    pending = of.contracts.consortium.pending_account(hospital)
    following = None if pending == NOBODY else pending
    then = "" if following is None else f"; {following} may accept with `fediomt consortium accept`"
    of.say(
        {"hospital": hospital, "account": account, "next_account": following},
        f"hospital {hospital} acts with {account}{then}",
    )
