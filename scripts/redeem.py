"""`fediomt redeem`: services for tokens, from the offer to the provider's pay."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer

from chain.clock import clock_for
from chain.contracts import Contracts
from fl_core.canonical import digest_json
from scripts.console.amounts import in_units
from scripts.console.on_chain import OnChain, Signing, with_options
from scripts.console.options import Hospital
from scripts.console.output import print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.federation.redemption import BUYER_SECONDS, FULFIL_SECONDS, offer_service, order_service

app = typer.Typer(help="Redeem tokens for services.", no_args_is_help=True)

TOKEN_DECIMALS = 18
MAX_PRICE = Decimal(10) ** 9

Order = Annotated[int, typer.Argument(metavar="ORDER", help="The order's id.")]


@app.command()
@with_options
def services(of: OnChain) -> None:
    """All services on offer."""
    lines = [
        {
            "service": s.id,
            "provider": s.provider,
            "name": of.contracts.desk.service_uri(s.id),
            "price": tokens(s.price),
            "open": not s.retired,
        }
        for s in of.contracts.desk.services()
    ]
    if of.as_json:
        print_json(lines)
    else:
        columns = ("service", "provider", "name", "price", "open")
        print_table("services (prices in tokens)", columns, [[line[c] for c in columns] for line in lines])


@app.command()
@with_options
def orders(of: OnChain) -> None:
    """All orders, and where each stands."""
    lines = [_order_line(of.contracts, order.id) for order in of.contracts.desk.orders()]
    if of.as_json:
        print_json(lines)
    else:
        columns = ("order", "service", "buyer", "price", "status")
        print_table("orders (prices in tokens)", columns, [[line[c] for c in columns] for line in lines])


@app.command()
@with_options
def offer(
    to: Signing,
    name: Annotated[str, typer.Argument(help="What is offered.")],
    price: Annotated[str, typer.Argument(help="Price in tokens.")],
    hospital: Hospital,
    fulfil_seconds: Annotated[int, typer.Option(help="Time to fulfil an order.")] = FULFIL_SECONDS,
    buyer_seconds: Annotated[int, typer.Option(help="Time for the buyer to object.")] = BUYER_SECONDS,
) -> None:
    """A hospital offers a service; a new price is a new service."""
    service = offer_service(
        to.contracts,
        to.hospital(hospital),
        name=name,
        price=in_units(price, TOKEN_DECIMALS, largest=MAX_PRICE),
        uri=name,
        fulfil_seconds=fulfil_seconds,
        buyer_seconds=buyer_seconds,
    )
    to.say({"service": service}, f"service {service} offered by hospital {hospital} for {price} tokens")


@app.command()
@with_options
def order(
    to: Signing,
    service: Annotated[int, typer.Argument(metavar="SERVICE", help="The service's id.")],
    hospital: Hospital,
    request: Annotated[str, typer.Option(help="What is asked for; only its hash goes on chain.")] = "",
) -> None:
    """A hospital redeems tokens for a service; the price lies in escrow until the order ends."""
    buyer = to.hospital(hospital)
    number = order_service(to.contracts, buyer, service, request=request)
    to.say(_order_line(to.contracts, number), f"order {number} placed, the price is in escrow")


@app.command()
@with_options
def fulfil(
    to: Signing,
    number: Order,
    hospital: Hospital,
    delivery: Annotated[str, typer.Option(help="What was delivered; only its hash goes on chain.")] = "",
) -> None:
    """The provider fulfils an order, before its deadline."""
    provider = to.hospital(hospital)
    to.contracts.desk.fulfil(provider, number, digest_json({"delivered": delivery}))
    to.say(
        _order_line(to.contracts, number),
        f"order {number} fulfilled; the buyer may accept it or object",
    )


@app.command()
@with_options
def accept(
    to: Signing,
    number: Order,
    hospital: Hospital,
) -> None:
    """The buyer accepts a fulfilled order; the provider is paid at once."""
    to.contracts.desk.accept(to.hospital(hospital), number)
    to.say(_order_line(to.contracts, number), f"order {number} accepted, the provider is paid")


@app.command()
@with_options
def settle(
    to: Signing,
    number: Order,
    hospital: Hospital,
    wait: Annotated[bool, typer.Option(help="Wait until the buyer's window has passed.")] = False,
) -> None:
    """Pay the provider of a fulfilled order once the buyer's window has passed without objection."""
    sender = to.hospital(hospital)
    if wait:
        clock_for(to.contracts.w3).wait_until(to.contracts.desk.order(number).deadline)
    to.contracts.desk.settle(sender, number)
    to.say(_order_line(to.contracts, number), f"order {number} settled, the provider is paid")


@app.command()
@with_options
def refund(
    to: Signing,
    number: Order,
    hospital: Hospital,
) -> None:
    """Return the price of an order whose deadline passed unfulfilled."""
    to.contracts.desk.refund(to.hospital(hospital), number)
    to.say(_order_line(to.contracts, number), f"order {number} refunded")


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


if __name__ == "__main__":
    run(app)
