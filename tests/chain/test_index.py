"""The index is in step with the chain, and is the index of one deployment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chain_world import (
    World,
)
from index_answers import fresh_index
from index_places import everything
from sqlalchemy import update

from chain.index.errors import IndexMismatch
from chain.index.queries import IndexRecord
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from incentives.sum_tree import SumTree

pytestmark = pytest.mark.node


def test_second_synchronisation_finds_nothing_to_do(closed: tuple[World, dict[int, SumTree]], store: Store):
    reader = Reader(closed[0].contracts)
    assert synchronise(store, reader).events > 30
    before = everything(store)
    assert synchronise(store, reader).events == 0
    assert everything(store) == before


def test_index_does_not_depend_on_how_the_chain_was_cut_into_ranges(
    closed: tuple[World, dict[int, SumTree]], store: Store, tmp_path: Path
):
    synchronise(store, Reader(closed[0].contracts), chunk_blocks=3)
    assert everything(store) == fresh_index(closed[0], tmp_path / "other")


def test_index_of_another_chain_deployment_or_version_is_refused(world: World, store: Store):
    reader = Reader(world.contracts)
    identity = reader.identity()
    store.open(identity)
    others = {
        "another chain": (replace(identity, chain_id=7), replace(identity, genesis=bytes(32))),
        "another deployment": (
            replace(identity, contracts={**identity.contracts, "ledger": "0x" + "11" * 20}),
        ),
    }
    for words, identities in others.items():
        for other in identities:
            with pytest.raises(IndexMismatch, match=f"belongs to {words}.*--rebuild"):
                store.open(other)
    with store.database.writing() as connection:
        connection.execute(update(store.tables.index_of).values(layout="0123456789abcdef"))
    with pytest.raises(IndexMismatch, match=r"built by another version .*--rebuild"):
        synchronise(store, reader)
    store.discard()
    synchronise(store, reader)
    assert IndexRecord(store).hospital(1) == world.contracts.consortium.hospital(1)
