"""Who disputes an entry and is killed on the way runs it again, and has posted one bond: not two, nor lost one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from chain_world import World, digest, raise_world
from command_line import fediomt
from court_world import LIAR, entered
from killed_commands import KILLED

from chain import sender as sending
from chain.connect import connect
from chain.court import CourtClient
from chain.errors import EngineMissing
from chain.keys import Key, development_key, fund
from chain.node import AnvilNode
from chain.outbox import Outbox
from chain.phases import CaseOutcome
from chain.rpc import request
from chain.sender import Sender
from fl_core.canonical import sha256
from incentives import Finding
from scripts.federation import objections
from scripts.federation.disputes import NothingProvableError, challenge_entry, demand_leaves, settle_case
from scripts.federation.keyring import DevelopmentKeyring

pytestmark = pytest.mark.node

CHALLENGER, EVIDENCE = 2, digest("evidence")
HELD = {LIAR: [Finding("leaves", "hospital 1, slot 0, quality", "1", "2", LIAR)]}


@dataclass(frozen=True)
class Dispute:
    """A round whose entries are in; every hospital has one bond, and an outbox that survives it."""

    world: World
    url: str
    outbox: Outbox

    @property
    def court(self) -> CourtClient:
        return self.world.contracts.court

    def sender(self, hospital: int) -> Sender:
        return Sender(connect(self.url), self.world.hospitals[hospital].key, outbox=self.outbox)

    def bonds(self, *hospitals: int) -> list[int]:
        """How many bonds each of them holds."""
        settlement, bond = self.world.contracts.settlement, self.court.challenge_bond()
        return [settlement.balance_of(self.world.hospitals[h].address) // bond for h in hospitals]

    def killed(self, act: Callable[[], object], where: object, method: str, calls: int = 1) -> None:
        """Run something in a process of its own that is killed as it begins that call of a method."""
        process = os.fork()
        if process == 0:
            call, begun = getattr(where, method), 0

            def fatal(*arguments: Any, **named: Any) -> Any:
                nonlocal begun
                begun += 1
                if begun == calls:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **named)

            try:
                setattr(where, method, fatal)
                act()
            finally:
                os._exit(70)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == KILLED

    def demand(self) -> None:
        demand_leaves(self.world.contracts, self.sender(CHALLENGER), self.world.clock, 1, LIAR)

    def challenge(self, evidence: bytes = EVIDENCE) -> tuple[int, bool]:
        made, new = challenge_entry(self.world.contracts, self.sender(CHALLENGER), 1, LIAR, evidence)
        return made.id, new

    def void(self) -> None:
        """The other hospitals object to the liar's entry, which shows nothing that machines check."""
        objectors = {hospital: self.sender(hospital) for hospital in (2, 3, 4)}
        nothing = NothingProvableError("nothing that machines check")
        with mock.patch.object(objections, "prove_fault", side_effect=nothing):
            objections.void_entries(self.world.contracts, SimpleNamespace(number=1), HELD, objectors)


@pytest.fixture(scope="module")
def raised() -> Iterator[tuple[World, str]]:
    try:
        with AnvilNode() as node:
            world = raise_world(connect(node.url, chain_id=31337))
            entered(world)
            court = world.contracts.court
            for hospital in world.hospitals.values():
                world.contracts.settlement.transfer(
                    world.governance, hospital.address, court.challenge_bond()
                )
            yield world, node.url
    except EngineMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def dispute(raised: tuple[World, str], tmp_path: Path) -> Iterator[Dispute]:
    world, url = raised
    mark = request(world.w3, "evm_snapshot")
    yield Dispute(world, url, Outbox(tmp_path / "outbox"))
    request(world.w3, "evm_revert", mark)


def moved(world: World, key: Key) -> Sender:
    """The challenger, once it has moved to another account."""
    sender = Sender(world.w3, key)
    fund(world.w3, [sender.address], 10**18)
    world.contracts.consortium.propose_account(world.hospitals[CHALLENGER], sender.address)
    world.contracts.consortium.accept_account(sender, CHALLENGER)
    return sender


