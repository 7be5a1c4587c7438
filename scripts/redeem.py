"""`fediomt redeem`: services for tokens, from the offer to the provider's pay."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from chain.clock import clock_for
from chain.contracts import Contracts
from chain.sender import Sender
from fl_core.canonical import digest_json
from scripts.console.errors import CommandError
from scripts.console.options import HOME, ChainId, Home, Json, Keystore, PasswordFile, Url
from scripts.console.output import console, print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.console.session import open_deployment, open_keyring, open_outbox
from scripts.federation.redemption import BUYER_SECONDS, FULFIL_SECONDS, offer_service, order_service

app = typer.Typer(help="Redeem tokens for services.", no_args_is_help=True)

MAX_PRICE = Decimal(10) ** 9

Hospital = Annotated[int, typer.Option(help="Id of the hospital that acts.")]
Order = Annotated[int, typer.Argument(metavar="ORDER", help="The order's id.")]


@app.command()
def services(
    home: Home = HOME, url: Url = None, expected_chain: ChainId = None, as_json: Json = False
) -> None:
    """All services on offer."""
    contracts = open_deployment(home, url, expected_chain)
    lines = [
        {
            "service": s.id,
            "provider": s.provider,
            "name": contracts.desk.service_uri(s.id),
            "price": tokens(s.price),
            "open": not s.retired,
        }
        for s in contracts.desk.services()
    ]
    if as_json:
        print_json(lines)
    else:
        columns = ("service", "provider", "name", "price", "open")
        print_table("services (prices in tokens)", columns, [[line[c] for c in columns] for line in lines])


@app.command()
def orders(home: Home = HOME, url: Url = None, expected_chain: ChainId = None, as_json: Json = False) -> None:
    """All orders, and where each stands."""
    contracts = open_deployment(home, url, expected_chain)
    lines = [_order_line(contracts, order.id) for order in contracts.desk.orders()]
    if as_json:
        print_json(lines)
    else:
        columns = ("order", "service", "buyer", "price", "status")
        print_table("orders (prices in tokens)", columns, [[line[c] for c in columns] for line in lines])


@app.command()
def offer(
    name: Annotated[str, typer.Argument(help="What is offered.")],
    price: Annotated[str, typer.Argument(help="Price in tokens.")],
    hospital: Hospital,
    fulfil_seconds: Annotated[int, typer.Option(help="Time to fulfil an order.")] = FULFIL_SECONDS,
    buyer_seconds: Annotated[int, typer.Option(help="Time for the buyer to object.")] = BUYER_SECONDS,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """A hospital offers a service; a new price is a new service."""
    contracts = open_deployment(home, url, expected_chain)
    service = offer_service(
        contracts,
        _sender(contracts, home, keystore, password_file, hospital),
        name=name,
        price=_amount(price),
        uri=name,
        fulfil_seconds=fulfil_seconds,
        buyer_seconds=buyer_seconds,
    )
    _say(
        as_json, {"service": service}, f"service {service} offered by hospital {hospital} for {price} tokens"
    )


@app.command()
def order(
    service: Annotated[int, typer.Argument(metavar="SERVICE", help="The service's id.")],
    hospital: Hospital,
    request: Annotated[str, typer.Option(help="What is asked for; only its hash goes on chain.")] = "",
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """A hospital redeems tokens for a service; the price lies in escrow until the order ends."""
    contracts = open_deployment(home, url, expected_chain)
    buyer = _sender(contracts, home, keystore, password_file, hospital)
    number = order_service(contracts, buyer, service, request=request)
    _say(as_json, _order_line(contracts, number), f"order {number} placed, the price is in escrow")


@app.command()
def fulfil(
    number: Order,
    hospital: Hospital,
    delivery: Annotated[str, typer.Option(help="What was delivered; only its hash goes on chain.")] = "",
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """The provider fulfils an order, before its deadline."""
    contracts = open_deployment(home, url, expected_chain)
    provider = _sender(contracts, home, keystore, password_file, hospital)
    contracts.desk.fulfil(provider, number, digest_json({"delivered": delivery}))
    _say(
        as_json,
        _order_line(contracts, number),
        f"order {number} fulfilled; the buyer may accept it or object",
    )


@app.command()
def accept(
    number: Order,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """The buyer accepts a fulfilled order; the provider is paid at once."""
    contracts = open_deployment(home, url, expected_chain)
    contracts.desk.accept(_sender(contracts, home, keystore, password_file, hospital), number)
    _say(as_json, _order_line(contracts, number), f"order {number} accepted, the provider is paid")


@app.command()
def settle(
    number: Order,
    hospital: Hospital,
    wait: Annotated[bool, typer.Option(help="Wait until the buyer's window has passed.")] = False,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Pay the provider of a fulfilled order once the buyer's window has passed without objection."""
    contracts = open_deployment(home, url, expected_chain)
    sender = _sender(contracts, home, keystore, password_file, hospital)
    if wait:
        clock_for(contracts.w3).wait_until(contracts.desk.order(number).deadline)
    contracts.desk.settle(sender, number)
    _say(as_json, _order_line(contracts, number), f"order {number} settled, the provider is paid")


@app.command()
def refund(
    number: Order,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Return the price of an order whose deadline passed unfulfilled."""
    contracts = open_deployment(home, url, expected_chain)
    contracts.desk.refund(_sender(contracts, home, keystore, password_file, hospital), number)
    _say(as_json, _order_line(contracts, number), f"order {number} refunded")


def _sender(
    contracts: Contracts, home: Path, keystore: Path | None, password_file: Path | None, hospital: int
) -> Sender:
    count = contracts.consortium.hospital_count()
    if not 1 <= hospital <= count:
        raise CommandError(f"there is no hospital {hospital}: ids are 1 to {count}")
    key = open_keyring(contracts.w3, keystore, password_file).hospital(hospital)
    return Sender(contracts.w3, key, outbox=open_outbox(home))


def _order_line(contracts: Contracts, number: int) -> dict[str, Any]:
    found = contracts.desk.order(number)
    price = contracts.desk.service(found.service_id).price if found.service_id else 0
    return {
        "order": number,
        "service": found.service_id,
        "buyer": found.buyer,
        "price": tokens(price),
        "status": found.status.name.lower(),
        "deadline": found.deadline,
    }


def _amount(text: str) -> int:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("nan")
    if not price.is_finite() or price > MAX_PRICE:
        raise CommandError(f"{text!r} is no price: give a number of tokens, such as 25 or 0.5")
    amount = price.scaleb(18)
    if amount <= 0 or amount != amount.to_integral_value():
        raise CommandError(f"{text!r} is no price: it must be above 0 and have at most 18 decimals")
    return int(amount)


def _say(as_json: bool, value: dict[str, Any], text: str) -> None:
    if as_json:
        print_json(value)
    else:
        console().print(text)


if __name__ == "__main__":
    run(app)
