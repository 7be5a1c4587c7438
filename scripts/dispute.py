"""`fediomt dispute`: what is held against one hospital's entry of a round, from the challenge to the bond."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chain.clock import clock_for
from chain.court import CaseRecord, ChallengeRecord
from chain.phases import CaseOutcome, Fault
from fl_core.canonical import sha256
from scripts.console.errors import CommandError
from scripts.console.index import Indexed
from scripts.console.on_chain import OnChain, Signing, with_options
from scripts.console.options import RUNS, RunId, Runs
from scripts.console.output import console, print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.console.session import find_run
from scripts.federation.disputes import (
    answer_demand,
    challenge_entry,
    demand_leaves,
    prove_fault,
    settle_case,
)
from scripts.federation.signed_root import SignedRoot

app = typer.Typer(help="Dispute one hospital's entry of a round.", no_args_is_help=True)

Round = Annotated[int, typer.Argument(metavar="ROUND", help="The round.")]
Accused = Annotated[int, typer.Argument(metavar="HOSPITAL", help="Id of the hospital whose entry it is.")]
Case = Annotated[int, typer.Argument(metavar="CASE", help="The case's id.")]
Acting = Annotated[int, typer.Option("--by", help="Id of the hospital that acts.")]

COLUMNS = ("case", "round", "hospital", "outcome", "votes", "electors", "deadline")


@app.command(name="list")
@with_options
def list_cases(of: Indexed) -> None:
    """All cases, and how each stands."""
    with of.votes() as votes:
        lines = [_case_json(case) for case in votes.cases()]
    if of.as_json:
        print_json(lines)
    else:
        print_table("disputes", COLUMNS, [[line[c] for c in COLUMNS] for line in lines])


@app.command()
@with_options
def show(of: Indexed, case: Case) -> None:
    """A case: its challenges, its votes, and the leaves that were demanded."""
    with of.votes() as votes:
        dispute = votes.dispute(case)
    found, leaves = dispute.case, of.contracts.court.openings()
    value: dict[str, Any] = {
        **_case_json(found),
        "challenges": [_challenge_json(item) for item in dispute.challenges],
        "demands": [
            {
                "challenge": item.challenge_id,
                "drawn": item.drawn,
                "leaves": leaves,
                "answered": sorted(item.answered),
            }
            for item in dispute.demands
        ],
        "convicted": dispute.convicted,
    }
    if of.as_json:
        print_json(value)
        return
    print_table(f"case {case}", COLUMNS, [[value[c] for c in COLUMNS]])
    rows = [[item["challenge"], item["challenger"], item["settled"]] for item in value["challenges"]]
    print_table("challenges", ("challenge", "by", "bond paid out"), rows)
    for item in value["demands"]:
        opened = f"{len(item['answered'])} of {item['leaves']} opened"
        state = opened if item["drawn"] else "not drawn yet"
        console().print(f"leaves that challenge {item['challenge']} demands: {state}")
    if value["convicted"]:
        console().print(
            f"hospital {found.hospital} was convicted of a fault that machines check, and slashed"
        )


@app.command(name="open")
@with_options
def open_case(
    to: Signing,
    number: Round,
    hospital: Accused,
    by: Acting,
    evidence: Annotated[
        Path | None, typer.Option(help="File with what is held against it; only its SHA-256 goes on chain.")
    ] = None,
) -> None:
    """Challenge an entry, with a bond: it pays nothing until the case has ended."""
    sender = to.hospital(by)
    digest = bytes(32) if evidence is None else sha256(_read(evidence))
    made, new = challenge_entry(to.contracts, sender, number, hospital, digest)
    earlier = (
        "" if new else f"; hospital {by} had challenged with this evidence already: no second bond is taken"
    )
    _say(to, made.case_id, f"case {made.case_id} is open: two thirds of its electors void the entry{earlier}")


@app.command()
@with_options
def vote(
    to: Signing,
    case: Case,
    by: Acting,
) -> None:
    """Vote to void; silence upholds."""
    to.contracts.court.vote(to.hospital(by), case)
    _say(to, case, f"hospital {by} voted to void")


@app.command()
@with_options
def conclude(
    to: Signing,
    case: Case,
    by: Acting,
    wait: Annotated[bool, typer.Option(help="Wait until the case's deadline has passed.")] = False,
) -> None:
    """End a case after its deadline, if it has not ended by votes, and pay out its bonds."""
    sender = to.hospital(by)
    if wait and to.contracts.court.case(case).outcome is CaseOutcome.OPEN:
        clock_for(to.contracts.w3).wait_until(to.contracts.court.case(case).deadline)
    paid = settle_case(to.contracts, sender, case)
    outcome = to.contracts.court.case(case).outcome.name.lower()
    _say(to, case, f"case {case} ended: {outcome}; {paid} bonds paid out")


@app.command()
@with_options
def prove(
    to: Signing,
    number: Round,
    hospital: Accused,
    by: Acting,
    run_id: RunId = None,
    runs: Runs = RUNS,
) -> None:
    """Look through a bundle's leaves for a fault that machines check, and have it convicted; takes no bond."""
    folder, state = find_run(runs, run_id)
    to = to.of_run(state)
    record, _ = state.read_round(folder, number)
    sender = to.hospital(by)
    _say_convicted(to, number, hospital, prove_fault(to.contracts, sender, record, hospital))


