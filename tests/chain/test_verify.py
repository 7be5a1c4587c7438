"""Deployed code is compared with the sources byte by byte, and its immutables with the deployment's record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_world import World

from chain.compile import artifact_names, load_artifact
from chain.contracts import open_contracts
from chain.deploy import DeployConfig, deploy
from chain.errors import ChainError
from chain.immutables import deployment_times, expected_immutables
from chain.keys import development_key
from chain.rpc import request
from chain.sender import Sender
from chain.verify import NAMES, first_difference, verify_code
from incentives import DEFAULT_RULE

ARTIFACTS = {name: load_artifact(name) for name in artifact_names()}
FIELDS = [field for field in NAMES if field != "disclosed_tree"]


def problems(contracts) -> dict[str, str]:
    found = verify_code(contracts, ARTIFACTS)
    return {check.field: check.problem for check in found if check.problem is not None}


def changed(code: bytes, place: int) -> bytes:
    return code[:place] + bytes([code[place] ^ 1]) + code[place + 1 :]


def code_at(world: World, address: str) -> bytes:
    return bytes.fromhex(request(world.w3, "eth_getCode", address, "latest")[2:])


def set_code(world: World, address: str, code: bytes) -> None:
    request(world.w3, "anvil_setCode", address, "0x" + code.hex())


@pytest.mark.node
def test_what_was_deployed_is_what_the_sources_compile_to(world: World):
    checks = verify_code(world.contracts, ARTIFACTS)
    assert [check.field for check in checks] == FIELDS
    assert first_difference(checks, world.contracts.deployment) is None


@pytest.mark.node
@pytest.mark.parametrize("field", FIELDS)
def test_one_changed_byte_of_any_contract_is_named_with_its_place(world: World, field: str):
    address = world.contracts.deployment.addresses()[field]
    code = code_at(world, address)
    references = load_artifact(NAMES[field])["immutableReferences"].values()
    taken = {p for r in references for x in r for p in range(x["start"], x["start"] + x["length"])}
    place = next(p for p in range(len(code) // 2, len(code)) if p not in taken)
    set_code(world, address, changed(code, place))
    assert problems(world.contracts) == {field: f"its code differs from byte {place} on"}
    line = first_difference(verify_code(world.contracts, ARTIFACTS), world.contracts.deployment)
    assert line is not None
    assert f"the {field} contract at {address} on chain 31337 is not {NAMES[field]}" in line


@pytest.mark.node
def test_every_immutable_is_compared_with_the_record(world: World):
    deployment = world.contracts.deployment
    expected = expected_immutables(deployment)
    for field in FIELDS:
        name, address = NAMES[field], deployment.addresses()[field]
        code = code_at(world, address)
        for immutable, places in load_artifact(name)["immutableReferences"].items():
            assert immutable in deployment_times() or immutable in expected[name]
            tampered = code
            for place in places:
                tampered = changed(tampered, place["start"] + place["length"] - 1)
            if immutable in deployment_times():  # one second off is still a time since the deployment
                for place in places:
                    tampered = changed(tampered, place["start"] + place["length"] - 5)
            set_code(world, address, tampered)
            assert immutable in problems(world.contracts)[field]
        set_code(world, address, code)
    assert problems(world.contracts) == {}


@pytest.mark.node
def test_an_immutable_that_differs_at_one_of_its_places_is_noticed(world: World):
    address = world.contracts.deployment.ledger
    places = load_artifact("ContributionLedger")["immutableReferences"]["LedgerBase.consortium"]
    code = code_at(world, address)
    set_code(world, address, changed(code, places[0]["start"] + 31))
    assert problems(world.contracts) == {"ledger": "LedgerBase.consortium has several values in its code"}


@pytest.mark.node
def test_missing_and_longer_code_are_said(world: World):
    address = world.contracts.deployment.desk
    code = code_at(world, address)
    set_code(world, address, code + b"\0")
    assert problems(world.contracts) == {
        "desk": f"its code has {len(code) + 1} bytes, the sources' {len(code)}"
    }
    set_code(world, address, b"")
    assert problems(world.contracts) == {"desk": "there is no code"}


@pytest.mark.node
def test_a_record_with_another_parameter_does_not_verify(world: World):
    deployment = world.contracts.deployment
    other = replace(deployment, config={**deployment.config, "exit_seconds": 1})
    found = problems(open_contracts(world.w3, other))
    assert found == {
        "consortium": f"ConsortiumBase.exitSeconds is {deployment.config['exit_seconds']}, the record says 1"
    }
    lacking = {name: value for name, value in deployment.config.items() if name != "exit_seconds"}
    with pytest.raises(ChainError, match="lacks a proper exit_seconds"):
        problems(open_contracts(world.w3, replace(deployment, config=lacking)))


@pytest.mark.node
def test_the_tree_of_disclosed_entries_is_verified_and_a_foreign_settlement_token_is_not(world: World):
    settlement = world.contracts.deployment.settlement
    config = replace(DeployConfig.local(DEFAULT_RULE), disclosed=True, settlement=settlement)
    contracts = open_contracts(world.w3, deploy(Sender(world.w3, development_key(0)), config))
    checks = {check.field: check for check in verify_code(contracts, ARTIFACTS)}
    assert all(check.problem is None for check in checks.values())
    assert checks["settlement"].contract is None
    tree = checks["disclosed_tree"]
    assert tree.address == contracts.deployment.disclosed_tree
    set_code(world, tree.address, changed(code_at(world, tree.address), 100))
    assert problems(contracts) == {"disclosed_tree": "its code differs from byte 100 on"}


@pytest.mark.node
def test_sources_without_a_contract_are_said(world: World):
    partial = {name: artifact for name, artifact in ARTIFACTS.items() if name != "Council"}
    with pytest.raises(ChainError, match="the sources have no contract Council"):
        verify_code(world.contracts, partial)
