"""`fediomt dispute`: what is held against one hospital's entry of a round, from the challenge to the bond."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chain.clock import clock_for
from chain.contracts import Contracts
from chain.court import CaseRecord, ChallengeRecord
from chain.phases import CaseOutcome
from chain.sender import Sender
from fl_core.canonical import sha256
from scripts.console.errors import CommandError
from scripts.console.options import HOME, RUNS, ChainId, Home, Json, Keystore, PasswordFile, RunId, Runs, Url
from scripts.console.output import console, print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.console.session import find_run, open_deployment, open_keyring, open_run_contracts
from scripts.federation.disputes import answer_demand, approve_bond, demand_leaves, prove_fault, settle_case

app = typer.Typer(help="Dispute one hospital's entry of a round.", no_args_is_help=True)

Round = Annotated[int, typer.Argument(metavar="ROUND", help="The round.")]
Accused = Annotated[int, typer.Argument(metavar="HOSPITAL", help="Id of the hospital whose entry it is.")]
Case = Annotated[int, typer.Argument(metavar="CASE", help="The case's id.")]
Acting = Annotated[int, typer.Option("--by", help="Id of the hospital that acts.")]

COLUMNS = ("case", "round", "hospital", "outcome", "votes", "electors", "deadline")


@app.command(name="list")
def list_cases(
    home: Home = HOME, url: Url = None, expected_chain: ChainId = None, as_json: Json = False
) -> None:
    """All cases, and how each stands."""
    contracts = open_deployment(home, url, expected_chain)
    lines = [_case_json(case) for case in contracts.court.cases()]
    if as_json:
        print_json(lines)
    else:
        print_table("disputes", COLUMNS, [[line[c] for c in COLUMNS] for line in lines])


@app.command()
def show(
    case: Case, home: Home = HOME, url: Url = None, expected_chain: ChainId = None, as_json: Json = False
) -> None:
    """A case: its challenges, its votes, and the leaves that were demanded."""
    contracts = open_deployment(home, url, expected_chain)
    found = contracts.court.case(case)
    value = {
        **_case_json(found),
        "challenges": [
            _challenge_json(item) for item in contracts.court.challenges() if item.case_id == case
        ],
        "demand": _demand_json(contracts, found),
        "convicted": contracts.court.is_convicted(found.round, found.hospital),
    }
    if as_json:
        print_json(value)
        return
    print_table(f"case {case}", COLUMNS, [[value[c] for c in COLUMNS]])
    rows = [[item["challenge"], item["challenger"], item["settled"]] for item in value["challenges"]]
    print_table("challenges", ("challenge", "by", "bond paid out"), rows)
    if value["demand"] is not None:
        demand_ = value["demand"]
        state = (
            f"{len(demand_['answered'])} of {demand_['leaves']} opened"
            if demand_["drawn"]
            else "not drawn yet"
        )
        console().print(f"leaves demanded: {state}")
    if value["convicted"]:
        console().print(
            f"hospital {found.hospital} was convicted of a fault that machines check, and slashed"
        )


@app.command(name="open")
def open_case(
    number: Round,
    hospital: Accused,
    by: Acting,
    evidence: Annotated[
        Path | None, typer.Option(help="File with what is held against it; only its SHA-256 goes on chain.")
    ] = None,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Challenge an entry, with a bond: it pays nothing until the case has ended."""
    contracts = open_deployment(home, url, expected_chain)
    sender = _sender(contracts, keystore, password_file, by)
    digest = bytes(32) if evidence is None else sha256(_read(evidence))
    approve_bond(contracts, sender)
    made = contracts.court.challenge(sender, number, hospital, digest)
    _say(
        as_json,
        contracts,
        made.case_id,
        f"case {made.case_id} is open: two thirds of its electors void the entry",
    )


