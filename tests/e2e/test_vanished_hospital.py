"""A hospital that commits and vanishes forfeits that round: everybody else is paid, and the audit goes through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from unittest import mock

import pytest

from chain.anvil import find_anvil
from chain.clock import clock_for
from chain.connect import connect
from chain.deploy import DeployConfig
from chain.errors import EngineMissing
from chain.history import read_round
from chain.ledger import LedgerClient
from chain.node import AnvilNode
from incentives import DEFAULT_RULE
from scripts.federation import rounds
from scripts.federation.auditing import audit_run
from scripts.federation.chain_book import ChainBook
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.contributions import contributions_of
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.run import Run
from scripts.federation.settings import RunSettings
from scripts.federation.story import run_on_chain

pytestmark = pytest.mark.node

CHAIN, GONE = 31337, 3
COMMITTED, ENTERING, BACK = ROUNDS = (1, 2, 3)
HOSPITALS, OTHERS = [1, 2, 3, 4], [1, 2, 4]
LOST = {(COMMITTED, GONE), (ENTERING, GONE)}
UNSENT = {
    COMMITTED: {"reveal_quality", "submit_entry", "attest"},
    ENTERING: {"submit_entry", "attest"},
    BACK: set[str](),
}


def vanishing(account: str):
    """Patches under which a hospital sends nothing after its commit, with no leaves, or after its reveal, with some."""
    value = ChainBook.value

    def unless_gone(name: str):
        act = getattr(LedgerClient, name)

        def sent(ledger, sender, number, *arguments, **named):
            if sender.address == account and name in UNSENT[number]:
                return None
            return act(ledger, sender, number, *arguments, **named)

        return mock.patch.object(LedgerClient, name, sent)

    def revealed(book, number, said):
        value(book, number, said)
        if number == COMMITTED:
            del said[GONE]

    def of_who_stays(record, part, *told):
        gone = (part.hospital, record.number) == (GONE, COMMITTED)
        return () if gone else contributions_of(record, part, *told)

    return [
        *(unless_gone(name) for name in ("reveal_quality", "submit_entry", "attest")),
        mock.patch.object(ChainBook, "value", revealed),
        mock.patch.object(rounds, "contributions_of", of_who_stays),
    ]


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Iterator[tuple[Run, Consortium]]:
    """A hospital of four vanishes after its commit, in the next round before its entry; in the third it is back."""
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    settings = RunSettings(devices=6, rounds=len(ROUNDS), cohort_size=4, k_min=3, seed=5, own_payees=1.0)
    with AnvilNode(chain_id=CHAIN) as node, ExitStack() as patches:
        w3 = connect(node.url, chain_id=CHAIN)
        config = DeployConfig.local(k_min=3, rule=DEFAULT_RULE)
        keyring = DevelopmentKeyring(CHAIN)
        consortium = found_consortium(w3, keyring, config, capacities_bps=[2_500] * 4)
        for patch in vanishing(keyring.hospital(GONE).address):
            patches.enter_context(patch)
        folder = tmp_path_factory.mktemp("runs") / "vanished"
        run = run_on_chain(settings, consortium, run_id="vanished", folder=folder, clock=clock_for(w3))
        run.train()
        yield run, consortium


def test_the_ledger_has_its_commit_and_nothing_of_it_afterwards(told):
    history = read_round(told[1].contracts, COMMITTED)
    assert sorted(history.commitments) == HOSPITALS
    for recorded in (history.reveals, history.submissions, history.attestations):
        assert sorted(item.hospital for item in recorded) == OTHERS


def test_everybody_else_is_paid_what_its_quality_gives_and_it_forfeits_the_rounds_that_it_left_alone(told):
    run, consortium = told
    ledger = consortium.contracts.ledger
    assert all(ledger.round(number).paid for number in ROUNDS)
    entries = {(n, e.hospital): e for n in ROUNDS for e in ledger.entries(n, HOSPITALS)}
    paid = {key for key, entry in entries.items() if entry.allocation > 0}
    gated = {key for key, entry in entries.items() if entry.quality < DEFAULT_RULE.hospital_gate}
    assert paid == entries.keys() - gated - LOST
    assert {number for number, _ in paid} == set(ROUNDS)
    released = run.summaries[0].record.releases
    assert GONE in {release.hospital for release in released}, "its updates are in the model all the same"


def test_its_devices_lose_those_rounds_and_all_others_can_claim_theirs(told):
    run, consortium = told
    contracts = consortium.contracts
    records = [summary.record for summary in run.summaries]
    claim_all(consortium, records, run.state.devices(), clock_for(contracts.w3))
    claims = {(n, item.hospital, item.slot) for n in ROUNDS for item in read_round(contracts, n).claims}
    leaves = {
        (record.number, hospital, item.slot)
        for record in records
        for hospital, part in record.hospitals.items()
        for item in part.contributions
    }
    assert claims == {leaf for leaf in leaves if leaf[:2] not in LOST}
    assert {leaf[:2] for leaf in leaves} == {(n, h) for n in ROUNDS for h in HOSPITALS} - {(COMMITTED, GONE)}


def test_the_audit_finds_nothing_but_the_leaves_that_never_came_to_the_ledger(told):
    run, consortium = told
    lines = audit_run(run.store, run.state, consortium.contracts)
    found = [(line.round_number, item.subject) for line in lines for item in line.findings]
    assert found == [(ENTERING, f"hospital {GONE}, entry on the ledger")]
    assert {line.round_number for line in lines if line.line.check == "leaves"} == set(ROUNDS)
