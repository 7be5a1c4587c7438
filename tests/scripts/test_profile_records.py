"""Rounds of every profile are recorded, checked and paid; what shows more or other than its profile is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from told_records import facts_of_honest, with_part, with_release

from fl_core.stores import FolderStore
from fl_core.tiers import Release
from incentives import FULL_SCORE
from scripts.federation.record import RoundRecord
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker
from scripts.train import offline_run


def recorded(tmp_path_factory, profile: str) -> list[RoundRecord]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = RunSettings(devices=8, rounds=2, cohort_size=4, k_min=3, dropout=0.02, seed=5, profile=profile)
    offline_run(settings, "checked", folder).train()
    return [RoundRecord.from_files(FolderStore(folder).read_bundle(number)) for number in (1, 2)]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory) -> list[RoundRecord]:
    return recorded(tmp_path_factory, "hospital")


@pytest.fixture(scope="module")
def private(tmp_path_factory) -> list[RoundRecord]:
    return recorded(tmp_path_factory, "private")


def both(hospital, private) -> list[list[RoundRecord]]:
    return [hospital, private]


def test_honest_bundles_have_no_findings(hospital, private):
    for records in both(hospital, private):
        offline, on_chain = RoundChecker(), RoundChecker()
        for record in records:
            assert offline.check(record) == []
            assert on_chain.check(record, facts_of_honest(record)) == []
            record.require_own_form(record.to_files())


def test_the_bundle_holds_the_sums_of_its_profile_and_no_others(hospital, private):
    assert {(r.hospital, r.cohort) for r in hospital[0].releases} == {(h, None) for h in (1, 2, 3, 4)}
    assert [(r.hospital, r.cohort) for r in private[0].releases] == [(0, None)]
    for record in (hospital[0], private[0]):
        files = record.to_files()
        assert b"sum.1.0" not in files["tensors.safetensors"]
        assert all(report.signatures for part in record.hospitals.values() for report in part.cohorts)


def test_all_devices_of_a_profile_without_device_quality_have_full_marks(hospital, private):
    for records in both(hospital, private):
        for part in records[1].hospitals.values():
            assert part.contributions
            assert {item.quality for item in part.contributions} == {FULL_SCORE}


def test_hospitals_are_scored_by_their_sums_or_not_at_all(hospital, private):
    for validator, said in hospital[0].validators.items():
        others = {1, 2, 3, 4} - {validator}
        assert {key.hospital for key in said.utilities} == set(said.scores) == others
    for said in private[0].validators.values():
        assert said.utilities == {}
        assert said.scores == {}
        assert 0 < said.model_score <= FULL_SCORE


def checks_of(record: RoundRecord) -> set[str]:
    return {finding.check for finding in RoundChecker().check(record)}


def test_a_cohorts_sum_in_profile_hospital_is_found(hospital):
    record = hospital[0]
    part = record.hospitals[1]
    report = part.cohorts[0]
    shown = Release(1, 0, (len(report.survivors),), (report.rows,), np.zeros(record.spec.dim, np.int64))
    assert "release" in checks_of(with_part(record, 1, releases=(*part.releases, shown)))
    assert "release" in checks_of(with_part(record, 1, releases=(shown,)))


def test_a_hospitals_sum_in_profile_private_is_found(private, hospital):
    record = private[0]
    assert "release" in checks_of(with_part(record, 1, releases=hospital[0].hospitals[1].releases))


def test_a_changed_sum_is_found(hospital, private):
    turned = with_release(hospital[0], 1, 0, total=-hospital[0].hospitals[1].releases[0].total)
    assert "model" in checks_of(turned)
    total = private[0].total
    assert "model" in checks_of(replace(private[0], total=replace(total, total=-total.total)))
    assert "release" in checks_of(replace(private[0], total=replace(total, rows=(1,))))
    assert "release" in checks_of(replace(private[0], total=None))
    unbounded = replace(total, total=np.full(len(total.total), 1 << 60))
    assert "release" in checks_of(replace(private[0], total=unbounded))


def test_a_sum_over_hospitals_that_some_did_not_sign_is_found(private):
    record = private[0]
    joint = record.joint
    first, *others = joint.survivors
    for changed in (
        replace(joint, signatures={}),
        replace(joint, signatures={**joint.signatures, first: joint.signatures[others[0]]}),
    ):
        assert "participation" in checks_of(replace(record, joint=changed))
    for changed in (
        replace(joint, survivors=tuple(others[:2])),
        replace(joint, members=joint.members[1:]),
        replace(joint, rows=1),
    ):
        assert "release" in checks_of(replace(record, joint=changed))
    assert "release" in checks_of(replace(record, joint=None, total=None))


def test_a_hospital_that_dropped_out_is_not_paid_for_a_sum_that_it_is_not_in(private):
    record = private[0]
    left = record.joint.survivors[1:]
    gone = replace(record, joint=replace(record.joint, survivors=left))
    paid = [h for h, part in gone.hospitals.items() if gone.counted(part)]
    assert len(paid) == 3


def test_a_sum_over_hospitals_belongs_to_profile_private_only(hospital, private):
    assert "release" in checks_of(replace(hospital[0], joint=private[0].joint, total=private[0].total))


def test_a_run_ends_at_the_same_accuracy_in_every_profile(hospital, private):
    assert hospital[1].model_after.tobytes() == private[1].model_after.tobytes()
