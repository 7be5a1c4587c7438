"""`deploy` and `claim` that are killed between a transaction and its receipt, and run again, send each once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import assert_one_line_error, fediomt
from faulty_proxy import FaultyProxy, faulty_proxy
from killed_commands import KILLED, killed_at

from chain.connect import connect
from chain.contracts import Contracts, open_contracts
from chain.deployments import load_deployment
from chain.errors import EngineMissing
from chain.node import AnvilNode
from chain.rpc import request
from scripts.federation.keyring import DevelopmentKeyring

pytestmark = pytest.mark.node

HOSPITALS = 3
DEPLOY = ("deploy", "--hospitals", str(HOSPITALS), "--k-min", "3")
TRAIN = ("train", "--hospitals", str(HOSPITALS), "--devices", "6", "--cohort-size", "4", "--k-min", "3")
TRAIN += ("--epsilon", "inf", "--seed", "3", "--rounds", "2")


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    try:
        with AnvilNode() as node, faulty_proxy(node.url) as between:
            yield between
    except EngineMissing as error:
        pytest.skip(str(error))


def contracts(proxy: FaultyProxy, folder: Path) -> Contracts:
    w3 = connect(proxy.url)
    return open_contracts(w3, load_deployment(folder / ".fediomt" / "deployments", w3))


def sent(proxy: FaultyProxy) -> list[int]:
    """How many transactions of operator, coordinator and hospitals are in blocks."""
    keys, w3 = DevelopmentKeyring(31337), connect(proxy.url)
    accounts = [keys.operator(), keys.coordinator(), *(keys.hospital(h) for h in range(1, HOSPITALS + 1))]
    return [int(request(w3, "eth_getTransactionCount", key.address, "latest"), 16) for key in accounts]


def undisturbed(proxy: FaultyProxy, *arguments: str, cwd: Path) -> list[int]:
    """How many transactions each account sends in a command that nobody kills; the chain is set back afterwards."""
    w3, before = connect(proxy.url), sent(proxy)
    mark = request(w3, "evm_snapshot")
    outcome = fediomt(*arguments, "--url", proxy.url, cwd=cwd)
    assert outcome.code == 0, outcome
    after = sent(proxy)
    assert request(w3, "evm_revert", mark)
    return [now - then for now, then in zip(after, before, strict=True)]


def left(folder: Path) -> list[Path]:
    return list((folder / ".fediomt" / "outbox").rglob("*.json"))


def kill_until_done(proxy: FaultyProxy, *arguments: str, cwd: Path, every: int) -> int:
    """Run a command until it ends by itself, each time killed at its n-th transaction; how often it was killed."""
    for kills in range(100):
        code = killed_at(proxy, every, *arguments, cwd=cwd, lost=kills % 2 == 1)
        if code != KILLED:
            assert code == 0
            return kills
    raise AssertionError("it makes no progress")


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_deploy_killed_again_and_again_sends_each_transaction_once(
    tmp_path: Path, proxy: FaultyProxy, every: int
):
    (tmp_path / "other").mkdir()
    due = undisturbed(proxy, *DEPLOY, cwd=tmp_path / "other")
    kills = kill_until_done(proxy, *DEPLOY, cwd=tmp_path, every=every)
    assert kills >= sum(due) // (every + 1)
    assert sent(proxy) == due
    made = contracts(proxy, tmp_path)
    assert all(hospital.active for hospital in made.consortium.hospitals())
    assert made.council.execution_delay() == 0  # it governs
    assert left(tmp_path) == []
    assert [path.name for path in (tmp_path / ".fediomt" / "deployments").iterdir()] == ["31337.json"]
    again = fediomt(*DEPLOY, "--json", "--url", proxy.url, cwd=tmp_path)
    assert not json.loads(again.out)["new"]
    assert sent(proxy) == due


def test_interrupted_deploy_with_other_options_begins_anew(tmp_path: Path, proxy: FaultyProxy):
    assert killed_at(proxy, 4, *DEPLOY, cwd=tmp_path) == KILLED
    outcome = fediomt(*DEPLOY, "--openings", "3", "--url", proxy.url, cwd=tmp_path)
    assert outcome.code == 0, outcome
    assert contracts(proxy, tmp_path).court.openings() == 3


@pytest.mark.parametrize(
    ("killed", "other"),
    [
        (1, ("--k-min", "4")),
        (5, ("--arbitration-hours", "30")),
        pytest.param(1, ("--capacity", "8.2"), marks=pytest.mark.slow),
        pytest.param(13, ("--k-min", "4"), marks=pytest.mark.slow),
    ],
)
def test_what_another_home_deployed_meanwhile_is_not_taken_for_the_interrupted_deployment(
    tmp_path: Path, proxy: FaultyProxy, killed: int, other: tuple[str, str]
):
    (tmp_path / "other").mkdir()
    assert killed_at(proxy, killed, *DEPLOY, cwd=tmp_path, lost=True) == KILLED
    for left_over in left(tmp_path):  # as if the transaction had been lost with its outbox
        left_over.unlink()
    assert fediomt(*DEPLOY, *other, "--url", proxy.url, cwd=tmp_path / "other").code == 0
    resumed = fediomt(*DEPLOY, "--url", proxy.url, cwd=tmp_path)
    if resumed.code != 0:
        assert_one_line_error(resumed, "another program sent with the deployer's key", "deploy again")
        assert fediomt(*DEPLOY, "--url", proxy.url, cwd=tmp_path).code == 0
    made = contracts(proxy, tmp_path)
    assert made.deployment.config["k_min"] == made.ledger.params().k_min == 3
    assert made.deployment.config["arbitration_seconds"] == made.desk.call("arbitrationSeconds")
    assert [hospital.capacity_bps for hospital in made.consortium.hospitals()] == [3_333] * HOSPITALS


def test_fresh_deployment_is_not_taken_for_the_one_before_it(tmp_path: Path, proxy: FaultyProxy):
    assert fediomt(*DEPLOY, "--url", proxy.url, cwd=tmp_path).code == 0
    first = contracts(proxy, tmp_path).deployment
    assert killed_at(proxy, 4, *DEPLOY, "--fresh", cwd=tmp_path) == KILLED
    assert contracts(proxy, tmp_path).deployment == first
    assert fediomt(*DEPLOY, "--fresh", "--url", proxy.url, cwd=tmp_path).code == 0
    second = contracts(proxy, tmp_path).deployment
    assert set(first.addresses().values()).isdisjoint(second.addresses().values())
    assert fediomt(*DEPLOY, "--fresh", "--url", proxy.url, cwd=tmp_path).code == 0
    assert contracts(proxy, tmp_path).deployment not in (first, second)


def test_claim_killed_again_and_again_pays_each_leaf_and_treasury_once(tmp_path: Path, proxy: FaultyProxy):
    assert fediomt(*DEPLOY, "--url", proxy.url, cwd=tmp_path).code == 0
    trained = fediomt(*TRAIN, "--url", proxy.url, cwd=tmp_path)
    assert trained.code == 0, trained
    made = contracts(proxy, tmp_path)
    mark = request(made.token.w3, "evm_snapshot")
    assert fediomt("claim", "--url", proxy.url, cwd=tmp_path).code == 0
    due = sent(proxy), made.token.total_minted()
    assert request(made.token.w3, "evm_revert", mark)
    assert made.token.total_minted() == 0
    assert kill_until_done(proxy, "claim", cwd=tmp_path, every=2) > 2
    assert (sent(proxy), made.token.total_minted()) == due
    assert left(tmp_path) == []
    assert "nothing is left to claim" in fediomt("claim", "--url", proxy.url, cwd=tmp_path).out


def test_options_that_cannot_change_what_is_deployed_are_refused(tmp_path: Path, proxy: FaultyProxy):
    def run(*options: str):
        return fediomt("deploy", *options, "--url", proxy.url, cwd=tmp_path)

    assert run("--hospitals", "3", "--k-min", "3").code == 0
    count = sent(proxy)
    for option, value in (
        ("--k-min", "4"),
        ("--openings", "3"),
        ("--capacity", "10"),
        ("--challenge-bond", "7"),
        ("--case-hours", "0.5"),
        ("--arbitration-hours", "30"),
        ("--settlement", "0x" + "33" * 20),
    ):
        refused = run("--hospitals", "3", option, value)
        assert_one_line_error(refused, "there already", option, "--fresh")
    assert_one_line_error(run("--hospitals", "5"), "3 hospitals are there already", "--fresh")
    assert_one_line_error(run("--verify", "--fresh"), "--verify deploys nothing", "--fresh")
    assert run("--hospitals", "3", "--k-min", "3", "--openings", "8", "--slash", "500").code == 0
    assert sent(proxy) == count


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--capacity", "0.005", "choose 0.01 to 100"),
        ("--capacity", "nan", "choose 0.01 to 100"),
        ("--case-hours", "0", "give 1 to"),
        ("--case-hours", "1000", "third of max_freeze_seconds"),
        ("--openings", "64", "give 1 to 63"),
        ("--openings", "0", "give 1 to 63"),
        ("--slash", "0", "more than 0"),
        ("--voting-hours", "0", "give 1 to"),
    ],
)
def test_what_no_contract_would_take_is_refused_before_anything_is_sent(
    tmp_path: Path, proxy: FaultyProxy, option: str, value: str, words: str
):
    before = sent(proxy)
    assert_one_line_error(fediomt("deploy", option, value, "--url", proxy.url, cwd=tmp_path), words)
    assert sent(proxy) == before
