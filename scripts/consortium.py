"""`fediomt consortium`: what the hospitals propose, vote for and have executed, and their bonds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from chain.clock import clock_for
from chain.connect import to_address
from chain.contracts import Contracts
from chain.phases import ProposalState
from chain.proposals import read_call
from chain.receipts import Call
from chain.records import ProposalRecord
from chain.sender import Sender
from scripts.console.account_moves import accept, move
from scripts.console.errors import CommandError
from scripts.console.options import HOME, ChainId, Home, Json, Keystore, PasswordFile, Url
from scripts.console.output import console, print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.console.session import open_deployment, open_keyring
from scripts.federation.bonds import complete_bond
from scripts.federation.rule_file import read_rule

app = typer.Typer(
    help="Governance by the hospitals: two thirds of the active ones decide.", no_args_is_help=True
)
proposing = typer.Typer(help="Propose a change, as a hospital that votes for it.", no_args_is_help=True)
app.add_typer(proposing, name="propose")
app.command()(move)
app.command()(accept)

Hospital = Annotated[int, typer.Option(help="Id of the hospital that acts.")]
Proposal = Annotated[int, typer.Argument(metavar="PROPOSAL", help="The proposal's id.", min=1)]
Subject = Annotated[int, typer.Argument(metavar="ID", help="The hospital that it is about.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An account, or none.")]


@proposing.command()
def admit(
    hospital: Hospital,
    account: Annotated[
        str | None,
        typer.Argument(help="The newcomer's account; default: that of the key kept for the next id."),
    ] = None,
    capacity: Annotated[float, typer.Option(help="Its capacity, percent of a round's budget.")] = 25.0,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Admit a hospital with a capacity that is fixed for good; it then posts its bond."""
    bps = round(capacity * 100) if 0 < capacity <= 100 else 0
    if bps == 0:
        raise CommandError(f"a capacity of {capacity:g}% makes no sense: choose 0.01 to 100")
    contracts = open_deployment(home, url, expected_chain)
    keyring = open_keyring(contracts.w3, keystore, password_file)
    known = account or keyring.hospital(contracts.consortium.hospital_count() + 1).address
    call = contracts.consortium.prepare("admit", to_address(known), bps)
    _propose(contracts, _sender(contracts, keystore, password_file, hospital), call, as_json)


