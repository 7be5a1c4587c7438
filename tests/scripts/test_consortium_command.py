"""Hospitals propose, vote and execute from the command line, on a node of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from command_line import assert_one_line_error, fediomt

from chain.connect import connect
from chain.deploy import DeployConfig
from chain.errors import EngineMissing
from chain.keys import Key
from chain.node import AnvilNode
from incentives import DEFAULT_RULE
from scripts.console.capacity import capacity_bps
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.keyring import DevelopmentKeyring

pytestmark = pytest.mark.node

DELAY = 3_600


class Desk:
    """A consortium of four hospitals, and the command line in front of it."""

    def __init__(self, folder: Path, url: str, consortium: Consortium) -> None:
        self.folder, self.url, self.consortium = folder, url, consortium

    def run(self, *arguments: str):
        return fediomt("consortium", *arguments, "--url", self.url, cwd=self.folder)

    def ask(self, *arguments: str):
        outcome = self.run(*arguments, "--json")
        assert outcome.code == 0, outcome
        return json.loads(outcome.out)

    def carry(self, *arguments: str) -> str:
        """Propose as hospital 1, vote as 2 and 3; the proposal's id."""
        number = str(self.ask("propose", *arguments, "--hospital", "1")["proposal"])
        for hospital in "23":
            self.ask("vote", number, "--hospital", hospital)
        return number


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    try:
        with AnvilNode() as node:
            yield node.url
    except EngineMissing as error:
        pytest.skip(str(error))


def open_desk(folder: Path, url: str, *, delay_seconds: int) -> Desk:
    w3 = connect(url)
    config = replace(DeployConfig.local(DEFAULT_RULE), council_delay_seconds=delay_seconds)
    consortium = found_consortium(w3, DevelopmentKeyring(31337), config, capacities_bps=[2_500] * 4)
    consortium.contracts.deployment.save(folder / ".fediomt" / "deployments")
    return Desk(folder, url, consortium)


@pytest.fixture
def desk(tmp_path: Path, url: str) -> Desk:
    """Proposals take effect at once."""
    return open_desk(tmp_path, url, delay_seconds=0)


def test_a_newcomer_is_voted_in_and_takes_part_once_its_bond_is_posted(desk: Desk):
    proposed = desk.ask("propose", "admit", "--capacity", "12.5", "--hospital", "1")
    newcomer = desk.consortium.keyring.hospital(5).address
    assert proposed["call"] == f"Consortium.admit(account = {newcomer}, capacity_bps = 1250)"
    assert (proposed["state"], proposed["votes"], proposed["needed"]) == ("open", 1, 3)
    assert_one_line_error(desk.run("execute", "1", "--hospital", "1"), "1 of the 3 votes", "vote until")
    desk.ask("vote", "1", "--hospital", "2")
    assert desk.ask("vote", "1", "--hospital", "4")["state"] == "passed"
    assert desk.ask("execute", "1", "--hospital", "4")["state"] == "executed"
    assert desk.ask("bond", "--hospital", "5")["status"] == "active"
    assert desk.consortium.contracts.consortium.active_set() == {1, 2, 3, 4, 5}
    assert_one_line_error(desk.run("bond", "--hospital", "5"), "is whole")
    later = desk.ask("propose", "suspend", "2", "--hospital", "5")
    assert (later["electorate"], later["needed"]) == ([1, 2, 3, 4, 5], 4)


def test_a_delay_makes_a_change_public_before_it_takes_effect(tmp_path: Path, url: str):
    desk = open_desk(tmp_path, url, delay_seconds=DELAY)
    number = desk.carry("suspend", "4")
    queued = desk.run("execute", number, "--hospital", "3")
    assert (queued.code, "have it executed from" in queued.out) == (0, True), queued
    shown = desk.ask("show", number)
    assert (shown["state"], shown["supporters"]) == ("queued", [1, 2, 3])
    assert shown == desk.ask("show", number, "--no-index")
    assert [shown] == desk.ask("list") == desk.ask("list", "--no-index")
    assert desk.ask("execute", number, "--hospital", "3")["state"] == "queued"
    assert desk.ask("execute", number, "--hospital", "3", "--wait")["state"] == "executed"
    assert desk.consortium.contracts.consortium.active_set() == {1, 2, 3}
    back = desk.carry("reinstate", "4")
    assert desk.ask("execute", back, "--hospital", "1", "--wait")["state"] == "executed"
    assert desk.consortium.contracts.consortium.active_set() == {1, 2, 3, 4}


