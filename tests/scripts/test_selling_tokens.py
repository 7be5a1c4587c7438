"""`fediomt tokens sell` and `fund` on a real node: a hospital sells, the epoch ends, the reserve pays."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command_line import fediomt

from chain.connect import connect
from chain.errors import EngineMissing
from chain.keys import development_key, fund
from chain.node import AnvilNode

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chain"))

from chain_world import ETHER, play_round, raise_world

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """A command against a deployment in which the command line's hospital 1 holds a hundred tokens."""
    folder = tmp_path_factory.mktemp("desk")
    try:
        node = AnvilNode()
    except EngineMissing as error:
        pytest.skip(str(error))
    with node as running:
        world = raise_world(connect(running.url, chain_id=31337))
        play_round(world)
        world.contracts.distributor.claim_treasury(world.hospitals[1], 1, [1])
        world.contracts.token.transfer(world.hospitals[1], development_key(11).address, 100 * ETHER)
        fund(world.w3, [development_key(10 + number).address for number in range(1, 4)], ETHER)
        world.contracts.deployment.save(folder / ".fediomt" / "deployments")

        def command(*arguments: str):
            return fediomt("tokens", *arguments, "--url", running.url, cwd=folder)

        yield command


def read(outcome):
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


def test_a_hospital_sells_and_is_paid_out_of_the_reserve(ask):
    assert read(ask("fund", "20", "--json"))["reserve"] == 20
    queued = read(ask("sell", "25", "--min-out", "5", "--hospital", "1", "--json"))
    assert (queued["status"], queued["paid"]) == ("queued", None)
    early = ask("sell", "--collect", "--hospital", "1")
    assert early.code == 1
    assert "--wait" in early.err
    settled = read(ask("sell", "--settle", "--wait", "--hospital", "2", "--json"))
    assert (settled["sold"], settled["price"]) == (25, 0.8)
    (paid,) = read(ask("sell", "--collect", "--hospital", "1", "--json"))
    assert (paid["status"], paid["paid"]) == ("paid", 20)
    listed = read(ask("sell", "list", "--json"))
    assert (listed["reserve"], listed["owed"], listed["requests"][0]) == (0, 0, paid)
    assert read(ask("supply", "--json"))["burnt"] == 25
    assert "requester" in ask("sell", "list").out


def test_a_request_is_taken_back(ask):
    queued = read(ask("sell", "1", "--min-out", "0.5", "--hospital", "1", "--json"))
    cancelled = read(ask("sell", "--cancel", str(queued["request"]), "--hospital", "1", "--json"))
    assert cancelled["status"] == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sell",), "give one of"),
        (("sell", "1", "--settle"), "give one of"),
        (("sell", "1", "--hospital", "1"), "--min-out"),
        (("sell", "1", "--min-out", "1"), "--hospital"),
        (("sell", "1", "--min-out", "1", "--hospital", "9"), "ids are 1 to 4"),
        (("sell", "many", "--min-out", "1", "--hospital", "1"), "no amount"),
        (("sell", "-1", "--min-out", "1", "--hospital", "1"), ""),
        (("sell", "1", "--min-out", "0", "--hospital", "1"), "above 0"),
        (("sell", "1", "--min-out", "2", "--hospital", "1"), "price cap pays"),
        (("sell", "1000000", "--min-out", "1", "--hospital", "1"), "earn or receive"),
        (("sell", "--collect", "--hospital", "3"), "no request in the queue"),
        (("fund", "1e30"), "no amount"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(ask, arguments, words):
    outcome = ask(*arguments)
    assert outcome.code in {1, 2}
    assert words in outcome.err
    assert "Traceback" not in outcome.err
