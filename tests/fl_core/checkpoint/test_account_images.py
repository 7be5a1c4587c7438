"""A privacy account comes back from a checkpoint with every charge, at three numbers a charge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fl_core.checkpoint import Checkpoint, CheckpointError, Snapshot, account_from, account_snapshot
from fl_core.checkpoint.image import decode, encode
from fl_core.privacy import Accountant, Budget, Charge, PrivacyBudgetError, RoundExposure, Sensitivity

EXPOSURE = RoundExposure(Sensitivity(90.5, 7.25), unmasked=1e5, edge=1e6, release=2e6, distance=1e-12)


def account_of(rounds, budget_rounds=200):
    charges = tuple(Charge(number, number % 2, "update", EXPOSURE) for number in range(1, rounds + 1))
    return Accountant(Budget(8.0, 1e-5, budget_rounds), charges)


def through_a_file(snapshot):
    whole = Checkpoint("run", 1, Snapshot(parts={"account": snapshot}))
    return decode(b"".join(encode(whole))).state.part("account")


@pytest.mark.parametrize("rounds", [0, 1, 100])
def test_an_account_comes_back_with_every_charge(rounds):
    account = account_of(rounds)
    found = account_from(through_a_file(account_snapshot(account)))
    assert found.to_json() == account.to_json()
    assert found.charges == account.charges
    assert found.budget == account.budget


def test_charges_of_different_kinds_stay_apart():
    other = replace(account_of(1).charges[0], purpose="statistics")
    account = Accountant(Budget(8.0, 1e-5, 9, edge_epsilon=12.0), (*account_of(2).charges, other))
    snapshot = account_snapshot(account)
    assert sorted(set(snapshot.arrays["charges"][:, 2])) == [0, 1]
    assert account_from(through_a_file(snapshot)).charges == account.charges


def test_what_is_stated_does_not_grow_with_the_rounds():
    few, many = account_snapshot(account_of(1)), account_snapshot(account_of(100))
    assert few.values == many.values
    assert many.arrays["charges"].shape == (100, 3)


def test_a_restored_account_still_refuses_what_would_overspend():
    account = account_from(through_a_file(account_snapshot(account_of(3, budget_rounds=3))))
    with pytest.raises(PrivacyBudgetError, match="3 rounds"):
        account.charge(Charge(4, 0, "update", EXPOSURE))


def test_a_malformed_account_is_refused():
    good = account_snapshot(account_of(2))
    for arrays, match in (
        ({}, "not in the form"),
        ({"charges": np.zeros((2, 2), np.int64)}, "not in the form"),
        ({"charges": np.full((1, 3), 7, np.int64)}, "kind 7"),
    ):
        with pytest.raises(CheckpointError, match=match):
            account_from(replace(good, arrays=arrays))
