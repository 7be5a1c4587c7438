"""Client of `RedemptionDesk`: services, orders, and where each stands; cash-out is in `chain.cash_out`."""

from __future__ import annotations

from chain.cash_out import CashOutClient
from chain.errors import RecordError
from chain.phases import OrderStatus
from chain.receipts import Receipt
from chain.records import OrderRecord, ServiceRecord
from chain.sender import Sender


class DeskClient(CashOutClient):
    """Services paid with participation tokens. Writes raise as `Sender.send` does; hashes have 32 bytes."""

    def list_service(
        self,
        sender: Sender,
        *,
        metadata_hash: bytes,
        uri: str,
        price: int,
        fulfil_seconds: int,
        buyer_seconds: int,
    ) -> int:
        """An active hospital lists a service; returns its id. A new price is a new service."""
        receipt = self.transact(
            sender, "listService", metadata_hash, uri, price, fulfil_seconds, buyer_seconds
        )
        return int(self.event_in(receipt, "ServiceListed").values["service_id"])

    def retire_service(self, sender: Sender, service_id: int) -> Receipt:
        """The provider takes no new orders for a service."""
        return self.transact(sender, "retireService", service_id)

    def redeem(self, sender: Sender, service_id: int, request_hash: bytes) -> int:
        """The buyer orders; the price is escrowed out of its allowance. Returns the order's id."""
        receipt = self.transact(sender, "redeem", service_id, request_hash)
        return int(self.event_in(receipt, "Redeemed").values["order_id"])

    def redeem_with_permit(
        self, sender: Sender, service_id: int, request_hash: bytes, *, deadline: int, signature: bytes
    ) -> int:
        """The same with a permit (see `TokenClient.sign_permit`, for the desk and exactly the price)."""
        permit = (deadline, signature[64], signature[:32], signature[32:64])
        receipt = self.transact(sender, "redeemWithPermit", service_id, request_hash, permit)
        return int(self.event_in(receipt, "Redeemed").values["order_id"])

    def fulfil(self, sender: Sender, order_id: int, deliverable_hash: bytes) -> Receipt:
        """The provider fulfils, strictly before the deadline."""
        return self.transact(sender, "fulfil", order_id, deliverable_hash)

    def accept(self, sender: Sender, order_id: int) -> Receipt:
        """The buyer accepts; the provider is paid at once."""
        return self.transact(sender, "accept", order_id)

    def object_to(self, sender: Sender, order_id: int, reason_hash: bytes) -> Receipt:
        """The buyer objects within its window."""
        return self.transact(sender, "object", order_id, reason_hash)

    def resolve(self, sender: Sender, order_id: int, *, refund_buyer: bool) -> Receipt:
        """Governance decides on an objection."""
        return self.transact(sender, "resolve", order_id, refund_buyer)

    def settle(self, sender: Sender, order_id: int) -> Receipt:
        """Anyone has the provider paid once the buyer's window, or the arbitration, has ended."""
        return self.transact(sender, "settle", order_id)

    def refund(self, sender: Sender, order_id: int) -> Receipt:
        """Anyone returns the price of an order that missed its deadline."""
        return self.transact(sender, "refund", order_id)

    def service(self, service_id: int) -> ServiceRecord:
        """A service.

        Raises:
            ContractError: UnknownService.
        """
        return self._services([service_id])[0]

    def services(self) -> tuple[ServiceRecord, ...]:
        """All services, by id."""
        return self._services(range(1, int(self.call("serviceCount")) + 1))

    def order(self, order_id: int) -> OrderRecord:
        """An order.

        Raises:
            RecordError: no order was placed under that id.
        """
        record = self._orders([order_id])[0]
        if record.status is OrderStatus.NONE:
            raise RecordError(f"there is no order {order_id}: give the id that redeeming returned")
        return record

    def orders(self) -> tuple[OrderRecord, ...]:
        """All orders, by id."""
        return self._orders(range(1, int(self.call("orderCount")) + 1))

    def min_fulfil_seconds(self) -> int:
        """Shortest time a service may give its provider."""
        return int(self.call("minFulfilSeconds"))

    def min_buyer_seconds(self) -> int:
        """Shortest time a service may give its buyer to object."""
        return int(self.call("minBuyerSeconds"))

    def service_uri(self, service_id: int) -> str:
        """Where a service's description is, from the event that listed it; "" for an unknown service."""
        found = list(self.read_events("ServiceListed", indexed=[service_id]))
        return str(found[0].values["uri"]) if found else ""

    def _services(self, ids: range | list[int]) -> tuple[ServiceRecord, ...]:
        views = self.call_many([("service", [number]) for number in ids])
        return tuple(ServiceRecord(**{**view, "id": number}) for number, view in zip(ids, views, strict=True))

    def _orders(self, ids: range | list[int]) -> tuple[OrderRecord, ...]:
        views = self.call_many([("order", [number]) for number in ids])
        return tuple(
            OrderRecord(**{**view, "id": number, "status": OrderStatus(view["status"])})
            for number, view in zip(ids, views, strict=True)
        )
