"""The index has every event once, in step with the chain, and answers what the contracts answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chain_world import (
    World,
    attest_and_close,
    open_round,
    play_round,
    raise_world,
    reach_entry,
    reach_training,
    submit_entries,
)
from faulty_proxy import DROP_AFTER, HTML, NONSENSE, NULL, TRUNCATED, faulty_proxy
from index_places import database_of, everything
from sqlalchemy import event, update

from chain.connect import connect, connect_lightly
from chain.contracts import open_contracts
from chain.errors import NodeError, RecordError
from chain.history import read_round, read_rounds
from chain.index.database import Database
from chain.index.errors import ChainMoves, IndexFault, IndexMismatch
from chain.index.queries import IndexRecord
from chain.index.record import ChainRecord
from chain.index.store import Store
from chain.index.sync import Reader, synchronise
from chain.node import AnvilNode
from chain.rpc import request
from incentives.sum_tree import SumTree

pytestmark = pytest.mark.node


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with database_of(request.param, tmp_path) as database:
        yield Store(database)


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    with database_of("sqlite", tmp_path) as database:
        yield Store(database)


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


def test_index_answers_what_the_contracts_answer_after_every_step_of_a_round(world: World, store: Store):
    assert_same_answers(store, world)
    open_round(world)
    assert_same_answers(store, world)
    reach_training(world)
    assert_same_answers(store, world)
    reach_entry(world)
    assert_same_answers(store, world)
    trees = submit_entries(world)
    assert_same_answers(store, world)
    attest_and_close(world)
    assert_same_answers(store, world)
    world.clock.wait_until(world.ledger.round(1).claimable_at)
    payee = claim_one(world, trees, 2, 0)
    world.contracts.distributor.claim_treasury(world.hospitals[2], 2, [1])
    assert_same_answers(store, world, [payee])
    play_round(world, 2)
    assert_same_answers(store, world, [payee])


def test_index_follows_a_dispute(world: World, store: Store):
    court = world.sender(world.governance.key)
    world.contracts.consortium.set_dispute_court(world.governance, court.address)
    open_round(world)
    reach_training(world)
    reach_entry(world)
    submit_entries(world)
    attest_and_close(world)
    for hospital in (1, 2):
        world.ledger.freeze_entry(court, 1, hospital)
    assert_same_answers(store, world)
    world.ledger.void_entry(court, 1, 1)
    world.ledger.release_entry(court, 1, 2)
    assert_same_answers(store, world)
    assert IndexRecord(store).line(1).entries[0].entry.voided


def test_unknown_round_and_hospital_are_refused_in_the_words_of_the_chain(world: World, store: Store):
    synchronise(store, Reader(world.contracts))
    index, chain = IndexRecord(store), ChainRecord(world.contracts)
    for ask in (lambda record: record.round(1), lambda record: record.hospital(99)):
        with pytest.raises(RecordError) as from_index:
            ask(index)
        with pytest.raises(RecordError) as from_chain:
            ask(chain)
        assert str(from_index.value) == str(from_chain.value)
    assert index.claims_of("0x" + "22" * 20) == []


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


def test_history_of_a_round_comes_whole_from_a_light_connection(
    closed: tuple[World, dict[int, SumTree]], node: AnvilNode
):
    world, _ = closed
    light = open_contracts(connect_lightly(node.url), world.contracts.deployment)
    assert read_round(light, 1) == read_round(world.contracts, 1)
