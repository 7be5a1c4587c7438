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
from scripts.console.account_moves import accept, move
from scripts.console.capacity import capacity_bps
from scripts.console.errors import CommandError
from scripts.console.index import Indexed
from scripts.console.on_chain import OnChain, Signing, with_options
from scripts.console.options import Hospital
from scripts.console.output import print_json, print_table, tokens
from scripts.console.run_command import run
from scripts.console.session import open_outbox
from scripts.federation.bonds import complete_bond

app = typer.Typer(
    help="Governance by the hospitals: two thirds of the active ones decide.", no_args_is_help=True
)
proposing = typer.Typer(help="Propose a change, as a hospital that votes for it.", no_args_is_help=True)
app.add_typer(proposing, name="propose")
app.command()(move)
app.command()(accept)

Proposal = Annotated[int, typer.Argument(metavar="PROPOSAL", help="The proposal's id.", min=1)]
Subject = Annotated[int, typer.Argument(metavar="ID", help="The hospital that it is about.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An account, or none.")]


@proposing.command()
@with_options
def admit(
    to: Signing,
    hospital: Hospital,
    account: Annotated[
        str | None,
        typer.Argument(help="The newcomer's account; default: that of the key kept for the next id."),
    ] = None,
    capacity: Annotated[float, typer.Option(help="Its capacity, percent of a round's budget.")] = 25.0,
) -> None:
    """Admit a hospital with a capacity that is fixed for good; it then posts its bond."""
    bps = capacity_bps(capacity)
    consortium = to.contracts.consortium
    known = account or to.keyring.hospital(consortium.hospital_count() + 1).address
    _propose(to, hospital, consortium.prepare("admit", to_address(known), bps))


@proposing.command()
@with_options
def suspend(to: Signing, subject: Subject, hospital: Hospital) -> None:
    """Suspend a hospital: it can act no more, what it has earned stays its own."""
    call = to.contracts.consortium.prepare("suspend", to.contracts.consortium.hospital(subject).id)
    _propose(to, hospital, call)


@proposing.command()
@with_options
def reinstate(to: Signing, subject: Subject, hospital: Hospital) -> None:
    """Lift a hospital's suspension."""
    call = to.contracts.consortium.prepare("reinstate", to.contracts.consortium.hospital(subject).id)
    _propose(to, hospital, call)


@proposing.command()
@with_options
def coordinator(to: Signing, address: Address, hospital: Hospital) -> None:
    """Name who opens rounds; without one, hospitals do after the idle period."""
    _propose(to, hospital, to.contracts.consortium.prepare("setCoordinator", _address(address)))


@proposing.command()
@with_options
def guardian(to: Signing, address: Address, hospital: Hospital) -> None:
    """Name who may pause claims for seven days."""
    _propose(to, hospital, to.contracts.consortium.prepare("setGuardian", _address(address)))


@proposing.command()
@with_options
def court(to: Signing, address: Address, hospital: Hospital) -> None:
    """Name the dispute court: who freezes and voids entries, and slashes bonds."""
    _propose(to, hospital, to.contracts.consortium.prepare("setDisputeCourt", _address(address)))


@proposing.command()
@with_options
def rule(
    to: Signing,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The reward rule, as JSON.")],
    hospital: Hospital,
) -> None:
    """Add a reward rule, which rounds opened from then on freeze."""
    from scripts.federation.rule_file import read_rule  # noqa: PLC0415 - no other command needs numpy

    wanted = read_rule(file)
    _propose(to, hospital, to.contracts.ledger.prepare("setRule", wanted))


@app.command()
@with_options
def vote(
    to: Signing,
    proposal: Proposal,
    hospital: Hospital,
    support: Annotated[
        bool, typer.Option("--support/--withdraw", help="Give the vote, or take it back.")
    ] = True,
) -> None:
    """Give a proposal the hospital's vote, or take it back before it is executed."""
    to.contracts.council.vote(to.hospital(hospital), proposal, support=support)
    _say(to, proposal)


@app.command()
@with_options
def execute(
    to: Signing,
    proposal: Proposal,
    hospital: Hospital,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the delay of governance is over.")] = False,
) -> None:
    """Have a carried proposal executed: queued first, where governance has a delay, and then called."""
    sender = to.hospital(hospital)
    council, clock = to.contracts.council, clock_for(to.contracts.w3)
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
    _say(to, proposal)


@app.command()
@with_options
def cancel(to: Signing, proposal: Proposal, hospital: Hospital) -> None:
    """Cancel an open proposal of the hospital's own, or one that was queued and lost its votes."""
    to.contracts.council.cancel(to.hospital(hospital), proposal)
    _say(to, proposal)


@app.command("list")
@with_options
def list_proposals(of: Indexed) -> None:
    """All proposals, and where each stands."""
    with of.votes() as votes:
        lines = [_line(of.contracts, found) for found in votes.proposals()]
    if of.as_json:
        print_json(lines)
        return
    rows = [
        (line["proposal"], line["state"], line["call"], f"{line['votes']} of {line['needed']}", line["by"])
        for line in lines
    ]
    print_table("proposals", ("proposal", "state", "call", "votes", "proposed by"), rows)


@app.command()
@with_options
def show(of: Indexed, proposal: Proposal) -> None:
    """One proposal: its call, who may vote, who did, and until when."""
    with of.votes() as votes:
        line = _line(of.contracts, votes.proposal(proposal))
    if of.as_json:
        print_json(line)
        return
    times = {name: _time(line[name]) for name in ("voting_ends_at", "executable_at", "expires_at")}
    sets = {name: ", ".join(map(str, line[name])) for name in ("electorate", "supporters")}
    print_table(f"proposal {proposal}", ("what", "value"), list({**line, **times, **sets}.items()))


@app.command()
@with_options
def bond(to: Signing, hospital: Hospital) -> None:
    """Post the bond of an admitted hospital, or top up one that was slashed; the hospital is active then."""
    paid = complete_bond(to.contracts, to.keyring, hospital, open_outbox(to.home))
    status = to.contracts.consortium.hospital(hospital).status.name.lower()
    to.say(
        {"hospital": hospital, "paid": tokens(paid), "exact": {"paid": str(paid)}, "status": status},
        f"hospital {hospital} paid {tokens(paid):g} settlement tokens and is {status}",
    )


def _propose(to: Signing, hospital: int, call: Call) -> None:
    _say(to, to.contracts.council.propose(to.hospital(hospital), call))


def _say(of: OnChain, proposal: int) -> None:
    found = of.contracts.council.proposal(proposal)
    line = _line(of.contracts, found)
    until = {
        ProposalState.OPEN: f", votes are taken until {_time(found.voting_ends_at)}",
        ProposalState.PASSED: f": have it executed before {_time(found.expires_at)}",
        ProposalState.QUEUED: f": have it executed from {_time(found.executable_at)} on",
    }
    of.say(
        line,
        f"proposal {proposal}, {line['call']}: {line['votes']} of {line['needed']} votes, {line['state']}"
        + until.get(found.state, ""),
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


def _address(text: str) -> str | None:
    return None if text == "none" else to_address(text)


def _time(timestamp: int | None) -> str:
    return (
        "-" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    )


if __name__ == "__main__":
    run(app)
