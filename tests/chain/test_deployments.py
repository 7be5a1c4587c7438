"""Deployments are recorded by chain id, checked against the node, and never half-written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from chain_world import World
from web3 import Web3

from chain.connect import connect
from chain.contracts import open_contracts
from chain.creations import create_contract
from chain.deploy import DeployConfig, check_wiring, deploy
from chain.deployments import load_deployment, read_deployment
from chain.errors import ChainError, NotDeployed
from chain.keys import Key, development_key, fund
from chain.node import AnvilNode
from chain.sender import Sender
from incentives.default_rule import DEFAULT_RULE

pytestmark = pytest.mark.node


def test_contracts_name_each_other_and_hold_the_configuration(world: World):
    contracts, config = world.contracts, DeployConfig.local(DEFAULT_RULE, k_min=5)
    check_wiring(contracts)
    assert contracts.ledger.params() == config.ledger_params()
    rule = contracts.ledger.rule(1)
    assert all(getattr(rule, name) == getattr(DEFAULT_RULE, name) for name in rule.__dataclass_fields__)
    assert contracts.token.minter() == contracts.distributor.address
    assert contracts.desk.min_fulfil_seconds() == config.min_fulfil_seconds
    assert contracts.desk.min_buyer_seconds() == config.min_buyer_seconds
    assert contracts.settlement.balance_of(world.governance.address) > 0
    assert (contracts.token.symbol(), contracts.token.decimals()) == ("FEDI", 18)
    assert contracts.token.max_supply() == config.max_supply


def test_deployment_is_found_again(world: World, tmp_path: Path, w3: Web3):
    deployment = world.contracts.deployment
    path = deployment.save(tmp_path / "deployments")
    assert path.name == "31337.json"
    assert load_deployment(tmp_path / "deployments", w3) == deployment
    assert [item.name for item in path.parent.iterdir()] == ["31337.json"]
    recorded = json.loads(path.read_text())["config"]
    assert int(recorded["max_supply"]) == world.ledger.params().max_supply
    assert recorded["rule"]["w_quality"] == DEFAULT_RULE.w_quality


def test_fresh_node_is_not_taken_for_the_one_deployed_to(world: World, tmp_path: Path):
    world.contracts.deployment.save(tmp_path)
    with AnvilNode() as node:
        w3 = connect(node.url)
        with pytest.raises(NotDeployed, match="run `fediomt deploy`"):
            load_deployment(tmp_path, w3)
        same_genesis = replace(
            world.contracts.deployment, genesis="0x" + bytes(w3.eth.get_block(0)["hash"]).hex()
        )
        same_genesis.save(tmp_path)
        with pytest.raises(NotDeployed, match="there is no authority contract at 0x"):
            load_deployment(tmp_path, w3)
        contracts = open_contracts(w3, same_genesis)
        with pytest.raises(NotDeployed, match="there is no ContributionLedger at"):
            contracts.ledger.current_round()
        assert not contracts.ledger.has_code()


def test_other_chain_has_no_deployment(world: World, tmp_path: Path):
    world.contracts.deployment.save(tmp_path)
    with pytest.raises(NotDeployed, match="no contracts are recorded for chain 1337"):
        read_deployment(tmp_path, 1337)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"chain_id": 31337}', "\x00"])
def test_damaged_record_is_named(tmp_path: Path, content: str):
    (tmp_path / "31337.json").write_text(content)
    with pytest.raises(NotDeployed, match=r"31337\.json is not a record of deployed contracts"):
        read_deployment(tmp_path, 31337)


def test_record_of_another_chain_or_with_a_bad_address_is_refused(world: World, tmp_path: Path):
    deployment = world.contracts.deployment
    replace(deployment, chain_id=5).save(tmp_path).rename(tmp_path / "31337.json")
    with pytest.raises(NotDeployed, match="is about chain 5"):
        read_deployment(tmp_path, 31337)
    replace(deployment, desk="0x12").save(tmp_path)
    with pytest.raises(NotDeployed, match="not a record"):
        read_deployment(tmp_path, 31337)


def test_record_that_cannot_be_written_is_said(world: World, tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(ChainError, match="cannot write"):
        world.contracts.deployment.save(blocked)


def test_instant_phases_are_for_local_chains_only(w3: Web3):
    governance = Sender(w3, development_key(9))
    config = DeployConfig.local(DEFAULT_RULE).instant()
    assert open_contracts(w3, deploy(governance, config)).ledger.params().ready_seconds == 0


def test_foreign_chain_needs_a_settlement_token_and_real_durations():
    with AnvilNode(chain_id=2018, zero_gas=True) as node:
        governance = Sender(connect(node.url), Key.random())
        with pytest.raises(ChainError, match="name the settlement token"):
            deploy(governance, DeployConfig(DEFAULT_RULE))
        config = replace(DeployConfig(DEFAULT_RULE), settlement="0x" + "33" * 20)
        with pytest.raises(ChainError, match="there is no token at 0x3333"):
            deploy(governance, config)
        config = replace(
            config, settlement=create_contract(governance, "ParticipationToken", "0x" + "33" * 20, 9)
        )
        with pytest.raises(ChainError, match="a duration is zero"):
            deploy(governance, config.instant())
        deployment = deploy(governance, config)
        assert (deployment.chain_id, deployment.settlement) == (2018, config.settlement)


def test_parameters_out_of_range_are_named(w3: Web3):
    key = Key.random()
    fund(w3, [key.address], 10**18)
    with pytest.raises(ChainError, match="deployment parameter kMin is out of range"):
        deploy(Sender(w3, key), DeployConfig.local(DEFAULT_RULE, k_min=0))
