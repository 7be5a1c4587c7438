"""What a device refuses for its own privacy, and what others can see of its training: nothing."""

from dataclasses import replace

import numpy as np
import pytest
from small_run import MAX_ROWS, Schedule, SmallRun, spec_of

from fl_core.errors import SpecError, TrainingError
from fl_core.privacy import Accountant, Budget, NoiseSpec, PrivacyBudgetError
from fl_core.secagg import SecAggError
from fl_core.simulation.faults import Death
from fl_core.tiers.own_account import OwnAccount
from fl_core.updates import update_bound


def noise(rounds=3):
    bound = update_bound(None, dim=spec_of(8).dim, clip_norm=1.0, fraction_bits=8)
    variance = float(round(40 * bound.l2**2))
    return NoiseSpec(8.0, 1e-5, rounds, variance, variance, corrupted=1)


def started(**options):
    settings = {"bits": 40, "fraction_bits": 8, "clip_norm": 1.0, **options}
    return SmallRun.ready_to_train(**settings)


def with_noise(run):
    run.cloud.spec = replace(run.spec, noise=noise())


def diverging(run, hospital, index):
    """A device whose features are so large that training overflows."""
    device = run.device(hospital, index)
    device._features = device._features * np.float32(1e30)
    return device


def test_with_noise_on_nobody_sees_that_a_devices_training_failed():
    run = started()
    with_noise(run)
    device = diverging(run, 1, 0)
    _, outcome = run.carry_round()
    assert device.address in {address for cohort in outcome.cohorts for address in cohort.survivors}
    assert outcome.silent == frozenset()
    assert len(device.accountant.charges) == 1
    assert isinstance(outcome.failures[device.address], TrainingError), "whoever runs the simulation is told"
    assert outcome.failures.keys() == {device.address}
    assert np.isfinite(run.cloud.model).all()


def test_what_such_a_device_sends_is_noise_on_nothing():
    run = started()
    run.cloud.spec = replace(run.spec, noise=replace(noise(), local_variance=0.0, global_variance=1e9))
    device = diverging(run, 1, 0)
    plan = run.cloud.plan()
    task = next(
        device.accept(plan.encode(), call.encode(), run.public(plan))
        for call, members, _ in run.calls(plan)
        if device.address in members
    )
    device.join(task, np.full(plan.spec.dim, np.nan, np.float32))
    assert not device._sent.encoded.ring.any()


def test_without_noise_a_device_whose_training_failed_leaves():
    run = started()
    device = diverging(run, 1, 0)
    _, outcome = run.carry_round()
    assert outcome.refusals.keys() == outcome.silent == {device.address}


def test_where_nobody_could_train_the_round_is_an_error_for_whoever_runs_it():
    run = started()
    with_noise(run)
    for hospital in run.hospitals:
        for index in range(len(hospital.devices)):
            diverging(run, hospital.id, index)
    with pytest.raises(TrainingError, match="diverged"):
        run.carry_round()


def test_a_device_that_agreed_on_noise_joins_no_sum_without():
    run = started()
    quiet = run.spec
    with_noise(run)
    run.carry_round()
    before = run.device(1, 0).accountant.loss()
    run.cloud.spec = quiet
    with pytest.raises(SpecError, match="takes part with noise only"):
        run.carry_round()
    with pytest.raises(SpecError, match="takes part with noise only"):
        run.sum_statistics(round_number=3)
    assert run.device(1, 0).accountant.loss() == before


def test_a_budget_of_its_own_holds_from_the_first_spec_on():
    run = started()
    device = run.device(1, 0)
    device._account = OwnAccount(Budget(0.1, 1e-5, 3))
    plan = run.cloud.plan()
    call = next(call for call, members, _ in run.calls(plan) if device.address in members)
    with pytest.raises(SpecError, match="takes part with noise only"):
        device.accept(plan.encode(), call.encode(), run.public(plan))
    with_noise(run)
    with pytest.raises(PrivacyBudgetError, match=r"of 0\.1 allowed"):
        run.carry_round()


def test_rounds_that_the_journal_has_seen_and_the_account_has_not_are_charged():
    """An account from an older image, a journal that is up to date."""
    run = started()
    with_noise(run)
    run.carry_round()
    device = run.device(1, 0)
    older = device.accountant.charges
    run.carry_round()
    device._account.accountant = Accountant(device.accountant.budget, older)
    run.carry_round()
    assert [charge.round_number for charge in device.accountant.charges] == [1, 2, 3]


def test_a_roster_that_is_not_the_public_one_is_refused():
    run = started()
    plan = run.cloud.plan()
    call, members, _ = run.calls(plan)[0]
    device = run.devices[members[0]]
    for roots in ({1: bytes(32)}, {}):
        public = run.public(plan, roster_roots=roots)
        with pytest.raises(SpecError, match="public roster of hospital 1 is not the one"):
            device.accept(plan.encode(), call.encode(), public)
        with pytest.raises(SpecError, match="public roster of hospital 1 is not the one"):
            device.sum_statistics(call.encode(), run.schema, public, run.spec.terms, max_rows=MAX_ROWS)


def test_a_model_of_other_classes_than_the_data_is_refused_whatever_the_labels():
    run = started()
    run.cloud.spec = replace(run.spec, model=replace(run.spec.model, classes=3))
    run.cloud.model = np.zeros(run.spec.dim, np.float32)
    plan = run.cloud.plan()
    call, members, _ = run.calls(plan)[0]
    with pytest.raises(SpecError, match="3 classes apart, the data have 2"):
        run.devices[members[0]].accept(plan.encode(), call.encode(), run.public(plan))


def test_a_device_keeps_no_key_of_a_round_that_ended_before_it_could():
    """The others stalled, or the edge did: what was dealt in the round cannot be opened later."""
    run = started()
    run.engine.faults = Schedule({(1, 1, i): Death.BEFORE_MASKED_INPUT for i in range(1, 8)})
    run.carry_round()
    for device in run.hospitals[0].devices:
        with pytest.raises(SecAggError, match="round 1 has passed"):
            device.identity.pair_keys(1, [])
