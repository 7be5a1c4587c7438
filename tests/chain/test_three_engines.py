"""One story on Anvil, Hardhat and py-evm: what the contracts decide, and what each call costs, is the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from chain_world import ETHER
from engine_story import ACCUSED, CHALLENGER, PAID, PROVIDER, Case, Outcome, tell

from chain.anvil import free_port
from chain.connect import connect
from chain.daemon import start_daemon, stop_daemon
from chain.errors import EngineMissing
from chain.phases import CaseOutcome, OrderStatus

pytestmark = pytest.mark.node

Told = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The story's outcome on an engine, told there once."""

    @cache
    def on(engine: str) -> Outcome:
        if engine == "eth-tester":
            return in_process()
        return on_a_node(engine, tmp_path_factory.mktemp(engine))

    return on


def in_process() -> Outcome:
    pytest.importorskip("eth_tester", reason="eth-tester and py-evm are not installed: run make setup")
    from eth_tester_node import connect_in_process

    return tell(connect_in_process())


def on_a_node(engine: str, home: Path) -> Outcome:
    try:
        up = start_daemon(home, engine=engine, port=free_port())
    except EngineMissing as error:
        pytest.skip(str(error))
    try:
        return tell(connect(str(up.url), chain_id=31337))
    finally:
        stop_daemon(home)


@pytest.mark.parametrize("engine", ["anvil", "hardhat", "eth-tester"])
def test_the_story_ends_as_the_contracts_promise(told: Told, engine: str):
    outcome = told(engine)
    allocated = {item.hospital: item.amount for item in outcome.allocations}
    assert set(allocated) == {1, 2, 3, 4}
    assert outcome.voided == {ACCUSED: allocated[ACCUSED]}
    assert outcome.cases == (
        Case(1, ACCUSED, CaseOutcome.VOIDED, frozenset({PAID, PROVIDER}), frozenset({PAID, PROVIDER})),
    )
    assert [item.settled for item in outcome.challenges] == [True]
    assert outcome.settlement[f"hospital {CHALLENGER}"] == 100 * ETHER
    (device,), (treasury,) = outcome.claimed, outcome.treasury
    assert device[2] + treasury[2] == outcome.minted <= allocated[PAID]
    assert outcome.tokens[f"hospital {PROVIDER}"] == device[2] // 2
    assert outcome.tokens["device"] == device[2] - device[2] // 2
    assert [status for _, _, status in outcome.orders] == [OrderStatus.PAID]
    assert outcome.refusal.endswith("leave that round out (AlreadyClaimed)")
    assert outcome.findings == ()


@pytest.mark.parametrize("engine", ["hardhat", "eth-tester"])
def test_state_and_gas_are_those_of_anvil(told: Told, engine: str):
    outcome, anvil = told(engine), told("anvil")
    assert outcome.gas == anvil.gas
    assert outcome == anvil
