"""What is packed here is what the contracts unpack."""

from __future__ import annotations

import pytest
from chain_world import World, digest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.errors import RecordError
from chain.packing import (
    NO_SCORE,
    ids_of,
    pack_lanes,
    pack_scores,
    quality_commitment,
    unpack_lanes,
    unpack_rule,
    unpack_scores,
)
from chain.phases import Standing
from chain.records import Lanes
from incentives.default_rule import DEFAULT_RULE

BYTES32 = st.binary(min_size=32, max_size=32)


@st.composite
def boards(draw):
    count = draw(st.integers(1, 64))
    scores = draw(st.dictionaries(st.integers(1, count), st.integers(0, 10_000)))
    return count, scores


@given(boards())
def test_scores_survive_packing(board):
    count, scores = board
    words = pack_scores(scores, count)
    assert len(words) == -(-count // 18)
    assert all(word < 1 << 252 for word in words)
    assert unpack_scores(words, count) == scores


def test_hospitals_without_a_score_have_the_mark_of_none():
    assert pack_scores({}, 1) == [(1 << 252) - 1]
    assert pack_scores({1: 5}, 1)[0] & NO_SCORE == 5


def test_scores_that_cannot_be_are_refused():
    with pytest.raises(RecordError, match=r"hospital 5 is not one of 1\.\.4"):
        pack_scores({5: 1}, 4)
    with pytest.raises(RecordError, match="score 10001 of hospital 2"):
        pack_scores({2: 10_001}, 4)


@given(
    st.builds(
        Lanes,
        n=st.integers(0, 2**32 - 1),
        volume=st.integers(0, 2**48 - 1),
        compute=st.integers(0, 2**48 - 1),
        weight_treasury=st.integers(0, 2**64 - 1),
        weight_device=st.integers(0, 2**64 - 1),
    )
)
def test_lanes_survive_packing(lanes: Lanes):
    assert unpack_lanes(pack_lanes(lanes)) == lanes
    assert pack_lanes(pack_lanes(lanes)) == pack_lanes(lanes)


def test_lanes_that_overflow_are_refused():
    with pytest.raises(RecordError, match="lane n = 4294967296 does not fit 32 bits"):
        pack_lanes(Lanes(2**32, 0, 0, 0, 0))


def test_bitmaps_name_ids():
    assert ids_of(0b10110) == {1, 2, 4}


@pytest.mark.node
@settings(max_examples=40, deadline=None)
@given(
    round_number=st.integers(0, 2**64 - 1),
    hospital=st.integers(1, 64),
    words=st.lists(st.integers(0, 2**256 - 1), max_size=4),
    model_score=st.integers(0, 2**16 - 1),
    utilities=BYTES32,
    salt=BYTES32,
)
def test_commitment_is_the_one_that_the_ledger_computes(
    *, deployed: World, round_number, hospital, words, model_score, utilities, salt
):
    ledger = deployed.ledger
    here = ledger.commitment(
        round_number, hospital, words, model_score=model_score, utilities_digest=utilities, salt=salt
    )
    there = ledger.call("qualityCommitment", round_number, hospital, words, model_score, utilities, salt)
    assert here == there


@pytest.mark.node
def test_claim_terms_unpack_the_round_s_rule(closed):
    world, trees = closed
    terms = world.ledger.claim_terms(1, 2)
    assert terms.rule == world.ledger.rule(1)
    assert terms.rule.volume_cap == tuple(DEFAULT_RULE.volume_cap)
    assert terms.root == trees[2].root.hash
    assert (terms.standing, terms.device_quality_scored) == (Standing.PAYABLE, True)
    assert terms.allocation == world.ledger.entry(1, 2).allocation


def test_rule_words_are_sixteen_numbers():
    rule = unpack_rule(sum((i + 1) << (16 * i) for i in range(16)))
    assert (rule.w_volume, rule.operator_bps) == (1, 8)
    assert (rule.volume_cap, rule.compute_cap) == ((9, 10, 11, 12), (13, 14, 15, 16))


def test_commitments_refuse_what_is_not_32_bytes_or_negative():
    given_ = {
        "chain_id": 1,
        "ledger": "0x" + "11" * 20,
        "round_number": 1,
        "hospital": 1,
        "packed_scores": [1],
    }
    with pytest.raises(RecordError, match="32 bytes each"):
        quality_commitment(**given_, model_score=1, utilities_digest=b"", salt=digest("s"))
    with pytest.raises(RecordError, match="numbers of 0"):
        quality_commitment(**given_, model_score=-1, utilities_digest=digest("u"), salt=digest("s"))
