"""The audit's ``close_round`` and the deployed ledger close random rounds alike, forfeits and disputes included."""

import dataclasses
import random

import pytest

from chain.anvil import find_anvil
from chain.clock import LocalClock
from chain.connect import connect
from chain.contracts import open_contracts
from chain.deploy import DeployConfig, admit_hospital, deploy, fund_hospital, post_bond
from chain.errors import EngineMissing
from chain.history import read_round
from chain.keys import development_keys
from chain.ledger import LedgerClient
from chain.node import AnvilNode
from chain.packing import pack_scores
from chain.sender import Sender
from incentives import (
    DEFAULT_RULE,
    EmissionTerms,
    HospitalRound,
    Lanes,
    LedgerState,
    Node,
    Profile,
    RecordedAllocation,
    RecordedClose,
    Reveal,
    RewardRule,
    check_close,
    close_round,
)

pytestmark = pytest.mark.node

ROUNDS = 20
HOSPITALS = 6
K_MIN, ROSTER = 4, 20
E18 = 10**18


@pytest.fixture(scope="module")
def chain():
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    with AnvilNode() as node:
        w3 = connect(node.url, chain_id=31_337)
        keys = development_keys(HOSPITALS + 1)
        governance = Sender(w3, keys[0])
        config = dataclasses.replace(
            DeployConfig.local(DEFAULT_RULE, k_min=K_MIN).instant(),
            max_supply=9_000 * E18,
            initial_emission=1_000 * E18 + 7,
            emission_decay_bps=9_731,
            bonus_per_point=E18 // 7,
            bonus_cap=100 * E18,
        )
        contracts = open_contracts(w3, deploy(governance, config))
        hospitals = {}
        for index, key in enumerate(keys[1:]):
            number = admit_hospital(contracts, governance, key.address, 1_500 * (index + 1))
            hospitals[number] = Sender(w3, key)
            fund_hospital(contracts, governance, key.address, contracts.consortium.bond_amount())
            post_bond(contracts, hospitals[number])
            contracts.ledger.register_epoch(hospitals[number], 0, b"r" * 32, ROSTER, b"n" * 32)
        contracts.consortium.set_dispute_court(governance, keys[0].address)
        yield contracts, governance, hospitals