@proposing.command()
def suspend(
    subject: Subject,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Suspend a hospital: it can act no more, what it has earned stays its own."""
    contracts = open_deployment(home, url, expected_chain)
    call = contracts.consortium.prepare("suspend", _known_hospital(contracts, subject))
    _propose(contracts, _sender(contracts, keystore, password_file, hospital), call, as_json)


@proposing.command()
def reinstate(
    subject: Subject,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Lift a hospital's suspension."""
    contracts = open_deployment(home, url, expected_chain)
    call = contracts.consortium.prepare("reinstate", _known_hospital(contracts, subject))
    _propose(contracts, _sender(contracts, keystore, password_file, hospital), call, as_json)


@proposing.command()
def coordinator(
    address: Address,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Name who opens rounds; without one, hospitals do after the idle period."""
    contracts = open_deployment(home, url, expected_chain)
    call = contracts.consortium.prepare("setCoordinator", _address(address))
    _propose(contracts, _sender(contracts, keystore, password_file, hospital), call, as_json)


@proposing.command()
def guardian(
    address: Address,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Name who may pause claims for seven days."""
    contracts = open_deployment(home, url, expected_chain)
    call = contracts.consortium.prepare("setGuardian", _address(address))
    _propose(contracts, _sender(contracts, keystore, password_file, hospital), call, as_json)


@proposing.command()
def court(
    address: Address,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Name the dispute court: who freezes and voids entries, and slashes bonds."""
    contracts = open_deployment(home, url, expected_chain)
    call = contracts.consortium.prepare("setDisputeCourt", _address(address))
    _propose(contracts, _sender(contracts, keystore, password_file, hospital), call, as_json)


@proposing.command()
def rule(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The reward rule, as JSON.")],
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Add a reward rule, which rounds opened from then on freeze."""
    wanted = read_rule(file)
    contracts = open_deployment(home, url, expected_chain)
    call = contracts.ledger.prepare("setRule", wanted)
    _propose(contracts, _sender(contracts, keystore, password_file, hospital), call, as_json)


@app.command()
def vote(
    proposal: Proposal,
    hospital: Hospital,
    support: Annotated[
        bool, typer.Option("--support/--withdraw", help="Give the vote, or take it back.")
    ] = True,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Give a proposal the hospital's vote, or take it back before it is executed."""
    contracts = open_deployment(home, url, expected_chain)
    contracts.council.vote(_sender(contracts, keystore, password_file, hospital), proposal, support=support)
    _say(contracts, proposal, as_json)


@app.command()
def execute(
    proposal: Proposal,
    hospital: Hospital,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the delay of governance is over.")] = False,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Have a carried proposal executed: queued first, where governance has a delay, and then called."""
    contracts = open_deployment(home, url, expected_chain)
    sender = _sender(contracts, keystore, password_file, hospital)
    council, clock = contracts.council, clock_for(contracts.w3)
    found, delay = council.proposal(proposal), council.execution_delay()
    if delay is None:
        raise CommandError("the council does not govern: the deployer has to hand over first")
    if found.state is ProposalState.OPEN:
        raise CommandError(
            f"proposal {proposal} has {found.counted} of the {found.threshold} votes that it takes: "
            f"hospitals vote until {_time(found.voting_ends_at)}"
        )
    if found.state is ProposalState.PASSED and delay > 0:
        council.queue(sender, proposal)
        found = council.proposal(proposal)
    if wait and found.state is ProposalState.QUEUED:
        clock.wait_until(found.executable_at)
    if found.state is not ProposalState.QUEUED or found.executable_at <= clock.now():
        council.execute(sender, proposal)
    _say(contracts, proposal, as_json)


@app.command()
def cancel(
    proposal: Proposal,
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Cancel an open proposal of the hospital's own, or one that was queued and lost its votes."""
    contracts = open_deployment(home, url, expected_chain)
    contracts.council.cancel(_sender(contracts, keystore, password_file, hospital), proposal)
    _say(contracts, proposal, as_json)


@app.command("list")
def list_proposals(
    home: Home = HOME, url: Url = None, expected_chain: ChainId = None, as_json: Json = False
) -> None:
    """All proposals, and where each stands."""
    contracts = open_deployment(home, url, expected_chain)
    lines = [_line(contracts, found) for found in contracts.council.proposals()]
    if as_json:
        print_json(lines)
        return
    rows = [
        (line["proposal"], line["state"], line["call"], f"{line['votes']} of {line['needed']}", line["by"])
        for line in lines
    ]
    print_table("proposals", ("proposal", "state", "call", "votes", "proposed by"), rows)


@app.command()
def show(
    proposal: Proposal,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    as_json: Json = False,
) -> None:
    """One proposal: its call, who may vote, who did, and until when."""
    contracts = open_deployment(home, url, expected_chain)
    found = contracts.council.proposal(proposal)
    line = _line(contracts, found)
    if as_json:
        print_json(line)
        return
    times = {name: _time(line[name]) for name in ("voting_ends_at", "executable_at", "expires_at")}
    sets = {name: ", ".join(map(str, line[name])) for name in ("electorate", "supporters")}
    print_table(f"proposal {proposal}", ("what", "value"), list({**line, **times, **sets}.items()))


@app.command()
def bond(
    hospital: Hospital,
    home: Home = HOME,
    url: Url = None,
    expected_chain: ChainId = None,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Post the bond of an admitted hospital, or top up one that was slashed; the hospital is active then."""
    contracts = open_deployment(home, url, expected_chain)
    keyring = open_keyring(contracts.w3, keystore, password_file)
    paid = complete_bond(contracts, keyring, _known_hospital(contracts, hospital))
    status = contracts.consortium.hospital(hospital).status.name.lower()
    if as_json:
        print_json(
            {"hospital": hospital, "paid": tokens(paid), "exact": {"paid": str(paid)}, "status": status}
        )
    else:
        console().print(f"hospital {hospital} paid {tokens(paid):g} settlement tokens and is {status}")


def _propose(contracts: Contracts, sender: Sender, call: Call, as_json: bool) -> None:
    _say(contracts, contracts.council.propose(sender, call), as_json)


def _say(contracts: Contracts, proposal: int, as_json: bool) -> None:
    found = contracts.council.proposal(proposal)
    line = _line(contracts, found)
    if as_json:
        print_json(line)
        return
    until = {
        ProposalState.OPEN: f", votes are taken until {_time(found.voting_ends_at)}",
        ProposalState.PASSED: f": have it executed before {_time(found.expires_at)}",
        ProposalState.QUEUED: f": have it executed from {_time(found.executable_at)} on",
    }
    console().print(
        f"proposal {proposal}, {line['call']}: {line['votes']} of {line['needed']} votes, {line['state']}"
        + until.get(found.state, "")
    )


def _line(contracts: Contracts, found: ProposalRecord) -> dict[str, Any]:
    return {
        "proposal": found.id,
        "state": found.state.name.lower(),
        "call": str(read_call(contracts.deployment, found.target, found.data)),
        "by": found.proposer,
        "votes": found.counted,
        "needed": found.threshold,
        "supporters": sorted(found.supporters),
        "electorate": sorted(found.electorate),
        "voting_ends_at": found.voting_ends_at,
        "executable_at": found.executable_at or None,
        "expires_at": found.expires_at,
    }


def _sender(contracts: Contracts, keystore: Path | None, password_file: Path | None, hospital: int) -> Sender:
    keyring = open_keyring(contracts.w3, keystore, password_file)
    return Sender(contracts.w3, keyring.hospital(_known_hospital(contracts, hospital)))


def _known_hospital(contracts: Contracts, hospital: int) -> int:
    count = contracts.consortium.hospital_count()
    if not 1 <= hospital <= count:
        raise CommandError(f"there is no hospital {hospital}: ids are 1 to {count}")
    return hospital


def _address(text: str) -> str | None:
    return None if text == "none" else to_address(text)


def _time(timestamp: int | None) -> str:
    return (
        "-" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    )


if __name__ == "__main__":
    run(app)
