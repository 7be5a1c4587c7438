"""Nodes that fail, accounts without money and disks that are full, as commands meet them: one line, nothing lost."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from command_line import Outcome, assert_one_line_error, fediomt
from faulty_proxy import (
    BAD_GATEWAY,
    DROP_AFTER,
    DROP_BEFORE,
    HTML,
    NONSENSE,
    NULL,
    SILENT,
    TRUNCATED,
    FaultyProxy,
    faulty_proxy,
)
from killed_commands import in_another_process

from chain import connect as connecting
from chain.errors import EngineMissing
from chain.keys import fund
from chain.node import AnvilNode
from chain.rpc import request
from scripts.federation.keyring import DevelopmentKeyring

pytestmark = pytest.mark.node

DEPLOY = ("deploy", "--hospitals", "3", "--k-min", "3")
TRAIN = ("train", "--hospitals", "3", "--devices", "6", "--cohort-size", "4", "--k-min", "3")
TRAIN += ("--epsilon", "inf", "--seed", "3", "--rounds", "1")


@dataclass(frozen=True)
class Place:
    """A folder with one recorded run, and the node that it was recorded on, behind a proxy."""

    folder: Path
    proxy: FaultyProxy

    def run(self, *arguments: str, home: Path | None = None) -> Outcome:
        where = () if home is None else ("--home", str(home))
        return fediomt(*arguments, *where, "--url", self.proxy.url, cwd=self.folder)

    def minted(self) -> int:
        return int(json.loads(self.run("tokens", "supply", "--json").out)["exact"]["minted"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    try:
        with AnvilNode() as node, faulty_proxy(node.url) as proxy:
            place = Place(tmp_path_factory.mktemp("faults"), proxy)
            for command in (DEPLOY, TRAIN):
                outcome = place.run(*command)
                assert outcome.code == 0, outcome
            yield place
    except EngineMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def place(trained: Place) -> Iterator[Place]:
    w3 = connecting.connect(trained.proxy.url)
    mark = request(w3, "evm_snapshot")
    yield trained
    trained.proxy.fault = lambda asked: None
    assert request(w3, "evm_revert", mark)


QUERIES = [("ledger", "rounds", "--no-index"), ("tokens", "supply"), ("audit",), ("consortium", "list")]
ACTIONS = [("claim",), (*DEPLOY, "--fresh"), TRAIN]


@pytest.mark.parametrize("command", QUERIES + ACTIONS, ids=" ".join)
def test_node_that_answers_nonsense_or_nothing_is_one_line_for_every_command(
    place: Place, command: tuple[str, ...], tmp_path: Path
):
    for fault in (DROP_BEFORE, HTML, TRUNCATED, BAD_GATEWAY, NULL, NONSENSE):
        place.proxy.fault = lambda _, fault=fault: fault
        assert_one_line_error(place.run(*command), place.proxy.url)


@pytest.mark.parametrize("command", [*QUERIES, ("claim",), DEPLOY], ids=" ".join)
def test_node_that_is_silent_is_given_up(place: Place, command: tuple[str, ...]):
    place.proxy.fault = lambda _: SILENT
    with (
        mock.patch.dict(connecting.connect.__kwdefaults__, timeout_s=0.2),
        mock.patch.dict(connecting.connect_lightly.__kwdefaults__, timeout_s=0.2),
    ):
        assert_one_line_error(place.run(*command), place.proxy.url, "did not answer in time")


@pytest.mark.parametrize("command", [*QUERIES, *ACTIONS], ids=" ".join)
def test_node_of_another_chain_is_refused(place: Place, command: tuple[str, ...]):
    assert_one_line_error(place.run(*command, "--chain-id", "7"), "serves chain 31337, expected 7")


def test_node_that_dies_between_a_claim_and_its_receipt_is_said_and_the_claim_counts_once(place: Place):
    gone = False

    def dies_after_a_claim(asked: dict[str, object]) -> str | None:
        nonlocal gone
        if gone:
            return DROP_BEFORE
        gone = asked["method"] == "eth_sendRawTransaction"
        return DROP_AFTER if gone else None

    assert place.minted() == 0
    place.proxy.fault = dies_after_a_claim
    assert_one_line_error(in_another_process(lambda: place.run("claim")), place.proxy.url)
    place.proxy.fault = lambda _: None
    first = place.minted()
    assert first > 0
    assert "1 transactions of an interrupted command are in blocks now" in place.run("claim").out
    everything = place.minted()
    assert everything > first
    assert "nothing is left to claim" in place.run("claim").out
    assert place.minted() == everything


def test_account_without_money_is_named_and_the_command_goes_on_once_it_is_funded(place: Place):
    w3, hospital = connecting.connect(place.proxy.url), DevelopmentKeyring(31337).hospital(2).address
    fund(w3, [hospital], 0)
    assert_one_line_error(place.run("claim"), hospital, "fund it")
    fund(w3, [hospital])
    assert place.run("claim").code == 0
    assert "nothing is left to claim" in place.run("claim").out


def with_full_disk(after_bytes: int, command: Callable[[], Outcome]) -> Outcome:
    """A command in a process that cannot write files beyond a length: what a full disk is to it."""

    def limited() -> Outcome:
        resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, resource.RLIM_INFINITY))
        outcome = command()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return outcome

    return in_another_process(limited)


def test_disk_that_is_full_while_the_index_is_written_is_said_and_the_index_goes_on(
    place: Place, tmp_path: Path
):
    index = str(tmp_path / "index.sqlite")
    assert place.run("ledger", "index", "--index", str(tmp_path / "whole.sqlite")).code == 0
    most = (tmp_path / "whole.sqlite").stat().st_size
    for part in (10, 2):
        full = with_full_disk(most // part, lambda: place.run("ledger", "rounds", "--index", index))
        assert_one_line_error(full, "the disk is full while writing the index", index, "make room")
    from_index = place.run("ledger", "rounds", "--json", "--index", index)
    assert from_index.code == 0, from_index
    assert from_index.out == place.run("ledger", "rounds", "--json", "--no-index").out


def test_nothing_is_sent_while_the_disk_is_full(place: Place, tmp_path: Path):
    assert_one_line_error(with_full_disk(0, lambda: place.run("claim")), "so none was sent", "make room")
    assert place.minted() == 0
    home = tmp_path / "home"
    refused = with_full_disk(0, lambda: place.run(*DEPLOY, home=home))
    assert_one_line_error(refused, "31337.begun.json", "nothing was sent")
    assert place.run("claim").code == 0
    assert place.minted() > 0