def _lanes(rng):
    n = rng.randint(K_MIN, ROSTER // 2)
    return Lanes(
        n,
        rng.choice([0, rng.randint(0, n * 10_000)]),
        rng.choice([0, rng.randint(0, n * 10_000)]),
        rng.randint(0, n * 10**7),
        rng.randint(0, n * 10**7),
    )


def _wish(rng, number, last_quality, capacity_bps):
    """What a hospital will do in the round."""
    others = [other for other in range(1, HOSPITALS + 1) if other != number]
    scored = rng.sample(others, rng.choice([len(others), len(others), rng.randint(0, len(others))]))
    reveal = Reveal({other: rng.choice([0, 10_000, rng.randint(0, 10_000)]) for other in scored}, 0)
    return HospitalRound(
        hospital=number,
        capacity_bps=capacity_bps,
        lanes=rng.choice([None, *[_lanes(rng) for _ in range(6)]]),
        reveal=rng.choice(
            [None, *[dataclasses.replace(reveal, model_score=rng.randint(7_000, 10_000)) for _ in range(6)]]
        ),
        attested=rng.choice([None, b"o" * 32, *[b"d" * 32] * 8]),
        voided=rng.random() < 0.15,
        last_quality=last_quality,
    )


def _rule(rng):
    volume, quality, share = rng.randint(0, 5_000), rng.randint(0, 5_000), rng.randint(0, 10_000)
    return dataclasses.replace(
        DEFAULT_RULE,
        w_volume=volume,
        w_quality=quality,
        w_compute=10_000 - volume - quality,
        hospital_gate=rng.choice([0, 2_000, 9_000]),
        share_volume=share,
        share_compute=10_000 - share,
    )


def _play(ledger: LedgerClient, governance: Sender, hospitals: dict[int, Sender], number: int, wishes):
    """Play a round as wished, up to its close; the profile is already chosen."""

    def move_on(phase: str):
        if ledger.round(number).phase.name.lower() == phase:
            ledger.advance(governance, number)

    for sender in hospitals.values():
        ledger.submit_ready(sender, number, b"l" * 32)
    ledger.await_beacon(governance, number, LocalClock(ledger.w3))
    ledger.publish_model(governance, number, b"m" * 32)
    packed = {
        w.hospital: (pack_scores(w.reveal.scores, HOSPITALS), w.reveal.model_score)
        for w in wishes
        if w.reveal
    }
    for hospital, (words, model) in packed.items():
        commitment = ledger.commitment(
            number, hospital, words, model_score=model, utilities_digest=b"u" * 32, salt=b"s" * 32
        )
        ledger.commit_quality(hospitals[hospital], number, commitment)
    move_on("commit")
    for hospital, (words, model) in packed.items():
        ledger.reveal_quality(
            hospitals[hospital], number, words, model_score=model, utilities_digest=b"u" * 32, salt=b"s" * 32
        )
    move_on("reveal")
    for wish in wishes:
        if wish.lanes is not None:
            left = Node(b"a" * 32, wish.lanes)
            right = Node(b"b" * 32, Lanes(0, 0, 0, 0, 0))
            ledger.submit_entry(hospitals[wish.hospital], number, left, right, b"e" * 32)
    move_on("entry")
    for wish in wishes:
        if wish.attested is not None:
            ledger.attest(hospitals[wish.hospital], number, wish.attested)
        if wish.voided and wish.lanes is not None:
            ledger.freeze_entry(governance, number, wish.hospital)
            ledger.void_entry(governance, number, wish.hospital)
    ledger.close_round(governance, number)


def _recorded(history):
    return RecordedClose(
        paid=history.closing.paid,
        accepted_digest=history.closing.digest if history.closing.paid else None,
        budget=history.closing.budget,
        bonus=history.closing.bonus,
        total_volume=history.closing.total_volume,
        total_compute=history.closing.total_compute,
        allocations={
            item.hospital: RecordedAllocation(
                quality=item.quality, share_e18=item.share_e18, amount=item.amount
            )
            for item in history.allocations
        },
    )


def test_random_rounds_close_alike_in_python_and_on_chain(chain):
    contracts, governance, hospitals = chain
    ledger = contracts.ledger
    params = ledger.params()
    terms = EmissionTerms(
        max_supply=params.max_supply,
        decay_bps=params.emission_decay_bps,
        bonus_per_point=params.bonus_per_point,
        bonus_cap=params.bonus_cap,
    )
    state = LedgerState(total_allocated=0, next_emission=params.initial_emission)
    last = dict.fromkeys(hospitals, 10_000)
    capacities = {record.id: record.capacity_bps for record in contracts.consortium.hospitals()}
    rng = random.Random(2)
    rule: RewardRule = DEFAULT_RULE
    seen = set()
    for number in range(1, ROUNDS + 1):
        if rng.random() < 0.5:
            rule = _rule(rng)
            ledger.set_rule(governance, rule)
        profile = rng.choice([Profile.ACCOUNTABLE, Profile.ACCOUNTABLE, Profile.HOSPITAL, Profile.PRIVATE])
        wishes = [_wish(rng, hospital, last[hospital], capacities[hospital]) for hospital in hospitals]
        ledger.open_round(governance, number, profile=int(profile), spec_hash=b"s" * 32, model_hash=b"m" * 32)
        _play(ledger, governance, hospitals, number, wishes)

        outcome = close_round(rule, profile, wishes, state, terms)
        history = read_round(contracts, number)
        assert check_close(f"round {number}", outcome, _recorded(history)) == []
        assert history.forfeited == frozenset(outcome.forfeited)
        assert history.record.median_model_score == outcome.median_model_score
        state, last = outcome.state, dict(outcome.last_qualities)
        assert ledger.total_allocated() == state.total_allocated
        assert ledger.next_emission() == state.next_emission
        assert ledger.rolled_over() == state.rolled_over
        assert {hospital: ledger.last_quality(hospital) for hospital in hospitals} == last
        seen.add((outcome.paid, outcome.bonus > 0, bool(outcome.forfeited)))
    assert {paid for paid, _, _ in seen} == {True, False}
    assert (True, True, True) in seen
