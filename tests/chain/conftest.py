"""One Anvil for the session; each test that uses it leaves the chain as it found it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chain_world import World, play_round, raise_world
from index_places import database_of
from web3 import Web3

from chain.connect import connect
from chain.errors import EngineMissing
from chain.index.store import Store
from chain.node import AnvilNode
from chain.rpc import request
from incentives.sum_tree import SumTree


@pytest.fixture(scope="session")
def node() -> Iterator[AnvilNode]:
    """A running node on a free port, stopped by its process id."""
    try:
        with AnvilNode() as running:
            yield running
    except EngineMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def session_w3(node: AnvilNode) -> Web3:
    return connect(node.url, chain_id=31337)


@pytest.fixture
def w3(session_w3: Web3) -> Iterator[Web3]:
    """A connection; what a test does to the chain is rolled back."""
    snapshot = request(session_w3, "evm_snapshot")
    yield session_w3
    request(session_w3, "evm_revert", snapshot)


@pytest.fixture(scope="session")
def deployed(session_w3: Web3) -> World:
    """A deployed consortium with four active hospitals; use `world` in tests."""
    return raise_world(session_w3)


@pytest.fixture
def world(deployed: World, w3: Web3) -> World:
    """The deployed consortium before its first round."""
    return deployed


@pytest.fixture
def closed(world: World) -> tuple[World, dict[int, SumTree]]:
    """The consortium after its first round, whose claims are open; and each hospital's tree."""
    return world, play_round(world)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with database_of(request.param, tmp_path) as database:
        yield Store(database)


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    with database_of("sqlite", tmp_path) as database:
        yield Store(database)