def test_roles_and_the_rule_are_voted(desk: Desk):
    contracts, someone = desk.consortium.contracts, Key.random().address
    for role in ("coordinator", "guardian", "court"):
        desk.ask("execute", desk.carry(role, someone), "--hospital", "2")
    consortium = contracts.consortium
    assert consortium.coordinator() == consortium.guardian() == consortium.dispute_court() == someone
    desk.ask("execute", desk.carry("court", "none"), "--hospital", "2")
    assert int(consortium.dispute_court(), 16) == 0
    rule = replace(DEFAULT_RULE, operator_bps=123)
    (desk.folder / "rule.json").write_text(json.dumps(asdict(rule)))
    desk.ask("execute", desk.carry("rule", "rule.json"), "--hospital", "2")
    assert contracts.ledger.rule(2).operator_bps == 123


def test_proposals_are_listed_shown_and_cancelled(desk: Desk):
    assert desk.ask("list") == []
    first = desk.carry("suspend", "4")
    second = str(desk.ask("propose", "suspend", "3", "--hospital", "2")["proposal"])
    desk.ask("vote", first, "--withdraw", "--hospital", "3")
    assert_one_line_error(desk.run("cancel", second, "--hospital", "1"), "only that one cancels it")
    assert desk.ask("cancel", second, "--hospital", "2")["state"] == "cancelled"
    listed = desk.ask("list")
    assert [(line["proposal"], line["state"], line["votes"]) for line in listed] == [
        (1, "open", 2),
        (2, "cancelled", 1),
    ]
    table = desk.run("list").out
    assert "Consortium.suspend(id = 4)" in table
    assert "2 of 3" in table
    page = desk.run("show", first).out
    assert "1, 2, 3, 4" in page
    assert "UTC" in page


@pytest.mark.parametrize(
    ("percent", "points"), [(8.2, 820), (0.29, 29), (2.3, 230), (0.01, 1), (100.0, 10_000), (12.345, 1_234)]
)
def test_percent_are_basis_points_exactly(percent: float, points: int):
    assert capacity_bps(percent) == points


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("propose", "admit", "0x12", "--hospital", "1"), ["is not an address"]),
        (("propose", "admit", "--capacity", "0", "--hospital", "1"), ["choose 0.01 to 100"]),
        (("propose", "admit", "--capacity", "nan", "--hospital", "1"), ["choose 0.01 to 100"]),
        (("propose", "suspend", "9", "--hospital", "1"), ["no hospital 9", "1 to 4"]),
        (("propose", "suspend", "1", "--hospital", "9"), ["no hospital 9"]),
        (("propose", "guardian", "nobody", "--hospital", "1"), ["is not an address"]),
        (("propose", "rule", "none.json", "--hospital", "1"), ["none.json cannot be read"]),
        (("vote", "7", "--hospital", "1"), ["no proposal 7", "consortium list"]),
        (("show", "7"), ["no proposal 7"]),
        (("execute", "7", "--hospital", "1"), ["no proposal 7"]),
        (("bond", "--hospital", "1"), ["is whole"]),
        (("vote", "1", "--hospital", "1", "--keystore", "nowhere"), ["password"]),
    ],
)
def test_mistakes_are_named_in_one_line(shared: Desk, arguments: tuple[str, ...], words: list[str]):
    assert_one_line_error(shared.run(*arguments), *words)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, url: str) -> Desk:
    """For tests that change nothing."""
    return open_desk(tmp_path_factory.mktemp("shared"), url, delay_seconds=0)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "is not JSON"),
        ("[]", "takes exactly w_volume"),
        (json.dumps({**asdict(DEFAULT_RULE), "extra": 1}), "takes exactly"),
        (json.dumps({**asdict(DEFAULT_RULE), "w_volume": "many"}), "must be a whole number"),
        (json.dumps({**asdict(DEFAULT_RULE), "volume_cap": 5}), "must be a list"),
        (json.dumps({**asdict(DEFAULT_RULE), "volume_cap": [1]}), "give one a device class"),
        (json.dumps({**asdict(DEFAULT_RULE), "operator_bps": 2_001}), "0..2000"),
    ],
)
def test_a_rule_that_cannot_be_is_named_before_anything_is_sent(tmp_path: Path, content: str, word: str):
    (tmp_path / "rule.json").write_text(content)
    arguments = ("consortium", "propose", "rule", "rule.json", "--hospital", "1")
    assert_one_line_error(fediomt(*arguments, cwd=tmp_path), word)


def test_the_wrong_usage_is_a_usage_error(tmp_path: Path):
    assert fediomt("consortium", "vote", "first", "--hospital", "1", cwd=tmp_path).code == 2
    assert fediomt("consortium", "vote", "1", cwd=tmp_path).code == 2