@app.command()
def vote(
    case: Case,
    by: Acting,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Vote to void; silence upholds."""
    contracts = open_deployment(home, url, expected_chain)
    contracts.court.vote(_sender(contracts, keystore, password_file, by), case)
    _say(as_json, contracts, case, f"hospital {by} voted to void")


@app.command()
def conclude(
    case: Case,
    by: Acting,
    wait: Annotated[bool, typer.Option(help="Wait until the case's deadline has passed.")] = False,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """End a case after its deadline, if it has not ended by votes, and pay out its bonds."""
    contracts = open_deployment(home, url, expected_chain)
    sender = _sender(contracts, keystore, password_file, by)
    if wait and contracts.court.case(case).outcome is CaseOutcome.OPEN:
        clock_for(contracts.w3).wait_until(contracts.court.case(case).deadline)
    paid = settle_case(contracts, sender, case)
    outcome = contracts.court.case(case).outcome.name.lower()
    _say(as_json, contracts, case, f"case {case} ended: {outcome}; {paid} bonds paid out")


@app.command()
def prove(
    number: Round,
    hospital: Accused,
    by: Acting,
    run_id: RunId = None,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Look through a bundle's leaves for a fault that machines check, and have it convicted; takes no bond."""
    folder, state = find_run(runs, run_id)
    contracts = open_run_contracts(state, home, url, expected_chain)
    record, _ = state.read_round(folder, number)
    sender = _sender(contracts, keystore, password_file, by)
    fault = prove_fault(contracts, sender, record, hospital)
    voided = contracts.ledger.entry(number, hospital).voided
    value = {"round": number, "hospital": hospital, "fault": fault.name.lower(), "voided": voided}
    if as_json:
        print_json(value)
    else:
        rest = "its entry is void" if voided else "claims were open already, so its entry stays"
        console().print(f"hospital {hospital} is convicted and slashed ({value['fault']}); {rest}")


@app.command()
def demand(
    number: Round,
    hospital: Accused,
    by: Acting,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Challenge an entry and have random leaves drawn, which its hospital must open or lose the entry."""
    contracts = open_deployment(home, url, expected_chain)
    sender = _sender(contracts, keystore, password_file, by)
    made = demand_leaves(contracts, sender, clock_for(contracts.w3), number, hospital)
    _say(
        as_json,
        contracts,
        made.case_id,
        f"{contracts.court.openings()} leaves of hospital {hospital} are drawn: case {made.case_id}",
    )


@app.command()
def answer(
    number: Round,
    hospital: Accused,
    run_id: RunId = None,
    home: Home = HOME,
    runs: Runs = RUNS,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """The accused opens the leaves that were drawn."""
    folder, state = find_run(runs, run_id)
    contracts = open_run_contracts(state, home, url, expected_chain)
    record, _ = state.read_round(folder, number)
    sender = _sender(contracts, keystore, password_file, hospital)
    count = answer_demand(contracts, sender, record, hospital)
    case = contracts.court.demand_of(number, hospital).case_id
    _say(as_json, contracts, case, f"{count} leaves opened")


def _sender(contracts: Contracts, keystore: Path | None, password_file: Path | None, hospital: int) -> Sender:
    count = contracts.consortium.hospital_count()
    if not 1 <= hospital <= count:
        raise CommandError(f"there is no hospital {hospital}: ids are 1 to {count}")
    return Sender(contracts.w3, open_keyring(contracts.w3, keystore, password_file).hospital(hospital))


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


def _demand_json(contracts: Contracts, case: CaseRecord) -> dict[str, Any] | None:
    found = contracts.court.demand_of(case.round, case.hospital)
    if found.case_id != case.id:
        return None
    return {"drawn": found.drawn, "leaves": contracts.court.openings(), "answered": sorted(found.answered)}


def _say(as_json: bool, contracts: Contracts, case: int, text: str) -> None:
    if as_json:
        bond = tokens(contracts.court.challenge_bond())
        print_json({**_case_json(contracts.court.case(case)), "bond": bond})
    else:
        console().print(text)


if __name__ == "__main__":
    run(app)
