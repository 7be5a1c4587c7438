"""What the errors of RedemptionDesk mean, and what to do."""

from __future__ import annotations

DESK_TEXTS = {
    "NotActiveHospital(address)": (
        "{caller} acts for no active hospital: send with an active hospital's key"
    ),
    "InvalidPrice(uint256)": (
        "a price of {price} is zero or too large: give one in the token's smallest unit"
    ),
    "ZeroHash()": "a hash is zero: give the hash of the request, deliverable, reason or description",
    "DurationOutOfBounds(uint64,uint64,uint64)": (
        "a duration of {given} s is outside {minimum}..{maximum} s: give one within"
    ),
    "UnknownService(uint32)": "there is no service {service_id}: choose one of those listed",
    "ServiceNotOffered(uint32)": "service {service_id} takes no new orders: choose another",
    "NotProvider(uint16,address)": (
        "{caller} does not act for hospital {provider}, which provides the service: send with its key"
    ),
    "NotBuyer(address,address)": "{caller} is not the buyer {buyer} of the order: send with the buyer's key",
    "WrongStatus(uint256,uint8)": "order {order_id} is {actual:order_status}, which does not allow this",
    "DeadlinePassed(uint256,uint64)": (
        "the deadline of order {order_id} was {deadline:time}: it can only be refunded or settled now"
    ),
    "DeadlineNotReached(uint256,uint64)": (
        "the deadline of order {order_id} is {deadline:time}: wait until then"
    ),
}

CASH_OUT_TEXTS = {
    "SettlementIsToken()": "the settlement token is the participation token: deploy with another one",
    "InvalidPriceCap(uint256)": "a price cap of {price_cap} is zero or too large: correct the deployment",
    "SupplyTooLarge(uint256)": (
        "a maximum supply of {max_supply} does not fit the desk's books: deploy a smaller one"
    ),
    "InvalidCashOut(uint256)": "an amount of {amount} is zero or too large: sell what you hold",
    "ZeroMinOut()": "the least to be paid is zero: ask for at least the settlement token's smallest unit",
    "MinOutAboveCap(uint256,uint256)": (
        "at least {min_out} is asked for, the price cap pays {most} at most: ask for less"
    ),
    "UnknownRequest(uint256)": (
        "there is no cash-out request {request_id}: `fediomt tokens sell list` shows all of them"
    ),
    "RequestOver(uint256)": "cash-out request {request_id} was cancelled, paid or returned already",
    "NotRequester(address,address)": (
        "{caller} did not make the request, {requester} did: send with that key"
    ),
    "CashOutEpochRunning(uint64,uint64)": (
        "cash-out epoch {epoch} runs until {ends_at:time}: wait until then"
    ),
    "CashOutEpochOver(uint64,uint64)": (
        "cash-out epoch {epoch} ended {ended_at:time}: collect the request instead"
    ),
    "NothingToSettle(uint64)": (
        "cash-out epoch {epoch} is settled, or nothing was asked in it: collect the requests"
    ),
    "InvalidFunding(uint256)": "an amount of {amount} is zero or more than the desk's books can hold",
    "FundingNotExact(uint256,uint256)": (
        "the settlement token moved {received} instead of {asked}: a token that charges for transfers cannot "
        "fund the reserve"
    ),
    "NoSurplus()": "the desk holds no settlement tokens beyond its books: fund the reserve instead",
    "ReentrancyGuardReentrantCall()": (
        "a token called back into the desk, which refuses that: use a plain ERC-20"
    ),
}
