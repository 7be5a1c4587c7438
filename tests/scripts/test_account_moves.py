"""A hospital goes on with another account: the old key names it, the new key accepts, and nobody else can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import assert_one_line_error, fediomt

from chain.connect import connect
from chain.contracts import open_contracts
from chain.deploy import DeployConfig
from chain.deployments import load_deployment
from chain.errors import EngineMissing
from chain.keys import Key, development_keys, fund
from chain.keystore import save_key
from chain.node import AnvilNode
from incentives import DEFAULT_RULE
from scripts.federation.consortium import found_consortium
from scripts.federation.keyring import DevelopmentKeyring

pytestmark = pytest.mark.node

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    try:
        with AnvilNode() as node:
            yield node.url
    except EngineMissing as error:
        pytest.skip(str(error))


def test_a_hospital_goes_on_with_another_account(tmp_path: Path, url: str):
    w3 = connect(url)
    keyring = DevelopmentKeyring(31337)
    consortium = found_consortium(
        w3, keyring, DeployConfig.local(DEFAULT_RULE), capacities_bps=[2_500] * 4
    ).contracts
    consortium.deployment.save(tmp_path / ".fediomt" / "deployments")
    new, stranger = Key.random(), Key.random()
    fund(w3, [new.address, stranger.address], 10**18)
    for folder, key in (("new", new), ("stranger", stranger)):
        save_key(tmp_path / folder / "hospital-2.json", key, PASSWORD, light=True)

    def run(*arguments: str):
        return fediomt(
            "consortium", *arguments, "--hospital", "2", "--url", url, cwd=tmp_path, FEDIOMT_PASSWORD=PASSWORD
        )

    def ask(*arguments: str):
        outcome = run(*arguments, "--json")
        assert outcome.code == 0, outcome
        return json.loads(outcome.out)

    old = keyring.hospital(2).address
    assert_one_line_error(run("accept", "--keystore", "new"), "hospital 2 did not propose", new.address)
    assert ask("move", new.address) == {"hospital": 2, "account": old, "next_account": new.address}
    assert ask("move", "none")["next_account"] is None
    assert f"{new.address} may accept" in run("move", new.address).out
    assert_one_line_error(run("accept", "--keystore", "stranger"), stranger.address)
    assert ask("accept", "--keystore", "new") == {"hospital": 2, "account": new.address, "next_account": None}
    known = open_contracts(w3, load_deployment(tmp_path / ".fediomt" / "deployments", w3)).consortium
    assert known.hospital_id_of(new.address) == 2
    assert known.hospital_id_of(old) == 0
    assert_one_line_error(run("move", stranger.address), old)
    assert_one_line_error(run("move", "0x12", "--keystore", "new"), "is not an address")


def test_a_hospital_that_is_not_there_is_said(tmp_path: Path, url: str):
    w3 = connect(url)
    config = DeployConfig.local(DEFAULT_RULE)
    made = found_consortium(w3, DevelopmentKeyring(31337), config, capacities_bps=[2_500] * 4)
    made.contracts.deployment.save(tmp_path / ".fediomt" / "deployments")
    outcome = fediomt(
        "consortium", "move", development_keys(1)[0].address, "--hospital", "9", "--url", url, cwd=tmp_path
    )
    assert_one_line_error(outcome, "there is no hospital 9: ids are 1 to 4")
