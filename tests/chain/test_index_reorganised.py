"""A chain that is reorganised takes its rows with it, and the new blocks bring theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chain_world import (
    World,
    open_round,
    play_round,
    raise_world,
    reach_training,
)
from index_answers import assert_same_answers, claim_one, fresh_index
from index_places import everything

from chain.connect import connect
from chain.index.errors import ChainMoves
from chain.index.queries import IndexRecord
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from chain.node import AnvilNode
from chain.rpc import request
from incentives.sum_tree import SumTree

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def own_world() -> Iterator[World]:
    """A chain of one's own, which may be reorganised."""
    with AnvilNode() as node:
        yield raise_world(connect(node.url))


@pytest.fixture
def played(own_world: World) -> Iterator[tuple[World, dict[int, SumTree]]]:
    snapshot = request(own_world.w3, "evm_snapshot")
    yield own_world, play_round(own_world)
    request(own_world.w3, "evm_revert", snapshot)


def test_rows_of_a_reorganised_block_go_and_those_of_the_new_blocks_come(
    played: tuple[World, dict[int, SumTree]], store: Store, tmp_path: Path
):
    world, trees = played
    payees = [claim_one(world, trees, hospital, 0) for hospital in (1, 2, 3)]
    assert_same_answers(store, world, payees)
    request(world.w3, "anvil_reorg", 2, [])
    synced = synchronise(store, Reader(world.contracts))
    assert synced.reorganised >= 2
    assert IndexRecord(store).claims_of(payees[0])
    assert IndexRecord(store).claims_of(payees[1]) == IndexRecord(store).claims_of(payees[2]) == []
    assert_same_answers(store, world, payees[:1])
    claim_one(world, trees, 3, 0)
    assert_same_answers(store, world, [payees[0], payees[2]])
    assert everything(store) == fresh_index(world, tmp_path / "other")


def test_round_that_a_reorganisation_takes_away_is_gone(own_world: World, store: Store, tmp_path: Path):
    world = own_world
    snapshot = request(world.w3, "evm_snapshot")
    open_round(world)
    reach_training(world)
    assert_same_answers(store, world)
    assert len(IndexRecord(store).lines()) == 1
    request(world.w3, "evm_revert", snapshot)  # a shorter chain
    assert_same_answers(store, world)
    assert IndexRecord(store).lines() == []
    snapshot = request(world.w3, "evm_snapshot")
    open_round(world, profile=1)  # another round under the same number
    assert_same_answers(store, world)
    assert everything(store) == fresh_index(world, tmp_path / "other")
    request(world.w3, "evm_revert", snapshot)


def test_reorganisation_while_the_index_reads_is_read_again(
    played: tuple[World, dict[int, SumTree]],
    file_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    world, trees = played
    claim_one(world, trees, 1, 0)
    reader = Reader(world.contracts)
    honest, times = reader.node.logs, [0]

    def logs(first: int, last: int):
        found = honest(first, last)
        times[0] += 1
        if times[0] == 1:
            request(world.w3, "anvil_reorg", 1, [])
        return found

    monkeypatch.setattr(reader.node, "logs", logs)
    synchronise(file_store, reader)
    assert times[0] == 2
    assert everything(file_store) == fresh_index(world, tmp_path / "other")


def test_chain_that_never_stands_still_is_given_up(
    played: tuple[World, dict[int, SumTree]], file_store: Store, monkeypatch: pytest.MonkeyPatch
):
    reader = Reader(played[0].contracts)
    honest = reader.node.block
    monkeypatch.setattr(
        reader.node,
        "block",
        lambda number: replace(found, hash=bytes(32)) if (found := honest(number)) else None,
    )
    with pytest.raises(ChainMoves, match="run this again later"):
        synchronise(file_store, reader)
