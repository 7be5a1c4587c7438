"""What the tests of the index compare: it with the chain, and it with one that read the chain in one go."""

from __future__ import annotations

from pathlib import Path

from chain_world import (
    World,
)
from index_places import database_of, everything

from chain.history import read_rounds
from chain.index.queries import IndexRecord
from chain.index.record import ChainRecord
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from incentives.sum_tree import SumTree


def fresh_index(world: World, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What an index that reads the chain in one go has."""
    folder.mkdir()
    with database_of("sqlite", folder) as database:
        synchronise(Store(database), Reader(world.contracts))
        return everything(Store(database))


def claim_one(world: World, trees: dict[int, SumTree], hospital: int, device: int) -> str:
    key = world.devices[hospital][device]
    claim = world.claim(trees[hospital], 2 * device)
    world.contracts.distributor.claim(world.sender(key), [claim])
    return key.address


def assert_same_answers(store: Store, world: World, payees: list[str] | None = None) -> None:
    synchronise(store, Reader(world.contracts))
    index, chain = IndexRecord(store), ChainRecord(world.contracts)
    histories = read_rounds(world.contracts)
    assert index.rounds() == histories
    assert index.lines() == chain.lines()
    for history in histories:
        assert index.round(history.record.round) == history
        assert index.line(history.record.round) == chain.line(history.record.round)
    for hospital in world.hospitals:
        assert index.hospital(hospital) == chain.hospital(hospital)
        assert index.hospital_lines(hospital) == chain.hospital_lines(hospital)
    for payee in payees or []:
        assert index.claims_of(payee) == chain.claims_of(payee) != []
