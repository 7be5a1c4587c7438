"""The index has every event once, in step with the chain, and answers what the contracts answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from chain_world import World, attest_and_close, open_round, play_round, reach_entry, reach_training, submit_entries

from chain.history import read_rounds
from chain.index.database import Database
from chain.index.queries import IndexRecord
from chain.index.record import ChainRecord
from chain.index.store import Store
from chain.index.sync import Reader, synchronise

pytestmark = pytest.mark.node


def test_index_answers_what_the_contracts_answer_at_every_step(world: World, tmp_path: Path):
    store = Store(Database(tmp_path / "x.sqlite"))
    reader = Reader(world.contracts)
    chain, record = ChainRecord(world.contracts), IndexRecord(store)

    def agree():
        synchronise(store, reader)
        assert record.rounds() == read_rounds(world.contracts)
        assert record.lines() == chain.lines()
        for h in world.hospitals:
            assert record.hospital(h) == chain.hospital(h)
            assert record.hospital_lines(h) == chain.hospital_lines(h)
    agree()
    open_round(world); agree()
    reach_training(world); agree()
    reach_entry(world); agree()
    trees = submit_entries(world); agree()
    attest_and_close(world); agree()
    world.clock.wait_until(world.ledger.round(1).claimable_at)
    d = world.contracts.distributor
    key = world.devices[2][0]
    d.claim(world.hospitals[2], [world.claim(trees[2], 0)]) if False else None
    d.claim_treasury(world.hospitals[2], 2, [1]); agree()
