"""Client of the desk's cash-out: the reserve, the epochs, and the requests queued in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chain.contract import Contract
from chain.errors import RecordError
from chain.phases import CashOutStatus
from chain.receipts import Receipt
from chain.sender import Sender


@dataclass(frozen=True)
class CashOutRecord:
    """A request. `amount` in the participation token's smallest unit; `level` is the price level of its minimum."""

    id: int
    requester: str
    epoch: int
    level: int
    status: CashOutStatus
    amount: int


@dataclass(frozen=True)
class CashOutEpochRecord:
    """What was fixed when an epoch was settled; zeros before.

    Attributes:
        epoch: its number, from 1.
        ends_at: when it ends (unix seconds).
        settled: whether its price is fixed.
        pay_numerator: of the price, in smallest units of both tokens.
        pay_denominator: of the price.
        sold: tokens that are paid, in the smallest unit.
        uncollected: of these, the ones whose pay was not collected yet.
        unpaid: settlement tokens still owed to them, rounding included.
        reach: levels that are paid, those below it.
    """

    epoch: int
    ends_at: int
    settled: bool
    pay_numerator: int
    pay_denominator: int
    sold: int
    uncollected: int
    unpaid: int
    reach: int

    def pays(self, request: CashOutRecord) -> int | None:
        """What a request of this epoch is paid (settlement token's smallest unit), 0 if its tokens come back."""
        if not self.settled:
            return None
        if request.level >= self.reach:
            return 0
        return request.amount * self.pay_numerator // self.pay_denominator


class CashOutClient(Contract):
    """Participation tokens for the settlement token. Writes raise as `Sender.send` does."""

    contract = "RedemptionDesk"

    def fund_reserve(self, sender: Sender, amount: int) -> Receipt:
        """Anyone adds to the reserve, out of an allowance of the settlement token."""
        return self.transact(sender, "fundReserve", amount)

    def count_surplus(self, sender: Sender) -> int:
        """Anyone counts settlement tokens that were sent to the desk; returns how much."""
        return int(self.event_in(self.transact(sender, "countSurplus"), "SurplusCounted").values["amount"])

    def request_cash_out(self, sender: Sender, amount: int, min_out: int) -> int:
        """Queue tokens for sale, out of an allowance; returns the request's id."""
        receipt = self.transact(sender, "requestCashOut", amount, min_out)
        return int(self.event_in(receipt, "CashOutRequested").values["request_id"])

    def cancel_cash_out(self, sender: Sender, request_id: int) -> Receipt:
        """The requester takes a request back before its epoch ends."""
        return self.transact(sender, "cancelCashOut", request_id)

    def settle_cash_out_epoch(self, sender: Sender, epoch: int) -> Receipt:
        """Anyone fixes the price of an epoch that is over."""
        return self.transact(sender, "settleCashOutEpoch", epoch)

    def collect_cash_out(self, sender: Sender, request_id: int) -> int:
        """Anyone has a request paid, or its tokens returned; what it was paid, 0 if they came back."""
        receipt = self.transact(sender, "collectCashOut", request_id)
        paid = self.events_in(receipt, "CashOutPaid")
        return int(paid[0].values["paid"]) if paid else 0

    def cash_out_reserve(self) -> int:
        """What the epochs to come can pay, in the settlement token's smallest unit."""
        return int(self.call("cashOutReserve"))

    def cash_out_owed(self) -> int:
        """What settled epochs have still to pay."""
        return int(self.call("cashOutOwed"))

    def cash_out_escrow(self) -> int:
        """Participation tokens in escrow for requests that are not over."""
        return int(self.call("cashOutEscrow"))

    def cash_out_seconds(self) -> int:
        """Length of an epoch."""
        return int(self.call("cashOutSeconds"))

    def cash_out_price_cap(self) -> int:
        """The most that a whole token is paid, in the settlement token's smallest unit."""
        return int(self.call("cashOutPriceCap"))

    def current_cash_out_epoch(self) -> int:
        """The present epoch, from 1."""
        return int(self.call("currentCashOutEpoch"))

    def cash_out_epoch(self, epoch: int) -> CashOutEpochRecord:
        """An epoch."""
        return self.cash_out_epochs([epoch])[0]

    def cash_out_epochs(self, epochs: Sequence[int]) -> tuple[CashOutEpochRecord, ...]:
        """Several epochs, in one request."""
        views = self.call_many([("cashOutEpoch", [epoch]) for epoch in epochs])
        ends = self.call_many([("cashOutEpochEnd", [epoch]) for epoch in epochs])
        return tuple(
            CashOutEpochRecord(**{**view, "epoch": epoch, "ends_at": int(end)})
            for epoch, view, end in zip(epochs, views, ends, strict=True)
        )

    def cash_out_request(self, request_id: int) -> CashOutRecord:
        """A request.

        Raises:
            RecordError: none was made under that id.
        """
        record = self._cash_outs([request_id])[0]
        if record.status is CashOutStatus.NONE:
            raise RecordError(
                f"there is no cash-out request {request_id}: `fediomt tokens sell list` shows all of them"
            )
        return record

    def cash_out_requests(self) -> tuple[CashOutRecord, ...]:
        """All requests, by id."""
        return self._cash_outs(range(1, int(self.call("cashOutCount")) + 1))

    def _cash_outs(self, ids: Sequence[int]) -> tuple[CashOutRecord, ...]:
        views = self.call_many([("cashOutRequest", [number]) for number in ids])
        return tuple(
            CashOutRecord(**{**view, "id": number, "status": CashOutStatus(view["status"])})
            for number, view in zip(ids, views, strict=True)
        )
