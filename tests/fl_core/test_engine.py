from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_run import Schedule, SmallRun

from fl_core.carrying import WireBytes, carry
from fl_core.cohorts import beacon_of_run
from fl_core.data import Encoder
from fl_core.engine import InProcessEngine
from fl_core.errors import DataError, SpecError, TrainingError
from fl_core.models import initial_vector
from fl_core.secagg import SecAggAbort, SecAggError, SecAggServer
from fl_core.simulation.behaviours import Behaviour, labels_as_used
from fl_core.simulation.faults import Death, RandomFaults
from fl_core.tiers import Device, Edge, federated_average
from fl_core.training import LocalTraining, train_local

STAGES = [death for death in Death if Death.BEFORE_DRAW < death < Death.NEVER]


def deaths_of(run, cohort_of, stage, count, number=1):
    """A schedule in which the first `count` members of a cohort (hospital, index) die at a stage."""
    plan = run.cloud.plan()
    members = run.calls(plan, cohort_of[0])[cohort_of[1]].members
    places = {d.address: (h.id, i) for h in run.hospitals for i, d in enumerate(h.devices)}
    return Schedule({(number, *places[address]): stage for address in members[:count]}), members


def assert_plain_sums(run, plan, outcome):
    """Every cohort that gave a sum is released, and as the plain sum of its survivors' updates."""
    survivors = {(c.hospital, c.cohort): c.survivors for c in outcome.cohorts if c.summed}
    assert [(r.hospital, r.cohort) for r in outcome.releases] == list(survivors)
    for release in outcome.releases:
        assert release.total.dtype == np.int64
        assert release.total.tolist() == run.plain_sum(plan, survivors[release.hospital, release.cohort])


def by_place(run, addresses):
    places = {d.address: (h.id, i) for h in run.hospitals for i, d in enumerate(h.devices)}
    return sorted(places[address] for address in addresses)


# A device killed at any stage


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_cohorts_sum_is_the_plain_sum_of_its_survivors_whenever_a_device_dies(run, stage):
    run.engine.faults, members = deaths_of(run, (1, 0), stage, 1)
    plan, outcome = run.carry_round()
    hit = outcome.cohorts[0]
    sent = stage > Death.BEFORE_MASKED_INPUT  # what was sent masked is in the sum, whatever follows
    assert set(hit.survivors) == set(members if sent else members[1:])
    assert outcome.silent == {members[0]}
    assert all(cohort.failure is None for cohort in outcome.cohorts)
    assert_plain_sums(run, plan, outcome)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_below_the_threshold_a_cohort_fails_closed_and_nothing_of_it_enters_the_model(run, stage):
    run.engine.faults, members = deaths_of(run, (2, 1), stage, 2)
    plan, outcome = run.carry_round()
    (failed,) = [cohort for cohort in outcome.cohorts if cohort.failure is not None]
    assert (failed.hospital, failed.cohort) == (2, 1)
    assert (failed.survivors, failed.rows, failed.signatures, failed.masked_hashes) == ((), 0, {}, {})
    assert "2 members remain, 3 are needed" in failed.failure
    assert not any(address.hex() in failed.failure for address in members)
    others = [cohort for cohort in outcome.cohorts if cohort is not failed]
    assert len(others) == 3
    assert len(outcome.releases) == 3
    assert_plain_sums(run, plan, outcome)
    averaged = federated_average(plan, outcome.releases, run.beacon(1))
    assert run.cloud.model.tobytes() == averaged.tobytes()


def test_a_device_gone_before_the_draw_is_in_no_cohort_and_costs_nothing(run):
    run.engine.faults = Schedule({(1, 1, 0): Death.BEFORE_DRAW, (1, 1, 1): Death.BEFORE_DRAW})
    plan, outcome = run.carry_round()
    absent = {run.device(1, 0).address, run.device(1, 1).address}
    called = {address for cohort in outcome.cohorts for address in cohort.members}
    assert called == run.devices.keys() - absent
    assert all(set(cohort.survivors) == set(cohort.members) for cohort in outcome.cohorts)
    assert outcome.silent == absent
    assert plan.number == 1


