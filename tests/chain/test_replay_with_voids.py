"""Closing the ledger's rounds again gives what the ledger gave, entries that a dispute voided included."""

from __future__ import annotations

import pytest
from chain_world import attest_and_close, open_round, reach_entry, reach_training, submit_entries

from chain.history import read_rounds
from incentives import check_close
from scripts.federation.ledger_facts import LedgerReplay, facts_of

pytestmark = pytest.mark.node


def void(world, number: int, hospital: int) -> None:
    world.ledger.freeze_entry(world.governance, number, hospital)
    world.ledger.void_entry(world.governance, number, hospital)


def up_to_entries(world, number: int) -> None:
    open_round(world, number)
    reach_training(world, number)
    reach_entry(world, number)
    submit_entries(world, number)


@pytest.fixture
def court(world):
    """The consortium with governance as its dispute court."""
    world.contracts.consortium.set_dispute_court(world.governance, world.governance.address)
    return world


def replayed(world) -> list[str]:
    replay = LedgerReplay.begin(world.contracts)
    findings = []
    for history in read_rounds(world.contracts):
        facts = facts_of(world.contracts, history)
        findings += check_close(f"round {history.record.round}", replay.close(history), facts.close)
    assert replay.state.total_allocated >= world.ledger.total_allocated()
    return [str(finding) for finding in findings]


def test_an_entry_that_is_voided_before_the_close_counts_for_nothing(court):
    up_to_entries(court, 1)
    void(court, 1, 2)
    attest_and_close(court, 1)
    assert court.ledger.entry(1, 2).allocation == 0
    assert replayed(court) == []


def test_an_entry_that_is_voided_after_the_close_is_taken_off_what_later_rounds_build_on(court):
    up_to_entries(court, 1)
    attest_and_close(court, 1)
    allocated = court.ledger.total_allocated()
    void(court, 1, 2)
    assert court.ledger.total_allocated() < allocated
    up_to_entries(court, 2)
    attest_and_close(court, 2)
    assert replayed(court) == []
    replay = LedgerReplay.begin(court.contracts)
    for history in read_rounds(court.contracts):
        replay.close(history)
    assert replay.state.total_allocated == court.ledger.total_allocated()
