from collections import Counter

import pytest

from fl_core.errors import SpecError
from fl_core.simulation.faults import Death, RandomFaults


def schedule(faults, rounds=40):
    return [faults.death(r, h, i) for r in range(1, rounds + 1) for h in (1, 2, 3) for i in range(10)]


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another():
    assert schedule(RandomFaults(0.3, 1)) == schedule(RandomFaults(0.3, 1))
    assert schedule(RandomFaults(0.3, 1)) != schedule(RandomFaults(0.3, 2))


def test_devices_fail_at_the_rate_that_was_asked_for_and_at_every_stage():
    counts = Counter(schedule(RandomFaults(0.5, 3)))
    total = sum(counts.values())
    assert abs(counts[Death.NEVER] / total - 0.5) < 0.08
    failed = total - counts[Death.NEVER]
    assert set(counts) == set(Death)
    assert all(abs(counts[death] / failed - 1 / 6) < 0.07 for death in Death if death is not Death.NEVER)


def test_at_rate_zero_nobody_fails_and_at_rate_one_everybody():
    assert set(schedule(RandomFaults(0.0, 1))) == {Death.NEVER}
    assert Death.NEVER not in schedule(RandomFaults(1.0, 1))


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_rate_that_is_no_probability_is_refused(rate):
    with pytest.raises(SpecError, match="dropout rate"):
        RandomFaults(rate, 1)


def test_a_negative_seed_is_refused():
    with pytest.raises(SpecError, match="seed -1"):
        RandomFaults(0.1, -1)
