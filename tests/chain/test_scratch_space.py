"""Assembly that borrows memory from 0x80 on: sound only where the compiler keeps no variables of its own there."""

from __future__ import annotations

import pytest

from chain.compile import load_artifact

FREE_FROM_0X80 = ("0x6080604052", "0x608080604052")
"""How code begins whose free memory starts at 0x80: mstore(0x40, 0x80). One that spills variables reserves more."""


@pytest.mark.parametrize("contract", ["RewardDistributor", "DisputeCourt"])
def test_contracts_that_climb_sum_trees_keep_no_variables_in_memory(contract: str):
    assert load_artifact(contract)["deployedBytecode"].startswith(FREE_FROM_0X80)


def test_one_that_keeps_some_would_be_told():
    assert not load_artifact("ContributionLedger")["deployedBytecode"].startswith(FREE_FROM_0X80)