@pytest.mark.parametrize(
    ("where", "method", "calls"), [(CourtClient, "draw", 1), (sending, "wait_receipts", 2)]
)
def test_a_demand_that_was_killed_before_its_draw_is_drawn_and_its_bond_not_lost(
    dispute: Dispute, where: object, method: str, calls: int
):
    dispute.killed(dispute.demand, where, method, calls)
    court = dispute.court
    (demand,) = court.demands_in(court.open_case_of(1, LIAR))
    assert not demand.drawn
    assert dispute.bonds(CHALLENGER) == [0]
    dispute.demand()
    dispute.demand()
    (demand,) = court.demands_in(demand.case_id)
    assert demand.drawn
    dispute.world.clock.wait_until(court.case(demand.case_id).deadline)
    assert settle_case(dispute.world.contracts, dispute.sender(3), demand.case_id) == 1
    assert court.case(demand.case_id).outcome is CaseOutcome.VOIDED
    assert dispute.bonds(CHALLENGER) == [1]


def test_a_demand_that_is_run_again_when_its_block_is_forgotten_is_drawn_by_a_later_one(dispute: Dispute):
    dispute.killed(dispute.demand, CourtClient, "draw")
    dispute.world.clock.wait_blocks(300)
    dispute.demand()
    (demand,) = dispute.court.demands_in(1)
    assert demand.drawn


def test_a_demand_is_found_again_by_another_account_of_its_hospital(dispute: Dispute):
    dispute.killed(dispute.demand, CourtClient, "draw")
    world = dispute.world
    made = demand_leaves(world.contracts, moved(world, development_key(7_777)), world.clock, 1, LIAR)
    assert made.challenger == world.hospitals[CHALLENGER].address
    assert dispute.court.demands_in(made.case_id)[0].drawn


@pytest.mark.parametrize(("where", "calls"), [("wait_receipts", 2), ("send_raw", 2)])
def test_a_challenge_that_was_killed_before_its_receipt_is_found_again_and_takes_one_bond(
    dispute: Dispute, where: str, calls: int
):
    dispute.killed(dispute.challenge, sending, where, calls)
    assert dispute.challenge() == (1, False)
    assert dispute.challenge() == (1, False)
    assert (len(dispute.court.challenges()), dispute.bonds(CHALLENGER)) == (1, [0])
    (kept,) = dispute.outbox.accounts(31337, dispute.sender(CHALLENGER).genesis)
    assert kept.entries() == []


def test_the_command_line_says_that_the_challenge_is_there_and_takes_no_second_bond(
    dispute: Dispute, tmp_path: Path
):
    evidence = tmp_path / "evidence"
    evidence.write_text("what is held against it")
    dispute.challenge(sha256(evidence.read_bytes()))
    dispute.world.contracts.deployment.save(tmp_path / "deployments")
    moved(dispute.world, DevelopmentKeyring(31337).hospital(CHALLENGER))
    again = fediomt(
        *("dispute", "open", "1", str(LIAR), "--by", str(CHALLENGER), "--evidence", str(evidence)),
        *("--url", dispute.url, "--home", str(tmp_path)),
        cwd=tmp_path,
    )
    assert again.code == 0, again
    assert "no second bond is taken" in " ".join(again.out.split())
    assert len(dispute.court.challenges()) == 1


def test_other_evidence_or_a_challenge_besides_a_demand_is_another_challenge(dispute: Dispute):
    world = dispute.world
    dispute.demand()
    for evidence in (bytes(32), EVIDENCE):
        world.contracts.settlement.transfer(
            world.governance, world.hospitals[CHALLENGER].address, dispute.court.challenge_bond()
        )
        assert dispute.challenge(evidence)[1]
        assert not dispute.challenge(evidence)[1]
    assert len(dispute.court.challenges()) == 3


@pytest.mark.parametrize(
    ("method", "calls"), [("challenge", 1), ("vote", 1), ("vote", 2), ("settle", 1), ("case", 4)]
)
def test_objections_killed_anywhere_go_on_with_the_case_and_every_bond_comes_back(
    dispute: Dispute, method: str, calls: int
):
    dispute.killed(dispute.void, CourtClient, method, calls)
    dispute.void()
    dispute.void()
    (case,) = dispute.court.cases()
    assert (case.outcome, case.votes) == (CaseOutcome.VOIDED, {3, 4})
    assert dispute.world.ledger.entry(1, LIAR).voided
    assert [item.settled for item in dispute.court.challenges()] == [True]
    assert dispute.bonds(2, 3, 4) == [1, 1, 1]


def test_objections_join_a_case_that_somebody_else_has_opened(dispute: Dispute):
    world = dispute.world
    third = dispute.sender(3)
    made, new = challenge_entry(world.contracts, third, 1, LIAR, EVIDENCE)
    assert new
    dispute.void()
    assert dispute.court.case(made.case_id).votes == {2, 4}
    assert dispute.bonds(2, 3, 4) == [1, 1, 1]
