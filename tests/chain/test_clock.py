"""Time is moved on local nodes and waited for elsewhere, and the output says which."""

from __future__ import annotations

import pytest
from web3 import Web3

from chain.clock import LocalClock, RealClock, clock_for, head
from chain.connect import connect
from chain.errors import ClockError
from chain.node import AnvilNode

pytestmark = pytest.mark.node


def test_local_clock_moves_to_the_time_asked_for(w3: Web3):
    clock = clock_for(w3)
    assert isinstance(clock, LocalClock)
    later = clock.now() + 86_400
    clock.wait_until(later)
    assert later <= clock.now() <= later + 3_600
    block, _ = head(w3)
    clock.wait_until(later)
    assert head(w3)[0] == block
    clock.wait_blocks(3)
    assert head(w3)[0] == block + 3
    assert "clock is moved" in clock.describe()


def test_real_clock_waits(w3: Web3):
    clock = RealClock(w3, poll_s=0.05)
    block, now = head(w3)
    clock.wait_until(now + 1)
    assert clock.now() >= now + 1
    block, _ = head(w3)
    clock.wait_blocks(2)
    assert head(w3)[0] >= block + 2
    assert "real time" in clock.describe()


def test_clocks_off_the_local_chains_only_wait():
    with AnvilNode(chain_id=2018) as node:
        w3 = connect(node.url)
        assert isinstance(clock_for(w3), RealClock)
        with pytest.raises(ClockError, match="chain 2018 is not a local one"):
            LocalClock(w3)
        with pytest.raises(ClockError, match="has made no block"):
            RealClock(w3, poll_s=0.01, patience_s=0.05).wait_blocks(1)
