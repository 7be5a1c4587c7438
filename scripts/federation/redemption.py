"""One service, from its listing to the provider's pay."""

from __future__ import annotations

from dataclasses import dataclass

from chain.clock import Clock
from chain.contracts import Contracts
from chain.sender import Sender
from fl_core.canonical import digest_json

FULFIL_SECONDS = 7 * 24 * 3_600
BUYER_SECONDS = 2 * 24 * 3_600


@dataclass(frozen=True)
class Redemption:
    """A redeemed service: ids, price in smallest units, and how the order ended."""

    service: int
    order: int
    price: int
    status: str


def offer_service(
    contracts: Contracts,
    provider: Sender,
    *,
    name: str,
    price: int,
    uri: str = "",
    fulfil_seconds: int = FULFIL_SECONDS,
    buyer_seconds: int = BUYER_SECONDS,
) -> int:
    """A hospital lists a service; returns its id. Times are raised to what the desk requires at least."""
    desk = contracts.desk
    return desk.list_service(
        provider,
        metadata_hash=digest_json({"name": name}),
        uri=uri,
        price=price,
        fulfil_seconds=max(fulfil_seconds, desk.min_fulfil_seconds()),
        buyer_seconds=max(buyer_seconds, desk.min_buyer_seconds()),
    )


def order_service(contracts: Contracts, buyer: Sender, service: int, *, request: str) -> int:
    """A buyer approves the price and redeems; returns the order's id. The price lies in escrow from then on."""
    price = contracts.desk.service(service).price
    if contracts.token.allowance(buyer.address, contracts.desk.address) < price:
        contracts.token.approve(buyer, contracts.desk.address, price)
    return contracts.desk.redeem(buyer, service, digest_json({"request": request}))


def redeem_and_fulfil(
    contracts: Contracts, *, buyer: Sender, provider: Sender, name: str, price: int, clock: Clock
) -> Redemption:
    """The whole way: list, redeem, fulfil, let the buyer's window pass, pay the provider."""
    service = offer_service(contracts, provider, name=name, price=price)
    order = order_service(contracts, buyer, service, request=f"one {name}")
    contracts.desk.fulfil(provider, order, digest_json({"delivered": name}))
    clock.wait_until(contracts.desk.order(order).deadline)
    contracts.desk.settle(provider, order)
    return Redemption(service, order, price, contracts.desk.order(order).status.name.lower())
