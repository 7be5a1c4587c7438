from dataclasses import replace

import numpy as np
import pytest
from small_run import MAX_ROWS, SmallRun, decoded, spec_of

from fl_core.carrying import WireBytes, carry
from fl_core.cohorts import CohortTerms, draw_cohorts, ready_digest
from fl_core.data import Encoder
from fl_core.errors import DataError, FlError, SpecError, TrainingError
from fl_core.round_plan import RoundPlan
from fl_core.secagg import SecAggAbort, SecAggError
from fl_core.signing import LocalSigner
from fl_core.simulation.behaviours import Behaviour
from fl_core.tiers import CohortCall, called_cohort
from fl_core.training import LocalTraining, train_local

TERMS = CohortTerms(4, 3, 64, (16,))  # of the statistics: four columns of four entries


def clip_l2(vector, norm):
    return vector * min(1.0, norm / np.linalg.norm(vector))


class Round:
    """Round 1 of a run up to the calls: what a device of hospital 1 is sent, and what it reads for itself."""

    def __init__(self, run):
        self.run = run
        self.plan = run.cloud.plan()
        self.public = run.public(self.plan)
        self.calls = run.calls(self.plan)
        self.call, self.members, _ = self.calls[0]
        self.device = run.devices[self.members[0]]

    def train(self, *, plan=None, call=None, public=None, device=None):
        plan, call, device = plan or self.plan, call or self.call, device or self.device
        task = device.accept(plan.encode(), call.encode(), public or self.public)
        return device.join(task, task.train())


@pytest.fixture
def begun(run):
    return Round(run)


def test_a_device_joins_the_cohort_that_it_drew_itself(begun):
    client = begun.train()
    spec = begun.plan.spec
    drawn = draw_cohorts(begun.public.beacon, 1, [0] * 8, cohort_size=spec.cohort_size, k_min=spec.k_min)
    assert [set(called.members) for called in begun.calls] == [
        {begun.call.ready[position].address for position in cohort.positions} for cohort in drawn
    ]
    assert not client.done
    expected = called_cohort(begun.call, spec.terms, begun.public.subject).plan
    assert expected.members == tuple(sorted(begun.members))
    assert expected.threshold == spec.threshold(4) == 3


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"beacon": bytes(32)}, "beacon is not the public one"),
        ({"session": bytes(32)}, "session is not the public one"),
        ({"round_number": 2}, "called to round 2"),
        ({"hospital": 2}, "ready list is not the one published"),
        ({"hospital": 3}, "ready list is not the one published"),
        ({"cohort": 1}, "which this device is not in"),
        ({"cohort": 7}, "none is 7"),
        ({"ready": ()}, "ready list is not the one published"),
    ],
)
def test_a_call_that_is_not_the_public_one_is_refused(begun, change, what):
    with pytest.raises(SpecError, match=what):
        begun.train(call=replace(begun.call, **change))


def test_the_ready_list_is_fixed_in_order_and_in_every_line(begun):
    ready = begun.call.ready
    for other in (ready[::-1], ready[:-1], (*ready[:-1], replace(ready[-1], rows=99))):
        with pytest.raises(SpecError, match="ready list is not the one published"):
            begun.train(call=replace(begun.call, ready=other))


def published(begun, ready):
    """A call and a public record that agree on another ready list."""
    public = replace(begun.public, ready_digests={1: ready_digest(1, 1, ready)})
    return {"public": public, "call": replace(begun.call, ready=ready)}


@pytest.mark.parametrize("change", [{"rows": 1}, {"device_class": 3}, {"own_payee": None}])
def test_a_device_refuses_a_ready_list_that_shows_it_other_than_it_is(begun, change):
    own = begun.device.ready
    if "own_payee" in change:
        change = {"own_payee": not own.own_payee}
    ready = tuple(replace(line, **change) if line == own else line for line in begun.call.ready)
    with pytest.raises(SpecError, match="does not hold this device as it is"):
        begun.train(**published(begun, ready))


def test_a_device_that_is_not_on_the_ready_list_refuses(begun):
    ready = tuple(line for line in begun.call.ready if line != begun.device.ready)
    with pytest.raises(SpecError, match="does not hold this device"):
        begun.train(**published(begun, ready))


def test_a_ready_list_with_a_device_twice_is_refused(begun):
    with pytest.raises(SpecError, match="twice on the ready list"):
        begun.train(**published(begun, (*begun.call.ready, begun.device.ready)))


def test_a_ready_list_with_a_stranger_is_refused(begun):
    stranger = replace(begun.call.ready[0], address=LocalSigner().address)
    ready = (*begun.call.ready, *[replace(stranger, address=LocalSigner().address) for _ in range(8)])
    for cohort in range(4):
        parts = published(begun, ready)
        parts["call"] = replace(parts["call"], cohort=cohort)
        with pytest.raises((SpecError, SecAggError), match=r"not on the roster|is not in"):
            begun.train(**parts)


