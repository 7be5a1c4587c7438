from dataclasses import replace

import numpy as np
import pytest
from small_run import DOMAIN, SESSION, SmallRun, edge_of

from fl_core.errors import SpecError
from fl_core.secagg import SecAggError, masked_input_message
from fl_core.signing import LocalVerifier
from fl_core.tiers import ValidationRows, called_cohort, mean_update, subject_of
from fl_core.valuation import cohort_utilities, model_score


def test_an_edge_calls_every_ready_device_to_one_cohort(run):
    plan = run.cloud.plan()
    called = [address for called in run.calls(plan) for address in called.members]
    assert sorted(called) == sorted(device.address for device in run.hospitals[0].devices)
    for number, (call, members, _) in enumerate(run.calls(plan)):
        assert (call.cohort, call.attempt, call.session) == (number, 0, SESSION)
        positions = [line.address for line in call.ready]
        assert list(members) == sorted(members, key=positions.index)


def test_too_few_ready_devices_are_not_called(run):
    ready = run.engine.ready_lists(1)[1]
    edge = run.hospitals[0].edge
    assert edge.calls(1, ready[:2], run.beacon(1), run.spec.terms) == []
    assert edge.calls(1, (), run.beacon(1), run.spec.terms) == []
    assert len(edge.calls(1, ready[:3], run.beacon(1), run.spec.terms)) == 1


def test_a_device_that_is_not_enrolled_is_named(run):
    ready = run.engine.ready_lists(1)
    with pytest.raises(SpecError, match=f"not enrolled: {ready[2][0].address.hex()}"):
        run.hospitals[0].edge.calls(1, (*ready[1], ready[2][0]), run.beacon(1), run.spec.terms)


def test_an_edge_without_roster_or_rows_says_what_is_missing():
    edge = edge_of(3)
    with pytest.raises(SpecError, match="hospital 3 has enrolled no devices"):
        edge.roster  # noqa: B018 - the property refuses
    with pytest.raises(SpecError, match="hospital 3 holds no validation rows"):
        edge.validation  # noqa: B018 - the property refuses
    with pytest.raises(SpecError, match="hospital 3 has no keys of its own"):
        edge.keys  # noqa: B018 - the property refuses


def test_an_edge_enrols_no_device_with_a_forged_advertisement():
    run = SmallRun.of()
    advertisements = [device.begin_epoch(0) for device in run.hospitals[0].devices]
    edge = run.hospitals[0].edge
    forged = replace(advertisements[0], channel_public=advertisements[1].channel_public)
    with pytest.raises(SecAggError, match="bad signature"):
        edge.enrol(0, [forged, *advertisements[1:]])
    assert edge.enrol(0, advertisements).size == 8


def test_what_leaves_a_hospital_is_the_sum_and_what_an_auditor_needs_to_check_who_gave_it(run):
    plan, outcome = run.carry_round()
    calls = {(call.hospital, call.cohort): call for h in (1, 2) for call, _, _ in run.calls(plan, h)}
    for cohort in outcome.cohorts:
        spec = plan.spec
        masked_sum = called_cohort(
            calls[cohort.hospital, cohort.cohort], spec.terms, subject_of(spec.digest, plan.model_hash)
        ).plan
        assert cohort.survivors == tuple(sorted(cohort.members))
        assert set(cohort.signatures) == set(cohort.masked_hashes) == set(cohort.survivors)
        for address in cohort.survivors:
            statement = masked_input_message(
                DOMAIN, masked_sum, cohort.deposited_hash, cohort.masked_hashes[address]
            )
            assert LocalVerifier().recover(statement, cohort.signatures[address]) == address


def test_rows_of_a_sum_are_the_survivors_credited_rows(run):
    run.device(1, 0).declared_rows = 10**9
    plan, outcome = run.carry_round()
    devices = run.devices
    for cohort in outcome.cohorts:
        credited = [
            plan.spec.credited_rows(devices[a].declared_rows, devices[a].device_class)
            for a in cohort.survivors
        ]
        assert cohort.rows == sum(credited) < 10**9


def test_an_edge_values_means_and_models_on_its_own_rows(run):
    plan, outcome = run.carry_round()
    edge, spec = run.hospitals[0].edge, plan.spec
    means = [mean_update(plan, release, run.beacon(1)) for release in outcome.releases]
    rows = edge.validation
    expected = cohort_utilities(
        spec.model,
        plan.model,
        means,
        rows.features,
        rows.labels,
        clip=spec.utility_clip,
        step=spec.utility_step,
    )
    assert edge.value(spec, plan.model, means) == expected
    assert all(value % spec.utility_step == 0 for value in expected)
    assert edge.score(spec, run.cloud.model) == model_score(
        spec.model, run.cloud.model, rows.features, rows.labels
    )
    empty = ValidationRows(rows.features[:0], np.zeros(0, np.int64))
    edge.hold_validation(empty)
    assert edge.validation is empty


def test_a_hospital_meets_the_admitted_hospitals_and_no_others():
    """A cloud that shows a hospital accounts of its own beside it would read that hospital's sum."""
    edges = [edge_of(h) for h in (1, 2, 3)]
    shown = [edge.begin_epoch(0) for edge in edges]
    admitted = [edge.account for edge in edges]
    invented = [edge_of(h).begin_epoch(0) for h in (2, 3)]
    for others in ([shown[0], *invented], shown[:2], [*shown, invented[0]]):
        with pytest.raises(SecAggError, match="not those of the 3 admitted hospitals"):
            edges[0].meet(others, admitted)
    edges[0].meet(shown, admitted)


def test_an_edge_releases_nothing_under_a_spec_that_is_not_public(run):
    plan = run.cloud.plan()
    loose = replace(plan.spec, clip_norm=2 * plan.spec.clip_norm)
    edge, public = run.hospitals[0].edge, run.public(plan)
    for act in (edge.release, edge.join_hospitals):
        with pytest.raises(SpecError, match="spec is not the public one"):
            act(public, loose, [])
