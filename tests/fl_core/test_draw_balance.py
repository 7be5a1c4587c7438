"""How evenly the draws of many rounds mix a hospital's devices: what decoding single devices from sums rests on."""

import numpy as np
import pytest

from fl_core.cohorts import beacon_of_run, draw_cohorts

DEVICES, SIZE, HOSPITAL = 48, 10, 3
COHORTS = DEVICES // SIZE


def memberships(rounds, seed=0, *, devices=DEVICES, size=SIZE):
    """Which cohort each device is in, int (rounds, devices)."""
    found = np.full((rounds, devices), -1)
    for number in range(rounds):
        drawn = draw_cohorts(
            beacon_of_run(seed, number), HOSPITAL, [0] * devices, cohort_size=size, k_min=size
        )
        for index, cohort in enumerate(drawn):
            assert (found[number, list(cohort.positions)] == -1).all()
            found[number, list(cohort.positions)] = index
    assert (found >= 0).all()
    return found


def met(found):
    """How often each pair was in one cohort, the pairs of i < j."""
    together = (found[:, :, None] == found[:, None, :]).sum(axis=0)
    return together[np.triu_indices(found.shape[1], 1)]


@pytest.mark.parametrize("size", [10, 16, 24])
def test_every_round_deals_each_device_once_into_cohorts_that_differ_by_one_member_at_most(size):
    for row in memberships(20, size=size):
        sizes = np.bincount(row)
        assert len(sizes) == DEVICES // size
        assert sizes.max() - sizes.min() <= 1


def test_pairs_meet_as_often_as_chance_has_it_and_no_pair_never_or_always():
    rounds = 400
    sizes = np.bincount(memberships(1)[0])
    chance = (sizes * (sizes - 1)).sum() / (DEVICES * (DEVICES - 1))
    count = met(memberships(rounds))
    assert count.mean() == pytest.approx(rounds * chance)
    assert count.std() == pytest.approx(np.sqrt(rounds * chance * (1 - chance)), rel=0.1)
    assert np.abs(count - rounds * chance).max() < 5 * np.sqrt(rounds * chance * (1 - chance))


def test_a_device_is_as_often_in_each_cohort_as_the_cohort_is_large():
    rounds = 400
    found = memberships(rounds)
    share = np.bincount(found[0]) / DEVICES
    often = np.stack([(found == index).sum(axis=0) for index in range(COHORTS)], axis=1)
    expected = rounds * share
    chi_square = ((often - expected) ** 2 / expected).sum(axis=1)
    assert chi_square.mean() == pytest.approx(COHORTS - 1, rel=0.25)


def test_who_met_before_says_nothing_about_who_meets_next():
    # what the test of suspicion rests on: given the past, a device may be anywhere
    found = memberships(600)
    past, future = met(found[:300]), met(found[300:])
    assert abs(np.corrcoef(past, future)[0, 1]) < 4 / np.sqrt(len(past))


@pytest.mark.parametrize("size", [10, 16, 24])
def test_a_round_adds_an_equation_for_each_cohort_but_one_until_every_device_is_determined(size):
    # levels of rounds are unknown, so that only differences between a round's cohorts tell devices apart
    cohorts = DEVICES // size
    needed = -(-(DEVICES - 1) // (cohorts - 1))
    rows = []
    for row in memberships(needed + 4, size=size):
        design = np.eye(cohorts)[row].T / np.bincount(row)[:, None]
        rows.append(design[1:] - design[0])
        rank = np.linalg.matrix_rank(np.concatenate(rows))
        assert rank <= min(DEVICES - 1, len(rows) * (cohorts - 1))
        if len(rows) * (cohorts - 1) < 0.8 * DEVICES:
            assert rank == len(rows) * (cohorts - 1)
    assert rank == DEVICES - 1
