"""`fediomt tokens`: balances and supply of the participation token; selling it is in `scripts.console.cash_out`."""

from __future__ import annotations

from typing import Annotated

import typer

from chain.connect import to_address
from scripts.console.cash_out import fund, sell
from scripts.console.on_chain import OnChain, with_options
from scripts.console.output import print_json, print_table, tokens
from scripts.console.run_command import run

app = typer.Typer(help="The participation token.", no_args_is_help=True)
app.command()(sell)
app.command()(fund)


@app.command()
@with_options
def balance(
    of: OnChain,
    who: Annotated[
        str | None,
        typer.Argument(
            metavar="[ADDRESS|ID]", help="An account, or a hospital's id; default: all hospitals."
        ),
    ] = None,
) -> None:
    """Balance of an account, of a hospital, or of all hospitals."""
    if who is None:
        accounts = [(f"hospital {h.id}", h.account) for h in of.contracts.consortium.hospitals()]
    elif who.isdecimal():
        accounts = [(f"hospital {who}", of.contracts.consortium.hospital(int(who)).account)]
    else:
        accounts = [("account", to_address(who))]
    held = [(name, account, of.contracts.token.balance_of(account)) for name, account in accounts]
    if of.as_json:
        print_json(
            [
                {"who": name, "account": account, "balance": tokens(value), "exact": str(value)}
                for name, account, value in held
            ]
        )
    else:
        rows = [(name, account, tokens(value)) for name, account, value in held]
        print_table("balances", ("who", "account", "tokens"), rows)


@app.command()
@with_options
def supply(of: OnChain) -> None:
    """Supply, what was minted by claims, what was burnt, what was allocated, and the bound of it all."""
    token = of.contracts.token
    exact = {
        "supply": token.total_supply(),
        "minted": token.total_minted(),
        "burnt": token.total_burned(),
        "allocated": of.contracts.ledger.total_allocated(),
        "max_supply": token.max_supply(),
    }
    if of.as_json:
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