@pytest.mark.parametrize("stage", [Death.BEFORE_DRAW, *STAGES], ids=lambda stage: stage.name)
def test_a_whole_hospital_that_fails_leaves_the_model_to_the_others(run, stage):
    run.engine.faults = Schedule({(1, 1, index): stage for index in range(8)})
    plan, outcome = run.carry_round()
    first = [cohort for cohort in outcome.cohorts if cohort.hospital == 1]
    assert len(first) == (0 if stage is Death.BEFORE_DRAW else 2)
    assert not any(cohort.summed for cohort in first)
    second = [release for release in outcome.releases if release.hospital == 2]
    assert run.cloud.model.tobytes() == federated_average(plan, second, run.beacon(1)).tobytes()
    assert run.cloud.model.tobytes() != plan.model.tobytes()


def test_when_everybody_fails_the_model_stays_and_the_next_round_works(run):
    run.engine.faults = Schedule({(1, h, i): Death.BEFORE_MASKED_INPUT for h in (1, 2) for i in range(8)})
    plan, outcome = run.carry_round()
    assert not any(cohort.summed for cohort in outcome.cohorts)
    assert run.cloud.model.tobytes() == plan.model.tobytes()
    _, outcome = run.carry_round()
    assert all(cohort.summed for cohort in outcome.cohorts)
    assert run.cloud.model.tobytes() != plan.model.tobytes()


def test_a_hospital_that_is_not_ready_has_no_cohorts(run):
    plan = run.cloud.plan()
    ready = {2: run.engine.ready_lists(1)[2]}
    outcome = run.engine.run_round(plan, ready, run.beacon(1))
    assert {cohort.hospital for cohort in outcome.cohorts} == {2}


# A device that deviates


@pytest.fixture
def refusing(monkeypatch):
    """Makes some devices fail in training; says which."""

    def install(addresses, error):
        real = Device.join

        def join(self, task, delta):
            if self.address in addresses:
                raise error
            return real(self, task, delta)

        monkeypatch.setattr(Device, "join", join)

    return install


@pytest.mark.parametrize("error", [TrainingError("diverged"), SpecError("refused"), SecAggError("refused")])
def test_a_device_that_cannot_train_or_refuses_counts_as_dropped(run, refusing, error):
    victim = run.device(2, 3).address
    refusing({victim}, error)
    plan, outcome = run.carry_round()
    assert outcome.silent == {victim}
    assert outcome.refusals == {victim: error}
    for cohort in outcome.cohorts:
        assert set(cohort.survivors) == set(cohort.members) - {victim}
    assert_plain_sums(run, plan, outcome)


@pytest.mark.parametrize("spared", [0, 1, 2])
def test_an_error_that_leaves_no_cohort_with_a_sum_is_the_rounds_and_is_raised(run, refusing, spared):
    refusing(set(list(run.devices)[spared:]), TrainingError("local training diverged"))
    with pytest.raises(TrainingError, match="local training diverged"):
        run.carry(run.cloud.plan())


def test_what_is_wrong_with_one_devices_update_stays_out_of_what_leaves_the_hospital(run, refusing):
    members = run.calls(run.cloud.plan(), 1)[0].members
    refusing(set(members[:2]), TrainingError("update has a value of magnitude 97.53"))
    _, outcome = run.carry_round()
    failed = outcome.cohorts[0]
    assert not failed.summed
    assert "97.53" not in repr(failed)


@pytest.mark.parametrize("stage", range(5))
def test_a_device_that_sends_garbage_at_any_stage_counts_as_dropped(run, monkeypatch, stage):
    members = run.calls(run.cloud.plan(), 1)[0].members
    real, sent = SecAggServer.receive, {}

    def receive(self, sender, message):
        sent[sender] = sent.get(sender, -1) + 1
        real(self, sender, b"garbage" if (sender, sent[sender]) == (members[2], stage) else message)

    monkeypatch.setattr(SecAggServer, "receive", receive)
    plan, outcome = run.carry_round()
    assert outcome.refusals.keys() == {members[2]} <= outcome.silent
    assert_plain_sums(run, plan, outcome)
    assert (members[2] in outcome.cohorts[0].survivors) == (stage > 2)


