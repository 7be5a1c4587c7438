"""A device's way through quarantine and probation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from suspected_worlds import CONSORTIUM, device, play, suspected

from incentives import IncentivesError
from incentives.suspicion import SuspicionSettings
from incentives.suspicion_standing import Standing, Status
from incentives.suspicion_watch import Watch, took_part_in_quarantine

SETTINGS = SuspicionSettings(quarantine_rounds=3, probation_rounds=4)


class DeviceLife(RuleBasedStateMachine):
    """Any life of a device, against a plain account of it."""

    def __init__(self):
        super().__init__()
        self.now, self.number, self.entered, self.passed, self.strikes = Standing(), 0, 0, 0, 0

    def step(self, *, judged: bool, suspected: bool) -> Standing:
        self.number += 1
        before = self.now
        self.now = before.after(self.number, judged=judged, suspected=suspected, settings=SETTINGS)
        return before

    @rule()
    def stays_away(self):
        before = self.step(judged=False, suspected=False)
        if before.status is not Status.QUARANTINE:
            assert self.now == before

    @precondition(lambda self: self.now.takes_part)
    @rule()
    def passes(self):
        before = self.step(judged=True, suspected=False)
        self.passed = self.passed + 1 if before.status is Status.PROBATION else 0
        free = before.status is Status.FREE or self.passed == SETTINGS.probation_rounds
        assert (self.now.status is Status.FREE) == free

    @precondition(lambda self: self.now.takes_part)
    @rule()
    def is_suspected(self):
        self.step(judged=True, suspected=True)
        self.strikes += 1
        self.entered, self.passed = self.number, 0
        assert self.now.status is Status.QUARANTINE

    @invariant()
    def quarantine_lasts_twice_as_long_each_time(self):
        if self.now.status is Status.QUARANTINE:
            assert self.now.until - self.entered - 1 == SETTINGS.quarantine_rounds << (self.strikes - 1)
            assert self.number + 1 < self.now.until or self.number == self.entered

    @invariant()
    def strikes_are_never_forgotten(self):
        assert self.now.strikes == self.strikes

    @invariant()
    def only_a_free_device_is_paid(self):
        assert self.now.paid == (self.now.status is Status.FREE)


TestDeviceLife = DeviceLife.TestCase


@given(st.integers(0, 40), st.integers(1, 200), st.integers(0, 6))
def test_a_device_is_out_for_exactly_as_many_rounds_as_its_quarantine_has(idle, number, strikes):
    now = Standing(strikes=strikes).after(number, judged=True, suspected=True, settings=SETTINGS)
    missed = 0
    for later in range(number + 1, number + 2 + idle):
        if now.takes_part:
            break
        missed += 1
        now = now.after(later, judged=False, suspected=False, settings=SETTINGS)
    assert missed == min(idle + 1, SETTINGS.quarantine_rounds << strikes)


def test_contradictions_are_refused():
    for parts in [
        {"until": 3},
        {"status": Status.QUARANTINE, "strikes": 1},
        {"passed": 1},
        {"status": Status.PROBATION},
        {"strikes": -1},
    ]:
        with pytest.raises(IncentivesError):
            Standing(**parts)
    with pytest.raises(IncentivesError, match="no evidence"):
        Standing().after(1, judged=False, suspected=True, settings=SETTINGS)
    with pytest.raises(IncentivesError, match="in quarantine"):
        Standing(Status.QUARANTINE, 9, strikes=1).after(2, judged=True, suspected=False, settings=SETTINGS)


def test_who_improves_is_paid_again_and_who_does_not_is_out_for_longer():
    bad, mended = np.zeros(40), np.zeros(40)
    bad[:2], mended[0] = -14.0, -14.0
    settings = SuspicionSettings(quarantine_rounds=4, probation_rounds=6)
    _, before = play(bad, rounds=60, cohorts=4, settings=settings, seed=6)
    caught = min(number for number, d in before if d.status is Status.QUARANTINE and d.device == device(1))
    watch, decisions = play(
        bad, rounds=120, cohorts=4, settings=settings, seed=6, changes={caught + 1: mended}
    )
    assert suspected(decisions) == {device(0), device(1)}
    assert watch.standing(device(1)).paid
    assert watch.standing(device(1)).strikes == 1
    assert watch.standing(device(0)).strikes > 1


def test_a_device_on_probation_is_judged_on_fresh_evidence_alone():
    bad, mended = np.zeros(40), np.zeros(40)
    bad[0] = -14.0
    _, decisions = play(bad, rounds=50, cohorts=4, settings=SETTINGS, seed=7)
    caught = decisions[0][0]
    _, decisions = play(
        bad, rounds=caught + 9, cohorts=4, settings=SETTINGS, seed=7, changes={caught + 1: mended}
    )
    assert [decision.status for _, decision in decisions] == [
        Status.QUARANTINE,
        Status.PROBATION,
        Status.FREE,
    ]


def test_a_barred_device_on_a_ready_list_is_named():
    watch = Watch(SETTINGS, 3, CONSORTIUM, {device(1): Standing(Status.QUARANTINE, 9, strikes=1)})
    assert took_part_in_quarantine(watch, [device(0), device(1)]) == (device(1),)
    assert watch.unpaid() == {device(1)}
    with pytest.raises(IncentivesError):
        Watch(SETTINGS, 0, CONSORTIUM)
