"""Honest hospitals that find one hospital's leaves false attest the round all the same, and have that entry voided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import pytest

from chain.anvil import find_anvil
from chain.clock import clock_for
from chain.connect import connect
from chain.deploy import DeployConfig
from chain.errors import EngineMissing
from chain.node import AnvilNode
from chain.phases import CaseOutcome
from incentives import DEFAULT_RULE
from scripts.federation import rounds
from scripts.federation.auditing import audit_run
from scripts.federation.book import Submission
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.contributions import contributions_of
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.run import Run
from scripts.federation.settings import RunSettings
from scripts.federation.story import run_on_chain

pytestmark = pytest.mark.node

CHAIN, LIAR, DISOWNER = 31337, 1, 2


def entering(*, entry, bundle_digest) -> Submission:
    """The honest submission, but of one in round 2: another digest than that of the part that it hands over."""
    domain = entry.tree.domain
    disowned = (domain.hospital, domain.round) == (DISOWNER, 2)
    return Submission(entry=entry, bundle_digest=bytes([9] * 32) if disowned else bundle_digest)


def lying(record, part, *told):
    """The honest contributions, but of the liar in round 1: one device's quality is another."""
    items = contributions_of(record, part, *told)
    if (part.hospital, record.number) != (LIAR, 1):
        return items
    first, *others = items
    return (replace(first, quality=abs(first.quality - 500)), *others)


@pytest.fixture(scope="module")
def objected(tmp_path_factory) -> Iterator[tuple[Run, Consortium]]:
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    settings = RunSettings(devices=8, rounds=2, cohort_size=4, k_min=4, seed=5)
    with AnvilNode(chain_id=CHAIN) as node:
        w3 = connect(node.url, chain_id=CHAIN)
        consortium = found_consortium(
            w3,
            DevelopmentKeyring(CHAIN),
            DeployConfig.local(k_min=4, rule=DEFAULT_RULE),
            capacities_bps=[2_500] * 4,
        )
        folder = tmp_path_factory.mktemp("runs") / "objected"
        with (
            mock.patch.object(rounds, "contributions_of", lying),
            mock.patch.object(rounds, "Submission", entering),
        ):
            run = run_on_chain(settings, consortium, run_id="objected", folder=folder, clock=clock_for(w3))
            run.train()
        yield run, consortium


def test_the_round_is_paid_to_everybody_but_the_liar_whose_entry_the_others_voted_void(objected):
    _, consortium = objected
    contracts = consortium.contracts
    case, _ = contracts.court.cases()
    assert (case.hospital, case.round, case.outcome) == (LIAR, 1, CaseOutcome.VOIDED)
    assert len(case.votes) == 2
    assert LIAR not in case.electors
    assert contracts.ledger.round(1).paid
    entries = {entry.hospital: entry for entry in contracts.ledger.entries(1, [1, 2, 3, 4])}
    assert entries[LIAR].voided
    assert entries[LIAR].allocation == 0
    assert all(entries[hospital].allocation > 0 for hospital in (2, 3, 4))


def test_a_vote_slashes_nobody_and_the_challengers_bond_is_back(objected):
    contracts = objected[1].contracts
    assert contracts.consortium.hospital(LIAR).bond == contracts.consortium.bond_amount()
    accounts = [objected[1].keyring.hospital(hospital).address for hospital in (2, 3, 4)]
    assert contracts.settlement.balances(accounts) == [contracts.court.challenge_bond()] * 3


def test_a_hospital_that_enters_another_digest_than_that_of_the_part_it_signed_is_voided_by_its_signature(
    objected,
):
    run, consortium = objected
    record = run.summaries[1].record
    assert set(record.signed_parts) == {DISOWNER}
    _, case = consortium.contracts.court.cases()
    assert (case.hospital, case.round, case.outcome) == (DISOWNER, 2, CaseOutcome.VOIDED)


def test_the_next_round_is_nobodys_business_but_its_own(objected):
    contracts = objected[1].contracts
    entries = {entry.hospital: entry for entry in contracts.ledger.entries(2, [1, 2, 3, 4])}
    assert all(entries[hospital].allocation > 0 for hospital in (1, 3, 4))
    assert entries[DISOWNER].allocation == 0
    assert not objected[0].summaries[0].record.signed_parts


def test_the_audit_names_the_lie_and_nothing_else_and_everybody_can_claim(objected):
    run, consortium = objected
    records = [summary.record for summary in run.summaries]
    claim_all(consortium, records, run.state.devices(), clock_for(consortium.contracts.w3))
    lines = audit_run(run.store, run.state, consortium.contracts)
    assert [(line.round_number, line.line.check) for line in lines if not line.ok] == [
        (1, "leaves"),
        (2, "entries"),
    ]
