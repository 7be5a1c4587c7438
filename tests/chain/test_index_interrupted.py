"""Nodes that fail, processes that are killed and disks that are full cost the index no row, and double none."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from chain_world import (
    World,
    open_round,
    raise_world,
    reach_training,
)
from faulty_proxy import DROP_AFTER, HTML, NONSENSE, NULL, TRUNCATED, faulty_proxy
from index_answers import assert_same_answers, fresh_index
from index_places import everything
from sqlalchemy import event

from chain.connect import connect, connect_lightly
from chain.contracts import open_contracts
from chain.errors import NodeError
from chain.index.database import Database
from chain.index.errors import ChainMoves, IndexFault
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from chain.node import AnvilNode
from incentives.sum_tree import SumTree

pytestmark = pytest.mark.node


def test_range_that_the_node_refuses_is_halved(
    closed: tuple[World, dict[int, SumTree]], file_store: Store, tmp_path: Path, node: AnvilNode
):
    world, _ = closed

    def at_most_four(asked):
        if asked["method"] != "eth_getLogs":
            return None
        query = asked["params"][0]
        wide = int(query["toBlock"], 16) - int(query["fromBlock"], 16) > 3
        return {"code": -32005, "message": "Requested range exceeds maximum range limit"} if wide else None

    with faulty_proxy(node.url) as proxy:
        proxy.fault = at_most_four
        contracts = open_contracts(connect_lightly(proxy.url), world.contracts.deployment)
        synchronise(file_store, Reader(contracts))
    assert everything(file_store) == fresh_index(world, tmp_path / "other")


@pytest.mark.parametrize("fault", [HTML, TRUNCATED, NULL, NONSENSE, DROP_AFTER])
def test_node_that_answers_nonsense_is_named_and_nothing_is_lost(
    closed: tuple[World, dict[int, SumTree]], file_store: Store, tmp_path: Path, node: AnvilNode, fault: str
):
    world, _ = closed
    with faulty_proxy(node.url) as proxy:
        contracts = open_contracts(connect_lightly(proxy.url), world.contracts.deployment)
        proxy.fault = lambda asked: (
            fault if asked["method"] == "eth_getLogs" and proxy.seen["eth_getLogs"] > 3 else None
        )
        with pytest.raises(NodeError) as failed:
            synchronise(file_store, Reader(contracts), chunk_blocks=5)
        assert "\n" not in str(failed.value)
        half = file_store.read_until().number
        assert half > contracts.deployment.block
        proxy.fault = lambda asked: None
        assert synchronise(file_store, Reader(contracts)).until > half
    assert everything(file_store) == fresh_index(world, tmp_path / "other")


def test_index_goes_on_after_the_node_was_killed_and_started_again(tmp_path: Path, file_store: Store):
    state = tmp_path / "chain.json"
    with AnvilNode(state=state) as node:
        port = int(node.url.rsplit(":", 1)[1])
        world = raise_world(connect(node.url))
        open_round(world)
        synchronise(file_store, Reader(world.contracts))
        node.stop()
        with pytest.raises(NodeError, match="no node answers"):
            synchronise(file_store, Reader(world.contracts))
    with AnvilNode(port, state=state):
        assert synchronise(file_store, Reader(world.contracts)).events == 0
        reach_training(world)
        assert_same_answers(file_store, world)
        assert everything(file_store) == fresh_index(world, tmp_path / "other")


SYNCHRONISE = """
import sys
from pathlib import Path
from chain.connect import connect_lightly
from chain.contracts import open_contracts
from chain.deployments import read_deployment
from chain.index.database import Database
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
url, deployments, target, chunk = sys.argv[1:]
contracts = open_contracts(connect_lightly(url), read_deployment(Path(deployments), 31337))
target = target if "://" in target else Path(target)
synchronise(Store(Database(target)), Reader(contracts), chunk_blocks=int(chunk),
            progress=lambda done, of: print(done, flush=True))
"""


def test_index_killed_in_the_middle_goes_on_without_a_lost_or_doubled_row(
    closed: tuple[World, dict[int, SumTree]], store: Store, node: AnvilNode, tmp_path: Path
):
    world, _ = closed
    world.contracts.deployment.save(tmp_path / "deployments")
    url = store.database.url
    target = str(url.database) if store.database.sqlite else url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", SYNCHRONISE, node.url, str(tmp_path / "deployments"), target, "1"]
    for blocks in (3, 9):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            for _ in range(blocks):
                running.stdout.readline()
            running.kill()
    reached = store.read_until().number
    assert reached > world.contracts.deployment.block
    synchronise(store, Reader(world.contracts), chunk_blocks=7)
    assert everything(store) == fresh_index(world, tmp_path / "other")


def test_several_that_index_at_once_leave_each_row_once(
    closed: tuple[World, dict[int, SumTree]], store: Store, tmp_path: Path
):
    world, _ = closed
    synchronise(store, Reader(world.contracts), chunk_blocks=10**6)
    store.discard()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            synchronise(Store(store.database), Reader(world.contracts), chunk_blocks=2)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error for error in failures if not isinstance(error, ChainMoves)] == []
    synchronise(store, Reader(world.contracts))
    assert everything(store) == fresh_index(world, tmp_path / "other")


def test_full_disk_is_named_and_what_was_indexed_is_kept(
    closed: tuple[World, dict[int, SumTree]], tmp_path: Path
):
    world, _ = closed
    database = Database(tmp_path / "index.sqlite")
    limits = ["PRAGMA page_size = 512"]

    def limit(connection, _record):
        for words in limits:
            connection.execute(words)

    event.listen(database.engine, "connect", limit, insert=True)
    Store(database).open(Reader(world.contracts).identity())
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    database.engine.dispose()
    limits.append(f"PRAGMA max_page_count = {pages + 6}")
    with pytest.raises(IndexFault, match=r"the disk is full .* make room and run the command again"):
        synchronise(Store(database), Reader(world.contracts), chunk_blocks=2)
    database.close()
    roomy = Store(Database(tmp_path / "index.sqlite"))
    assert roomy.read_until().number >= world.contracts.deployment.block
    synchronise(roomy, Reader(world.contracts))
    assert everything(roomy) == fresh_index(world, tmp_path / "other")
    roomy.database.close()
