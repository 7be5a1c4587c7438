"""The same consortium, round and claims on every engine that a local node can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chain_world import World, play_round, raise_world
from index_places import database_of

from chain.anvil import free_port
from chain.connect import connect
from chain.daemon import daemon_status, start_daemon, stop_daemon
from chain.deployments import load_deployment
from chain.errors import EngineMissing, NodeError, NotDeployed
from chain.hardhat import find_hardhat
from chain.history import read_rounds
from chain.index.queries import IndexRecord
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from chain.processes import fingerprint

pytestmark = pytest.mark.node


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "node"
    yield directory
    stop_daemon(directory)


def play_and_claim(world: World, number: int) -> None:
    trees = play_round(world, number)
    key = world.devices[1][0]
    before = world.contracts.token.balance_of(key.address)
    world.contracts.distributor.claim(world.sender(key), [world.claim(trees[1], 0)])
    assert world.contracts.token.balance_of(key.address) > before


@pytest.mark.parametrize("engine", ["anvil", "hardhat"])
def test_consortium_plays_a_round_on_an_engine_and_the_index_follows(home: Path, tmp_path: Path, engine: str):
    if engine == "hardhat":
        find_hardhat_or_skip()
    port = free_port()
    up = start_daemon(home, engine=engine, port=port)
    assert (up.engine, up.block) == (engine, 0)
    assert up.pid is not None
    w3 = connect(str(up.url), chain_id=31337)
    world = raise_world(w3)
    play_and_claim(world, 1)
    with database_of("sqlite", tmp_path) as database:
        synchronise(Store(database), Reader(world.contracts))
        assert IndexRecord(Store(database)).rounds() == read_rounds(world.contracts)
    world.contracts.deployment.save(tmp_path)
    stop_daemon(home)
    assert fingerprint(up.pid) is None
    again = start_daemon(home, engine=engine, port=port)
    if engine == "hardhat":
        assert again.block == 0
        with pytest.raises(NotDeployed, match="was started afresh since the contracts were deployed"):
            load_deployment(tmp_path, w3)
        return
    assert load_deployment(tmp_path, w3) == world.contracts.deployment
    assert world.ledger.current_round() == 1
    play_and_claim(world, 2)


def test_node_of_one_engine_is_not_taken_for_another(home: Path):
    port = free_port()
    start_daemon(home, port=port)
    with pytest.raises(
        NodeError, match=r"\(anvil\) is already up .* stop it with `fediomt chain down` first"
    ):
        start_daemon(home, engine="hardhat", port=port)
    assert daemon_status(home).engine == "anvil"
    with pytest.raises(EngineMissing, match="choose anvil or hardhat"):
        start_daemon(home, engine="geth", port=port)


def find_hardhat_or_skip() -> None:
    try:
        find_hardhat()
    except EngineMissing as error:
        pytest.skip(str(error))
