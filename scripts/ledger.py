"""`fediomt ledger`: what the contribution ledger says of rounds, hospitals and devices.

What needs a run's bundles is imported when it is asked for: these commands start without torch.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chain.connect import to_address
from chain.contracts import Contracts
from chain.index.record import EntryLine, Record, RoundLine
from chain.ledger import epoch_of
from scripts.console.errors import CommandError
from scripts.console.index import Indexed
from scripts.console.ledger_index import bring_up_to_date
from scripts.console.on_chain import with_options
from scripts.console.options import HOME, RUNS, ChainId, Home, Json, RunId, Runs, Store, Url
from scripts.console.options import Ledger as LedgerAddress
from scripts.console.output import console, print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.console.session import find_run_and_store, open_run_contracts, runs_at_hand

if TYPE_CHECKING:
    from fl_core.stores import RunStore
    from scripts.federation.own_receipt import ReceiptCheck
    from scripts.federation.run_state import RunState

app = typer.Typer(help="Query the contribution ledger.", no_args_is_help=True)
app.command("index")(bring_up_to_date)


@app.command()
@with_options
def rounds(of: Indexed) -> None:
    """All rounds, a line each."""
    with of.record() as record:
        found = [_round_line(line) for line in record.lines()]
    if of.as_json:
        print_json(found)
        return
    if not found:
        console().print("no rounds yet: start some with `fediomt train`")
        return
    columns = ("round", "phase", "paid", "hospitals", "devices", "budget", "allocated", "claimed")
    print_table("rounds (amounts in tokens)", columns, [[line[name] for name in columns] for line in found])


@app.command()
@with_options
def show(
    of: Indexed,
    number: Annotated[int, typer.Argument(metavar="ROUND", help="The round.")],
) -> None:
    """One round: its hashes, and what each hospital entered, revealed and got."""
    with of.record() as source:
        line = source.line(number)
    record, entries = line.record, [_entry_line(entry) for entry in line.entries]
    facts = {
        "round": number,
        "phase": record.phase.name.lower(),
        "paid": record.paid,
        "spec_hash": record.spec_hash.hex(),
        "model_hash": record.model_hash.hex(),
        "model_hash_after": record.model_hash_after.hex(),
        "beacon": record.beacon.hex(),
        "bundle_digest": record.accepted_digest.hex(),
        "budget": tokens(record.budget),
        "median_model_score": record.median_model_score,
    }
    if of.as_json:
        print_json({**facts, "hospitals": entries})
        return
    print_table(f"round {number}", ("what", "value"), list(facts.items()))
    columns = (
        "hospital",
        "devices",
        "volume",
        "compute",
        "quality",
        "share",
        "allocated",
        "claimed",
        "skipped",
        "state",
    )
    print_table(
        "hospitals (amounts in tokens)", columns, [[line[name] for name in columns] for line in entries]
    )


@app.command()
@with_options
def hospital(
    of: Indexed,
    number: Annotated[int, typer.Argument(metavar="ID", help="The hospital's id.")],
) -> None:
    """One hospital: its account and capacity, and its part in each round."""
    with of.record() as record:
        who = record.hospital(number)
        lines = [{"round": item.entry.round, **_entry_line(item)} for item in record.hospital_lines(number)]
    facts = {
        "hospital": number,
        "account": who.account,
        "capacity": who.capacity_bps / 10_000,
        "active": who.active,
        "balance": tokens(of.contracts.token.balance_of(who.account)),
    }
    if of.as_json:
        print_json({**facts, "rounds": lines})
        return
    print_table(f"hospital {number}", ("what", "value"), list(facts.items()))
    columns = ("round", "devices", "volume", "quality", "share", "allocated", "claimed", "skipped", "state")
    print_table("rounds (amounts in tokens)", columns, [[line[name] for name in columns] for line in lines])


@app.command()
@with_options
def device(
    of: Indexed,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The device's account.")],
    store: Store = None,
    runs: Runs = RUNS,
) -> None:
    """One device: its leaves in the bundles at hand, each checked against the root on chain, and its claims."""
    account = to_address(address)
    with of.record() as record:
        lines = _device_lines(of.contracts, record, runs_at_hand(runs, store), bytes.fromhex(account[2:]))
        claims = record.claims_of(account)
    if not lines and not claims:
        raise CommandError(
            f"nothing is known of {account}: it claimed nothing itself, and no bundle under {store or runs} holds a "
            "leaf of it"
        )
    balance = tokens(of.contracts.token.balance_of(account))
    if of.as_json:
        paid = [
            {"round": c.round, "hospital": c.hospital, "slot": c.slot, "amount": tokens(c.amount)}
            for c in claims
        ]
        print_json({"device": account, "balance": balance, "rounds": lines, "claims": paid})
        return
    columns = (
        "round",
        "hospital",
        "volume",
        "quality",
        "compute",
        "due",
        "paid_to",
        "claimed",
        "root_on_chain",
    )
    print_table(
        f"device {account}, balance {balance:,.3f} tokens",
        columns,
        [[line[c] for c in columns] for line in lines],
    )
    if not lines:
        console().print(f"{len(claims)} claims on chain, {sum(tokens(c.amount) for c in claims):,.3f} tokens")


@app.command()
def receipt(
    number: Annotated[int, typer.Option("--round", help="The round.")],
    device: Annotated[str, typer.Option("--device", metavar="ADDRESS", help="The device's account.")],
    rows: Annotated[
        int | None, typer.Option(help="The rows that the device declared, as it knows them itself.")
    ] = None,
    run: RunId = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Write the root that the hospital signed to FILE, for `fediomt dispute prove-receipt`.",
        ),
    ] = None,
    no_chain: Annotated[
        bool, typer.Option("--no-chain", help="Hold it against the bundle only, where the chain is gone.")
    ] = False,
    store: Store = None,
    ledger: LedgerAddress = None,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    as_json: Json = False,
) -> None:
    """What a device is due of a round, checked with its own key and without trusting its hospital."""
    from scripts.federation.channel_keys import read_channel_key
    from scripts.federation.held_rounds import rounds_of_epoch
    from scripts.federation.own_receipt import check_own_receipt
    from scripts.federation.signed_root import SignedRoot

    bundles, state = find_run_and_store(runs, run, store)
    account = bytes.fromhex(to_address(device)[2:])
    place = state.devices().get(account)
    if place is None:
        raise CommandError(f"{device} is no device of run {state.run}: name its run with --run")
    if number not in bundles.bundles() or epoch_of(number) != place[2]:
        raise CommandError(f"run {state.run} has no round {number} in which {device} was enrolled")
    chain = not no_chain and state.deployment is not None
    if ledger is not None and not chain:
        why = "--no-chain leaves it out" if no_chain else f"run {state.run} says that it has no chain"
        raise CommandError(f"nothing can be held against the ledger {ledger}: {why}")
    contracts = open_run_contracts(state, home, url, expected_chain, ledger=ledger) if chain else None
    held, missing = rounds_of_epoch(bundles, contracts, number, run=state.run)
    key = read_channel_key(runs / state.run, place[2], account)
    found = check_own_receipt(
        account, key, held, said=place[0], rows=rows, missing=missing, without_chain=no_chain
    )
    if save is not None:
        if found.receipt is None:
            raise CommandError(f"{device} has no receipt of round {number} that it can open: nothing to save")
        SignedRoot.of(held[-1].record, found.receipt).write(save)
    if as_json:
        print_json(_receipt_json(device, number, found))
    else:
        _show_receipt(device, number, found)
    if not found.ok:
        raise typer.Exit(1)


def _show_receipt(device: str, number: int, found: ReceiptCheck) -> None:
    from incentives import TREASURY

    rows = [[line.check, line.verdict.value, line.skipped or line.what] for line in found.lines]
    print_table(f"receipt of {device} for round {number}", ("check", "verdict", "what"), rows)
    for finding in (finding for line in found.lines for finding in line.findings):
        console().print(f"    {finding}", markup=False)
    if found.receipt is not None:
        leaf = found.receipt.leaf
        due = (
            "unknown while no ledger has closed the round"
            if found.due is None
            else f"{tokens(found.due):,.3f} tokens"
        )
        payee = "the hospital's treasury" if leaf.payee == TREASURY else f"0x{leaf.payee.hex()}"
        console().print(
            f"volume {leaf.volume:,}, quality {leaf.quality:,}, compute {leaf.compute:,}; due: {due}, paid to {payee}"
        )


def _receipt_json(device: str, number: int, found: ReceiptCheck) -> dict[str, Any]:
    from incentives import TREASURY

    leaf = None if found.receipt is None else found.receipt.leaf
    return {
        "device": device,
        "round": number,
        "hospital": found.hospital,
        "holds": found.ok,
        "checks": [
            {
                "check": line.check,
                "verdict": line.verdict.value.lower(),
                "what": line.what,
                "skipped": line.skipped,
                "findings": [str(finding) for finding in line.findings],
            }
            for line in found.lines
        ],
        "leaf": None
        if leaf is None
        else {
            "slot": leaf.slot,
            "class": leaf.device_class,
            "payee": None if leaf.payee == TREASURY else f"0x{leaf.payee.hex()}",
            "volume": leaf.volume,
            "quality": leaf.quality,
            "compute": leaf.compute,
        },
        "due": None if found.due is None else tokens(found.due),
        "exact": {"due": None if found.due is None else str(found.due)},
    }


def _round_line(line: RoundLine) -> dict[str, Any]:
    record = line.record
    return {
        "round": record.round,
        "phase": record.phase.name.lower(),
        "paid": record.paid,
        "hospitals": len(record.active),
        "devices": sum(item.entry.lanes.n for item in line.entries),
        "budget": tokens(record.budget),
        "allocated": tokens(sum(item.amount for item in line.entries)),
        "claimed": tokens(sum(item.paid_out for item in line.entries)),
    }


def _entry_line(line: EntryLine) -> dict[str, Any]:
    entry = line.entry
    states = [name for name in ("frozen", "voided") if getattr(entry, name)]
    if line.forfeited:
        states.append("forfeited")
    return {
        "hospital": entry.hospital,
        "devices": entry.lanes.n,
        "volume": entry.lanes.volume,
        "compute": entry.lanes.compute,
        "quality": entry.quality,
        "share": line.share_e18 / 10**18,
        "allocated": tokens(entry.allocation),
        "claimed": tokens(line.paid_out),
        "skipped": line.skipped,
        "state": ", ".join(states) or ("attested" if entry.attested else "open"),
    }


def _device_lines(
    contracts: Contracts, source: Record, runs: list[tuple[RunStore, RunState]], account: bytes
) -> list[dict[str, Any]]:
    from incentives import device_payout, leaf_weight, verify
    from scripts.federation.contributions import entry_of
    from scripts.federation.ledger_facts import facts_of
    from scripts.federation.record import RoundRecord

    lines = []
    for bundles, state in runs:
        if state.deployment is None or state.deployment["ledger"] != contracts.ledger.address:
            continue
        place = state.devices().get(account)
        if place is None:
            continue
        for number in state.rounds:
            record = RoundRecord.from_files(bundles.read_bundle(number))
            part = record.hospitals.get(place[0])
            if part is None or account not in {item.device for item in part.contributions}:
                continue
            receipt = entry_of(record, part).receipt(account)
            history = source.round(number)
            facts = facts_of(contracts, history)
            entry = facts.entries.get(place[0])
            scored = record.device_quality_scored
            on_chain = entry is not None and entry.entry.root == receipt.root.hash
            holds = verify(
                receipt.domain,
                record.rule,
                receipt.leaf,
                receipt.siblings,
                receipt.root,
                quality_scored=scored,
            )
            amount = next((a.amount for a in history.allocations if a.hospital == place[0]), 0)
            due = device_payout(
                amount,
                operator_bps=record.rule.operator_bps,
                device_weight=leaf_weight(record.rule, receipt.leaf, quality_scored=scored),
                weight_treasury=receipt.root.lanes.weight_treasury,
                weight_device=receipt.root.lanes.weight_device,
            )
            own = receipt.leaf.payee == account
            paid = any(c.slot == receipt.leaf.slot and c.hospital == place[0] for c in history.claims)
            by_treasury = any(c.hospital == place[0] for c in history.treasury_claims)
            lines.append(
                {
                    "round": number,
                    "hospital": place[0],
                    "volume": receipt.leaf.volume,
                    "quality": receipt.leaf.quality,
                    "compute": receipt.leaf.compute,
                    "due": tokens(due),
                    "paid_to": "itself" if own else "treasury",
                    "claimed": paid if own else by_treasury,
                    "root_on_chain": "holds" if on_chain and holds else "DIFFERS",
                }
            )
    return lines


if __name__ == "__main__":
    run(app)
