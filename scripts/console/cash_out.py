"""`fediomt tokens sell` and `fediomt tokens fund`: tokens for the settlement token, out of the desk's reserve."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chain.cash_out import CashOutEpochRecord, CashOutRecord
from chain.clock import clock_for, head
from chain.contracts import Contracts
from chain.phases import CashOutStatus
from chain.sender import Sender
from scripts.console.amounts import in_units
from scripts.console.errors import CommandError
from scripts.console.on_chain import OnChain, Signing, with_options
from scripts.console.output import print_json, print_table

TOKEN_DECIMALS = 18

Hospital = Annotated[int | None, typer.Option(help="Id of the hospital that acts; listing needs none.")]


@with_options
def sell(
    to: Signing,
    amount: Annotated[
        str | None, typer.Argument(metavar="[AMOUNT|list]", help="Tokens to sell, or `list`.")
    ] = None,
    min_out: Annotated[
        str | None, typer.Option(help="The least to be paid for all of them; else they come back.")
    ] = None,
    settle: Annotated[
        bool, typer.Option("--settle", help="Fix the price of the epoch that is over.")
    ] = False,
    collect: Annotated[
        bool, typer.Option("--collect", help="Have the hospital's requests paid, or returned.")
    ] = False,
    cancel: Annotated[int | None, typer.Option(metavar="REQUEST", help="Take a request back.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the epoch is over.")] = False,
    hospital: Hospital = None,
) -> None:
    """Sell tokens for the settlement token: queued in epochs, paid at one price out of what the reserve holds."""
    chosen = [amount is not None, settle, collect, cancel is not None]
    if sum(chosen) != 1:
        raise CommandError("give one of AMOUNT, list, --settle, --collect and --cancel REQUEST")
    if amount == "list":
        _list(to)
        return
    if hospital is None:
        raise CommandError("name the hospital that acts with --hospital ID")
    sender = to.hospital(hospital)
    if amount is not None:
        if min_out is None:
            raise CommandError("say with --min-out the least that all of the tokens must be paid")
        request = _request(to.contracts, sender, amount, min_out)
        line = _line(to.contracts, request)
        to.say(
            line,
            f"request {request} queued in epoch {line['epoch']}, which ends at {line['ends_at']}",
        )
    elif cancel is not None:
        to.contracts.desk.cancel_cash_out(sender, cancel)
        to.say(_line(to.contracts, cancel), f"request {cancel} cancelled, its tokens are back")
    elif settle:
        epoch = _settle(to.contracts, sender, wait=wait)
        shown = to.contracts.desk.cash_out_epoch(epoch)
        price = _shown(shown.pay_numerator * 10**TOKEN_DECIMALS // shown.pay_denominator, to.contracts)
        to.say(
            {"epoch": epoch, "sold": shown.sold / 10**TOKEN_DECIMALS, "price": price},
            f"epoch {epoch} settled: {shown.sold / 10**TOKEN_DECIMALS:g} tokens sold at {price:g}",
        )
    else:
        _collect(to, sender, wait=wait)


@with_options
def fund(
    to: Signing,
    amount: Annotated[str, typer.Argument(help="Settlement tokens for the reserve.")],
    hospital: Annotated[
        int | None, typer.Option(help="Id of the hospital that pays; default: the operator.")
    ] = None,
) -> None:
    """Add settlement tokens to the reserve from which tokens are cashed out."""
    units = in_units(amount, to.contracts.settlement.decimals())
    sender = to.operator() if hospital is None else to.hospital(hospital)
    to.contracts.settlement.approve(sender, to.contracts.desk.address, units)
    to.contracts.desk.fund_reserve(sender, units)
    reserve = _shown(to.contracts.desk.cash_out_reserve(), to.contracts)
    to.say(
        {"funded": _shown(units, to.contracts), "reserve": reserve},
        f"the reserve holds {reserve:g} now",
    )


def _request(contracts: Contracts, sender: Sender, amount: str, min_out: str) -> int:
    units = in_units(amount, TOKEN_DECIMALS)
    least = in_units(min_out, contracts.settlement.decimals())
    if contracts.token.allowance(sender.address, contracts.desk.address) < units:
        contracts.token.approve(sender, contracts.desk.address, units)
    return contracts.desk.request_cash_out(sender, units, least)


def _settle(contracts: Contracts, sender: Sender, *, wait: bool) -> int:
    """Settle the last epoch in which something was asked; at most that one can be unsettled."""
    requests = contracts.desk.cash_out_requests()
    if not requests:
        raise CommandError("nobody has put tokens up for sale: there is nothing to settle")
    epoch = requests[-1].epoch
    if wait:
        clock_for(contracts.w3).wait_until(contracts.desk.cash_out_epoch(epoch).ends_at)
    contracts.desk.settle_cash_out_epoch(sender, epoch)
    return epoch


def _collect(to: Signing, sender: Sender, *, wait: bool) -> None:
    contracts = to.contracts
    requests = contracts.desk.cash_out_requests()
    own = [r for r in requests if r.requester == sender.address and r.status is CashOutStatus.QUEUED]
    if not own:
        raise CommandError("this hospital has no request in the queue: `fediomt tokens sell list` shows all")
    epochs = _epochs(contracts, own)
    if wait:
        clock_for(contracts.w3).wait_until(max(epoch.ends_at for epoch in epochs.values()))
    now = head(contracts.w3)[1]
    over = [r for r in own if epochs[r.epoch].ends_at <= now]
    if not over:
        raise CommandError("the epoch of this hospital's requests is not over: wait for it with --wait")
    for request in over:
        contracts.desk.collect_cash_out(sender, request.id)
    lines = [_line(contracts, request.id) for request in over]
    if to.as_json:
        print_json(lines)
    else:
        _table(lines)


def _list(of: OnChain) -> None:
    contracts = of.contracts
    requests = contracts.desk.cash_out_requests()
    epochs = _epochs(contracts, requests)
    lines = [_shown_line(contracts, request, epochs[request.epoch]) for request in requests]
    desk = contracts.desk
    books = {
        "epoch": desk.current_cash_out_epoch(),
        "reserve": _shown(desk.cash_out_reserve(), contracts),
        "owed": _shown(desk.cash_out_owed(), contracts),
        "price_cap": _shown(desk.cash_out_price_cap(), contracts),
    }
    if of.as_json:
        print_json({**books, "requests": lines})
        return
    print_table("cash-out", ("what", "value"), list(books.items()))
    _table(lines)


def _table(lines: list[dict[str, Any]]) -> None:
    columns = ("request", "requester", "amount", "epoch", "ends_at", "status", "paid")
    print_table("requests", columns, [[line[column] for column in columns] for line in lines])


def _epochs(
    contracts: Contracts, requests: tuple[CashOutRecord, ...] | list[CashOutRecord]
) -> dict[int, CashOutEpochRecord]:
    numbers = sorted({request.epoch for request in requests})
    return dict(zip(numbers, contracts.desk.cash_out_epochs(numbers), strict=True))


def _line(contracts: Contracts, number: int) -> dict[str, Any]:
    request = contracts.desk.cash_out_request(number)
    return _shown_line(contracts, request, contracts.desk.cash_out_epoch(request.epoch))


def _shown_line(contracts: Contracts, request: CashOutRecord, epoch: CashOutEpochRecord) -> dict[str, Any]:
    over = request.status is CashOutStatus.CANCELLED
    paid = 0 if over else epoch.pays(request)
    return {
        "request": request.id,
        "requester": request.requester,
        "amount": request.amount / 10**TOKEN_DECIMALS,
        "epoch": request.epoch,
        "ends_at": epoch.ends_at,
        "status": request.status.name.lower(),
        "paid": None if paid is None else _shown(paid, contracts),
    }


def _shown(units: int, contracts: Contracts) -> float:
    """Settlement tokens, for reading."""
    return float(units / 10 ** contracts.settlement.decimals())
