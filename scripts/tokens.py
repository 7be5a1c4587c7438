"""`fediomt tokens`: balances and supply of the participation token; selling it is in `scripts.console.cash_out`."""

from __future__ import annotations

from typing import Annotated

import typer

from chain.connect import to_address
from scripts.console.cash_out import fund, sell
from scripts.console.errors import CommandError
from scripts.console.options import HOME, ChainId, Home, Json, Url
from scripts.console.output import print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.console.session import open_deployment

app = typer.Typer(help="The participation token.", no_args_is_help=True)
app.command()(sell)
app.command()(fund)


@app.command()
def balance(
    who: Annotated[
        str | None,
        typer.Argument(
            metavar="[ADDRESS|ID]", help="An account, or a hospital's id; default: all hospitals."
        ),
    ] = None,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    as_json: Json = False,
) -> None:
    """Balance of an account, of a hospital, or of all hospitals."""
    contracts = open_deployment(home, url, expected_chain)
    if who is None:
        accounts = [(f"hospital {h.id}", h.account) for h in contracts.consortium.hospitals()]
    elif who.isdecimal():
        if not 1 <= int(who) <= contracts.consortium.hospital_count():
            raise CommandError(f"there is no hospital {who}: `fediomt tokens balance` lists all of them")
        accounts = [(f"hospital {who}", contracts.consortium.hospital(int(who)).account)]
    else:
        accounts = [("account", to_address(who))]
    found = [(name, account, contracts.token.balance_of(account)) for name, account in accounts]
    if as_json:
        print_json(
            [
                {"who": name, "account": account, "balance": tokens(value), "exact": str(value)}
                for name, account, value in found
            ]
        )
    else:
        rows = [(name, account, tokens(value)) for name, account, value in found]
        print_table("balances", ("who", "account", "tokens"), rows)


@app.command()
def supply(home: Home = HOME, url: Url = None, expected_chain: ChainId = None, as_json: Json = False) -> None:
    """Supply, what was minted by claims, what was burnt, what was allocated, and the bound of it all."""
    contracts = open_deployment(home, url, expected_chain)
    token = contracts.token
    exact = {
        "supply": token.total_supply(),
        "minted": token.total_minted(),
        "burnt": token.total_burned(),
        "allocated": contracts.ledger.total_allocated(),
        "max_supply": token.max_supply(),
    }
    if as_json:
        amounts = {name: tokens(value) for name, value in exact.items()}
        print_json({**amounts, "exact": {name: str(value) for name, value in exact.items()}})
    else:
        print_table(
            "participation token",
            ("what", "tokens"),
            [(name, tokens(value)) for name, value in exact.items()],
        )


if __name__ == "__main__":
    run(app)