@app.command(name="prove-receipt")
@with_options
def prove_receipt(
    to: Signing,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `fediomt ledger receipt --save FILE` wrote.")
    ],
    by: Annotated[int | None, typer.Option("--by", help="Id of the hospital that submits it.")] = None,
    own: Annotated[
        Path | None,
        typer.Option("--from", metavar="KEYSTORE", help="Keystore file of whoever submits it: anybody may."),
    ] = None,
) -> None:
    """Have a hospital convicted that signed a device's receipt for another root than it submitted; takes no bond."""
    signed, contracts = SignedRoot.read(file), to.contracts
    if (signed.chain_id, signed.ledger) != (
        contracts.ledger.chain_id,
        bytes.fromhex(contracts.ledger.address[2:]),
    ):
        raise CommandError(
            f"{file} is about the ledger 0x{signed.ledger.hex()} of chain {signed.chain_id}, not about the one here: "
            "name its node with --url, or its folder with --home"
        )
    if (by is None) == (own is None):
        raise CommandError("say who submits the receipt: a hospital with --by, or any key with --from")
    sender = to.anybody(own) if own is not None else to.hospital(by or 0)
    number, hospital = signed.round_number, signed.hospital
    contracts.court.prove_receipt(sender, number, hospital, root=signed.root, signature=signed.signature)
    _say_convicted(to, number, hospital, Fault.OTHER_ROOT)


@app.command()
@with_options
def demand(
    to: Signing,
    number: Round,
    hospital: Accused,
    by: Acting,
) -> None:
    """Challenge an entry and have random leaves drawn, which its hospital must open or lose the entry."""
    sender = to.hospital(by)
    made = demand_leaves(to.contracts, sender, clock_for(to.contracts.w3), number, hospital)
    _say(
        to,
        made.case_id,
        f"{to.contracts.court.openings()} leaves of hospital {hospital} are drawn: case {made.case_id}",
    )


@app.command()
@with_options
def answer(
    to: Signing,
    number: Round,
    hospital: Accused,
    run_id: RunId = None,
    runs: Runs = RUNS,
) -> None:
    """The accused opens the leaves that were drawn."""
    folder, state = find_run(runs, run_id)
    to = to.of_run(state)
    record, _ = state.read_round(folder, number)
    sender = to.hospital(hospital)
    count = answer_demand(to.contracts, sender, record, hospital)
    case = to.contracts.court.open_case_of(number, hospital)
    _say(to, case, f"{count} leaves opened")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error


def _case_json(case: CaseRecord) -> dict[str, Any]:
    return {
        "case": case.id,
        "round": case.round,
        "hospital": case.hospital,
        "outcome": case.outcome.name.lower(),
        "votes": sorted(case.votes),
        "electors": sorted(case.electors),
        "deadline": case.deadline,
    }


def _challenge_json(item: ChallengeRecord) -> dict[str, Any]:
    return {"challenge": item.id, "challenger": item.challenger, "settled": item.settled}


def _say_convicted(of: OnChain, number: int, hospital: int, fault: Fault) -> None:
    voided = of.contracts.ledger.entry(number, hospital).voided
    slashed = of.contracts.court.is_convicted(number, hospital)
    value = {"round": number, "hospital": hospital, "fault": fault.name.lower(), "voided": voided}
    rest = "its entry is void" if voided else "claims were open already, so its entry stays"
    punished = "and slashed" if slashed else "but could not be slashed, so the fault can be proved again"
    of.say(
        {**value, "slashed": slashed},
        f"hospital {hospital} is convicted {punished} ({value['fault']}); {rest}",
    )


def _say(of: OnChain, case: int, text: str) -> None:
    bond = tokens(of.contracts.court.challenge_bond())
    of.say({**_case_json(of.contracts.court.case(case)), "bond": bond}, text)


if __name__ == "__main__":
    run(app)