def test_a_device_that_is_shown_other_nonces_than_its_peers_is_lost_and_they_are_not(run):
    plan = run.cloud.plan()
    call, members, _ = run.calls(plan, 1)[0]
    public, encoded = run.public(plan), (plan.encode(), call.encode())
    clients = {}
    for address in members:
        task = run.devices[address].accept(*encoded, public)
        clients[address] = run.devices[address].join(task, task.train())
    spec = plan.spec
    server = run.hospitals[0].edge.aggregator(call, spec.terms, public.subject)

    class Lying:
        """The edge's side as the devices see it: one of them gets every message with a bit flipped."""

        def receive(self, sender, message):
            server.receive(sender, message)

        def advance(self):
            outgoing = server.advance()
            if members[0] in outgoing:
                message = outgoing[members[0]]
                outgoing[members[0]] = message[:-1] + bytes([message[-1] ^ 1])
            return outgoing

        @property
        def result(self):
            return server.result

    result = carry(Lying(), clients, {}, WireBytes(), {})
    assert set(result.survivors) == set(members[1:])
    assert result.sum.tolist() == [value % (1 << spec.bits) for value in run.plain_sum(plan, members[1:])]


# Bytes


def spy(monkeypatch, owner, name, note):
    real = getattr(owner, name)

    def spied(self, *args, **options):
        result = real(self, *args, **options)
        note(args, result)
        return result

    monkeypatch.setattr(owner, name, spied)


@dataclass
class Seen:
    up: int = 0
    down: int = 0
    plan_bytes: int = 0

    def watch(self, monkeypatch):
        def message(args, _):
            self.up += len(args[1])

        def outgoing(_, result):
            self.down += sum(len(m) for m in result.values())

        def calls(_, result):
            for call, members, _ in result:
                self.down += len(members) * (self.plan_bytes + len(call.encode()))

        spy(monkeypatch, SecAggServer, "receive", message)
        spy(monkeypatch, SecAggServer, "advance", outgoing)
        spy(monkeypatch, Edge, "calls", calls)


@pytest.mark.parametrize("stage", [Death.NEVER, *STAGES], ids=lambda stage: stage.name)
def test_the_bytes_of_a_round_are_those_of_its_messages(run, monkeypatch, stage):
    run.engine.faults, _ = deaths_of(run, (1, 1), stage, 1)
    plan = run.cloud.plan()
    seen = Seen(plan_bytes=len(plan.encode()))
    seen.watch(monkeypatch)
    wire = run.carry(plan).wire
    assert (wire.up, wire.down) == (seen.up, seen.down)
    assert min(wire.up, wire.down) > 16 * 4 * plan.spec.dim


def test_the_bytes_of_setting_up_are_those_of_its_messages(monkeypatch):
    run, seen = SmallRun.of(), Seen()
    wire = run.begin_epoch(0)
    lengths = {h.id: sum(len(a.encode()) for a in h.edge.roster.values()) for h in run.hospitals}
    assert wire.up == sum(lengths.values())
    assert wire.down == 8 * sum(lengths.values())
    seen.watch(monkeypatch)
    wire = run.agree_on_scaling()
    assert (wire.up, wire.down) == (seen.up, seen.down)


# Same seed, same model


def through_an_epoch(rate):
    """Rounds 254 to 257, with fresh keys and accounts every time and at round 256, and devices that fail."""
    run = SmallRun.of(faults=RandomFaults(rate, seed=11))
    run.cloud.rounds_done = 253
    run.begin_epoch(0)
    run.agree_on_scaling(253)
    models, survivors, wires = [], [], []
    for _ in range(4):
        if run.cloud.rounds_done == 255:
            run.begin_epoch(1)
        _, outcome = run.carry_round()
        models.append(run.cloud.model.tobytes())
        survivors.append([(c.hospital, c.cohort, by_place(run, c.survivors)) for c in outcome.cohorts])
        wires.append(outcome.wire)
    return models, survivors, wires


def test_the_same_seed_gives_the_same_model_bit_for_bit_whatever_the_keys():
    models, survivors, wires = through_an_epoch(0.15)
    assert through_an_epoch(0.15) == (models, survivors, wires)
    assert len(set(models)) == 4
    assert any(len(places) < 4 for cohorts in survivors for _, _, places in cohorts), "some devices did fail"