def test_an_edge_cannot_send_a_device_another_model(begun):
    """Another model for each device would make the sum say what one of them sent."""
    other = replace(begun.plan, model=begun.plan.model + np.float32(1))
    with pytest.raises(SpecError, match="model is not the public one"):
        begun.train(plan=other)


@pytest.mark.parametrize(
    "change",
    [
        {"cohort_size": 3},
        {"clip_norm": 9.0},
        {"bits": 40},
        {"fraction_bits": 10},
        {"reference_rows": 1},
        {"training": LocalTraining(epochs=99)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edge_cannot_send_a_device_another_spec(begun, change):
    other = replace(begun.plan, spec=replace(begun.plan.spec, **change))
    with pytest.raises(SpecError, match="spec is not the public one"):
        begun.train(plan=other)


def test_an_edge_cannot_send_a_device_another_model_of_the_round_before(begun):
    """The coordinates that devices send depend on it."""
    before = begun.plan.model + np.float32(1)
    with pytest.raises(SpecError, match="model of the round before is not the public one"):
        begun.train(plan=replace(begun.plan, previous=before))


def test_an_edge_cannot_send_a_device_the_plan_of_another_round(begun):
    with pytest.raises(SpecError, match="plan of round 2 in round 1"):
        begun.train(plan=replace(begun.plan, number=2))


def test_a_public_record_without_a_model_starts_no_training(begun):
    with pytest.raises(SpecError, match="not the public one"):
        begun.train(public=replace(begun.public, spec_hash=None, model_hash=None))


def test_malformed_messages_are_refused_as_such(begun):
    plan, call = begun.plan.encode(), begun.call.encode()
    for bad_plan, bad_call in ((plan[:-1], call), (b"", call), (plan, call[:-1]), (plan, b"{}")):
        with pytest.raises(SpecError):
            begun.device.accept(bad_plan, bad_call, begun.public)


def test_a_device_masks_one_input_a_round_and_no_second_one(begun):
    clients = {address: begun.train(device=begun.run.devices[address]) for address in begun.members}
    rivals = {address: begun.train(device=begun.run.devices[address]) for address in begun.members}
    again = replace(begun.call, attempt=1)

    def server(call):
        spec = begun.plan.spec
        edge = begun.run.hospitals[0].edge
        return edge.aggregator(call, spec.terms, begun.public.subject)

    assert len(carry(server(begun.call), clients, {}, WireBytes(), {}).survivors) == 4
    refusals = {}
    with pytest.raises(SecAggAbort):
        carry(server(begun.call), rivals, {}, WireBytes(), refusals)
    assert refusals.keys() == set(begun.members), (
        "a cohort joined before the first was masked gets nothing either"
    )
    for call in (begun.call, again):
        with pytest.raises(SecAggAbort, match="has passed"):
            begun.train(call=call)


def test_a_device_that_has_met_nobody_trains_for_nobody():
    run = SmallRun.of()
    for hospital in run.hospitals:
        hospital.edge.enrol(0, [device.begin_epoch(0) for device in hospital.devices])
    plan = run.cloud.plan()
    call, members, _ = run.calls(plan)[0]
    device = run.devices[members[0]]
    with pytest.raises(SpecError, match="no peers yet"):
        device.accept(plan.encode(), call.encode(), run.public(plan))
    with pytest.raises(SpecError, match="no peers yet"):
        device.sum_statistics(call.encode(), run.schema, run.public(plan), TERMS, max_rows=MAX_ROWS)
    with pytest.raises(SpecError, match="epoch keys"):
        SmallRun.of().device(1, 0).identity  # noqa: B018 - the property refuses


def test_the_statistics_cohort_is_checked_like_any_other(run):
    plan = run.cloud.plan()
    public = replace(run.public(plan), spec_hash=None, model_hash=None)
    call, members, _ = run.calls(plan)[0]
    device = run.devices[members[0]]
    device.sum_statistics(call.encode(), run.schema, public, TERMS, max_rows=MAX_ROWS)
    for change in ({"beacon": bytes(32)}, {"session": bytes(32)}, {"cohort": 1}, {"hospital": 2}):
        with pytest.raises(SpecError):
            device.sum_statistics(
                replace(call, **change).encode(), run.schema, public, TERMS, max_rows=MAX_ROWS
            )
    narrow = replace(run.schema, numeric=tuple(replace(c, exponent=-3) for c in run.schema.numeric))
    with pytest.raises(DataError, match="beyond its declared magnitude"):
        device.sum_statistics(call.encode(), narrow, public, TERMS, max_rows=MAX_ROWS)


def features_of(run, device):
    return Encoder(run.schema, run.statistics).encode(run.table, device._records.rows)


def test_an_update_is_what_training_changed_weighted_clipped_and_rounded(run):
    plan = run.cloud.plan()
    spec = plan.spec
    for index in range(4):
        device = run.device(1, index)
        labels = run.table.labels[run.rows[1, index]]
        delta = train_local(
            spec.model,
            plan.model,
            features_of(run, device),
            labels,
            spec.training,
            device._derived_seed(1, 1),
        )
        weighted = clip_l2(delta * (len(labels) / spec.reference_rows), spec.clip_norm)
        sent = decoded(spec, run.update(plan, device))
        assert np.abs(sent - weighted).max() <= 2.0**-spec.fraction_bits
        assert run.update(plan, device).tolist() == run.update(plan, device).tolist()


def test_rounding_and_shuffling_are_fresh_every_round(run):
    device, plan = run.device(1, 0), run.cloud.plan()
    assert run.update(plan, device).tolist() != run.update(replace(plan, number=2), device).tolist()


def test_a_free_rider_sends_zeros():
    run = SmallRun.ready_to_train(behaviours={(1, 0): Behaviour.FREE_RIDER})
    assert not run.update(run.cloud.plan(), run.device(1, 0)).any()
    assert run.update(run.cloud.plan(), run.device(1, 1)).any()


def test_a_label_flipper_trains_on_the_other_labels():
    honest = SmallRun.ready_to_train()
    flipped = SmallRun.ready_to_train(behaviours={(1, 2): Behaviour.LABEL_FLIP})
    plan = honest.cloud.plan()
    spec, device = plan.spec, flipped.device(1, 2)
    labels = 1 - flipped.table.labels[flipped.rows[1, 2]]
    delta = train_local(
        spec.model,
        plan.model,
        features_of(flipped, device),
        labels,
        spec.training,
        device._derived_seed(1, 1),
    )
    expected = clip_l2(delta * spec.weight(len(labels), 0), spec.clip_norm)
    sent = decoded(spec, flipped.update(plan, device))
    assert np.abs(sent - expected).max() <= 2.0**-spec.fraction_bits
    against = honest.update(plan, honest.device(1, 2))
    assert np.dot(sent, decoded(spec, against)) < 0
    assert device.ready.rows == honest.device(1, 2).ready.rows, "it cannot be told by what it declares"


def test_declared_rows_weigh_no_more_than_the_class_allows_and_the_clip_no_more_than_that(run):
    device, plan = run.device(1, 0), run.cloud.plan()
    honest = decoded(run.spec, run.update(plan, device))
    device.declared_rows *= 1000
    boosted = decoded(run.spec, run.update(plan, device))
    assert np.linalg.norm(honest) < run.spec.clip_norm
    assert np.isclose(np.linalg.norm(boosted), run.spec.clip_norm, rtol=1e-3)


def test_training_that_diverges_sends_nothing():
    run = SmallRun.ready_to_train(training=LocalTraining(epochs=9, learning_rate=1e30, weight_decay=1e30))
    with pytest.raises(TrainingError):
        run.update(run.cloud.plan(), run.device(1, 0))


def test_a_plan_for_other_features_is_refused(run):
    spec = spec_of(run.schema.features + 1)
    plan = RoundPlan(1, spec, np.zeros(spec.dim, np.float32))
    with pytest.raises(FlError):
        run.update(plan, run.device(1, 0))


def test_an_epoch_brings_a_fresh_account_and_fresh_keys(run):
    before = {(h.id, i): d.address for h in run.hospitals for i, d in enumerate(h.devices)}
    run.begin_epoch(1)
    for (hospital, index), address in before.items():
        assert run.device(hospital, index).address != address
    assert run.device(1, 0).identity.epoch == 1


def test_a_device_refuses_a_roster_with_a_forged_line():
    run = SmallRun.of()
    devices = run.hospitals[0].devices
    advertisements = [device.begin_epoch(0) for device in devices]
    forged = [replace(advertisements[0], mask_public=advertisements[1].mask_public), *advertisements[1:]]
    with pytest.raises(SecAggError, match="bad signature"):
        devices[2].meet(forged)
    devices[2].meet(advertisements)


def test_a_call_says_who_it_is_for_and_nothing_about_anybodys_data(begun):
    """What an edge sends down holds the ready list, which is public, and no more."""
    call = CohortCall.decode(begun.call.encode())
    assert call == begun.call
    assert {line.rows for line in call.ready} == {
        begun.run.devices[line.address].declared_rows for line in call.ready
    }


def test_the_seed_of_a_device_decides_its_update():
    one, two = SmallRun.ready_to_train(), SmallRun.ready_to_train()
    plan = one.cloud.plan()
    for hospital, index in one.rows:
        assert (
            one.update(plan, one.device(hospital, index)).tolist()
            == two.update(plan, two.device(hospital, index)).tolist()
        )
