"""`fediomt tokens sell` and `fediomt tokens fund`: tokens for the settlement token, out of the desk's reserve."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from chain.cash_out import CashOutEpochRecord, CashOutRecord
from chain.clock import clock_for, head
from chain.contracts import Contracts
from chain.phases import CashOutStatus
from chain.sender import Sender
from scripts.console.errors import CommandError
from scripts.console.options import HOME, ChainId, Home, Json, Keystore, PasswordFile, Url
from scripts.console.output import console, print_json, print_table
from scripts.console.session import open_deployment, open_keyring

TOKEN_DECIMALS = 18
LARGEST = Decimal(10) ** 18

Hospital = Annotated[int | None, typer.Option(help="Id of the hospital that acts; listing needs none.")]


def sell(
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
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Sell tokens for the settlement token: queued in epochs, paid at one price out of what the reserve holds."""
    chosen = [amount is not None, settle, collect, cancel is not None]
    if sum(chosen) != 1:
        raise CommandError("give one of AMOUNT, list, --settle, --collect and --cancel REQUEST")
    contracts = open_deployment(home, url, expected_chain)
    if amount == "list":
        _list(contracts, as_json)
        return
    sender = _sender(contracts, keystore, password_file, hospital)
    if amount is not None:
        if min_out is None:
            raise CommandError("say with --min-out the least that all of the tokens must be paid")
        request = _request(contracts, sender, amount, min_out)
        line = _line(contracts, request)
        _say(
            as_json,
            line,
            f"request {request} queued in epoch {line['epoch']}, which ends at {line['ends_at']}",
        )
    elif cancel is not None:
        contracts.desk.cancel_cash_out(sender, cancel)
        _say(as_json, _line(contracts, cancel), f"request {cancel} cancelled, its tokens are back")
    elif settle:
        epoch = _settle(contracts, sender, wait=wait)
        shown = contracts.desk.cash_out_epoch(epoch)
        price = _shown(shown.pay_numerator * 10**TOKEN_DECIMALS // shown.pay_denominator, contracts)
        _say(
            as_json,
            {"epoch": epoch, "sold": shown.sold / 10**TOKEN_DECIMALS, "price": price},
            f"epoch {epoch} settled: {shown.sold / 10**TOKEN_DECIMALS:g} tokens sold at {price:g}",
        )
    else:
        _collect(contracts, sender, as_json=as_json, wait=wait)


def fund(
    amount: Annotated[str, typer.Argument(help="Settlement tokens for the reserve.")],
    hospital: Annotated[
        int | None, typer.Option(help="Id of the hospital that pays; default: the operator.")
    ] = None,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Add settlement tokens to the reserve from which tokens are cashed out."""
    contracts = open_deployment(home, url, expected_chain)
    units = _units(amount, contracts.settlement.decimals())
    keys = open_keyring(contracts.w3, keystore, password_file)
    sender = (
        Sender(contracts.w3, keys.operator())
        if hospital is None
        else _sender(contracts, keystore, password_file, hospital)
    )
    contracts.settlement.approve(sender, contracts.desk.address, units)
    contracts.desk.fund_reserve(sender, units)
    reserve = _shown(contracts.desk.cash_out_reserve(), contracts)
    _say(
        as_json,
        {"funded": _shown(units, contracts), "reserve": reserve},
        f"the reserve holds {reserve:g} now",
    )


def _request(contracts: Contracts, sender: Sender, amount: str, min_out: str) -> int:
    units = _units(amount, TOKEN_DECIMALS)
    least = _units(min_out, contracts.settlement.decimals())
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


def _collect(contracts: Contracts, sender: Sender, *, as_json: bool, wait: bool) -> None:
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
    if as_json:
        print_json(lines)
    else:
        _table(lines)


def _list(contracts: Contracts, as_json: bool) -> None:
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
    if as_json:
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


def _units(text: str, decimals: int) -> int:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value > LARGEST:
        raise CommandError(f"{text!r} is no amount: give a number such as 25 or 0.5")
    units = value.scaleb(decimals)
    if units <= 0 or units != units.to_integral_value():
        raise CommandError(f"{text!r} is no amount: it must be above 0 and have at most {decimals} decimals")
    return int(units)


def _sender(
    contracts: Contracts, keystore: Path | None, password_file: Path | None, hospital: int | None
) -> Sender:
    if hospital is None:
        raise CommandError("name the hospital that acts with --hospital ID")
    count = contracts.consortium.hospital_count()
    if not 1 <= hospital <= count:
        raise CommandError(f"there is no hospital {hospital}: ids are 1 to {count}")
    return Sender(contracts.w3, open_keyring(contracts.w3, keystore, password_file).hospital(hospital))


def _say(as_json: bool, value: dict[str, Any], text: str) -> None:
    if as_json:
        print_json(value)
    else:
        console().print(text)