def test_the_model_does_not_depend_on_who_was_summed_with_whom(run):
    plan = run.cloud.plan()
    outcome = run.carry(plan, beacon_of_run(99, 1))
    model = run.cloud.combine(plan, outcome.releases, beacon_of_run(99, 1))
    other = SmallRun.ready_to_train()
    elsewhere = other.carry(other.cloud.plan(), beacon_of_run(100, 1))

    def groups(of, cohorts):
        return [by_place(of, cohort.members) for cohort in cohorts]

    assert groups(run, outcome.cohorts) != groups(other, elsewhere.cohorts)
    again = other.cloud.combine(other.cloud.plan(), elsewhere.releases, beacon_of_run(100, 1))
    assert again.tobytes() == model.tobytes()


def test_a_round_is_federated_averaging_by_the_book():
    """The same devices in float64, without masks, cohorts or fixed point."""
    behaviours = {(1, 1): Behaviour.LABEL_FLIP, (2, 6): Behaviour.FREE_RIDER}
    run = SmallRun.ready_to_train(behaviours=behaviours)
    encoder, spec = Encoder(run.schema, run.statistics), run.spec
    vector = initial_vector(spec.model, 0)
    for number in (1, 2, 3):
        total, weight = np.zeros(spec.dim), 0
        for (h, i), rows in run.rows.items():
            weight += len(rows)
            behaviour = behaviours.get((h, i), Behaviour.HONEST)
            if behaviour is Behaviour.FREE_RIDER:
                continue
            features = encoder.encode(run.table, rows)
            labels = labels_as_used(behaviour, run.table.labels[rows], 2)
            seed = run.device(h, i)._derived_seed(number, 1)
            delta = train_local(spec.model, run.cloud.model, features, labels, spec.training, seed)
            total += len(rows) * delta.astype(np.float64)
        vector = run.cloud.model + total / weight
        run.carry_round()
        assert np.abs(run.cloud.model - vector).max() < 1e-6


# Scaling statistics


def test_statistics_from_secure_sums_are_those_of_the_pooled_training_rows(run):
    values = run.table.numeric[run.training_rows]
    statistics = run.statistics
    assert statistics.count.tolist() == (~np.isnan(values)).sum(axis=0).tolist()
    assert np.allclose(statistics.mean, np.nanmean(values, axis=0), rtol=1e-10, atol=1e-12)
    assert np.allclose(statistics.std, np.nanstd(values, axis=0), rtol=1e-9)
    outside = np.nanmean(run.table.numeric, axis=0)
    assert not np.allclose(statistics.mean, outside, rtol=1e-6), "validation rows are not in them"


def test_the_round_of_the_statistics_is_used_up(run):
    """A device masks one input a round, the statistics' included."""
    with pytest.raises(SecAggAbort, match="has passed"):
        run.sum_statistics(0)
    run.cloud.rounds_done = 0
    run.carry_round()


def test_statistics_need_a_cohort_somewhere():
    run = SmallRun.of(devices=2)
    run.begin_epoch(0)
    with pytest.raises(SpecError, match="no hospital has 3 devices"):
        run.sum_statistics()


def test_a_device_that_cannot_give_statistics_stops_the_agreement():
    run = SmallRun.of()
    run.begin_epoch(0)
    run.schema = replace(run.schema, numeric=tuple(replace(c, exponent=0) for c in run.schema.numeric))
    with pytest.raises(DataError, match="beyond its declared magnitude"):
        run.sum_statistics()


# The engine itself


def test_hospitals_of_a_run_share_a_session_and_have_ids_of_their_own(run):
    first, second = run.hospitals
    with pytest.raises(SpecError, match="one session"):
        InProcessEngine([], Schedule())
    with pytest.raises(SpecError, match="same id"):
        InProcessEngine([first, first], Schedule())
    second.edge.session = bytes(32)
    with pytest.raises(SpecError, match="one session"):
        InProcessEngine([first, second], Schedule())


def test_progress_counts_every_device_that_was_called(run):
    done = []
    run.engine.progress = done.append
    run.engine.faults, _ = deaths_of(run, (1, 0), Death.BEFORE_DEPOSIT, 2)
    run.carry_round()
    assert sum(done) == 16


def test_a_few_rounds_teach_the_model_something():
    run = SmallRun.ready_to_train(training=LocalTraining(epochs=5, batch_size=4, learning_rate=0.3))
    before = [hospital.edge.score(run.spec, run.cloud.model) for hospital in run.hospitals]
    for _ in range(3):
        run.carry_round()
    after = [hospital.edge.score(run.spec, run.cloud.model) for hospital in run.hospitals]
    assert min(after) > max(before) + 1_500
