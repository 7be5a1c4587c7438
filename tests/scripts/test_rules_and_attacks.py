"""Robust rules and simulated attackers, from the command line to the audit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from command_line import assert_one_line_error, fediomt
from interrupted_runs import fresh, outcome, seeded_noise

from fl_core.data import root_digest
from fl_core.errors import BundleError, SpecError
from fl_core.robust import MEAN
from fl_core.simulation import Behaviour
from fl_core.stores import FolderStore
from scripts.federation.checks.root import check_root_update
from scripts.federation.record import RoundRecord
from scripts.federation.resume import resume_offline
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker

SMALL = {"rounds": 2, "hospitals": 3, "devices": 6, "cohort_size": 3, "k_min": 3, "seed": 3}


def run_of(folder, **changes):
    return fresh(RunSettings(**(SMALL | changes)), folder / "run")


@pytest.fixture(scope="module")
def trusting(tmp_path_factory):
    run = run_of(tmp_path_factory.mktemp("trusting"), root_share=0.02)
    run.train()
    return run


def record_of(run, number=1) -> RoundRecord:
    return RoundRecord.from_files(FolderStore(run.folder).read_bundle(number))


def test_a_root_set_makes_fltrust_the_rule_and_its_digest_is_in_the_spec(trusting):
    rule = trusting.spec.rule
    assert rule.name == "fltrust"
    population = trusting.population
    assert rule.root_digest == root_digest(population.table, population.root)
    assert rule.root_digest != root_digest(population.table, population.root[1:])


def test_without_a_root_set_and_in_profile_private_the_mean_stays(tmp_path):
    assert run_of(tmp_path / "a").spec.rule == MEAN
    private = run_of(tmp_path / "b", root_share=0.02, start="root", profile="private")
    assert private.spec.rule == MEAN
    old = {k: v for k, v in RunSettings(root_share=0.02, start="root").to_json().items() if k != "rule"}
    assert RunSettings.from_json(old).rule == "mean"  # settings from before there were rules


def test_the_bundle_holds_the_root_update_from_which_anyone_recomputes_the_model(trusting):
    checker = RoundChecker()
    for number in (1, 2):
        record = record_of(trusting, number)
        assert record.root_update.any()
        assert checker.check(record) == []


def altered(record):
    changed = record.root_update.copy()
    changed[::2] *= -1
    return changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (altered, "model after the round"),
        (lambda record: None, "needs a root update"),
        (lambda record: np.full_like(record.root_update, np.nan), "finite"),
        (lambda record: np.zeros_like(record.root_update), "zero"),
    ],
)
def test_another_root_update_than_the_models_is_found(trusting, change, words):
    record = record_of(trusting)
    findings = RoundChecker().check(replace(record, root_update=change(record)))
    assert words in " ".join(f"{f.subject} {f.found}" for f in findings)


def test_a_bundle_whose_root_update_has_another_shape_cannot_be_read(trusting):
    record = record_of(trusting)
    files = replace(record, root_update=record.root_update[:-1]).to_files()
    with pytest.raises(BundleError, match="tensor root_update"):
        RoundRecord.from_files(files)


def test_who_holds_the_root_set_finds_a_coordinators_own_root_update(trusting):
    record = record_of(trusting)
    taught = trusting.population.root_update(record.plan, record.beacon)
    assert list(check_root_update(record, taught)) == []
    last_bits = taught * np.float32(1 + 1e-6)
    assert list(check_root_update(record, last_bits)) == []
    for lie in (altered(record), record.root_update * np.float32(1.01), None):
        (finding,) = check_root_update(replace(record, root_update=lie), taught)
        assert finding.check == "root"


def test_a_resumed_run_under_fltrust_ends_in_the_same_model(tmp_path):
    def stop(_summary):
        raise KeyboardInterrupt

    whole = run_of(tmp_path / "whole", root_share=0.02, epsilon=8.0)
    whole.train()
    with pytest.raises(KeyboardInterrupt):
        run_of(tmp_path / "part", root_share=0.02, epsilon=8.0).train(stop)
    resumed = resume_offline(tmp_path / "part" / "run", seeded_noise).run
    resumed.train()
    assert outcome(resumed) == outcome(whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "median", "fraction": 0.5},
        {"rule": "trimmed-mean", "rule_share": 0.34, "profile": "hospital"},
        {"rule": "geometric-median", "link_classes": (1.0, 0.5), "epsilon": 8.0},
        {"rule": "multi-krum", "rule_share": 0.2, "devices": 8, "cohort_size": 4},
        {"rule": "fltrust", "root_share": 0.02, "fraction": 0.5, "model": "mlp"},
    ],
    ids=lambda changes: changes["rule"],
)
def test_every_rule_trains_and_is_attested_with_compression_link_classes_and_noise(tmp_path, changes):
    run = run_of(tmp_path, rounds=1, **changes)
    run.train()
    record = run.summaries[0].record
    assert record.spec.rule.name == changes["rule"]
    assert not np.array_equal(record.model_after, record.model_before)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rule": "vote"}, "choose mean"),
        ({"rule": "fltrust"}, "--root-share"),
        ({"rule": "median", "profile": "private"}, "cannot tell good from bad"),
        ({"rule": "fltrust", "root_share": 0.02, "profile": "private"}, "cannot tell good from bad"),
        ({"rule": "median", "rule_share": 0.2}, "median takes none"),
        ({"rule": "multi-krum", "rule_share": 0.45}, "2 f \\+ 3"),
        ({"rule": "multi-krum", "profile": "hospital"}, "less than one"),
        ({"rule": "trimmed-mean", "rule_share": 0.1}, "less than one"),
        ({"rule": "trimmed-mean", "rule_share": 0.5}, "half are corrupted"),
        ({"rule": "median", "profile": "hospital", "hospitals": 2}, "no majority"),
        ({"rule": "mean", "root_share": 0.02}, "nothing uses the root set"),
        ({"attackers": 0.2}, "name it"),
        ({"unclipped": True}, "name it"),
        ({"malicious_hospital": 1}, "name it"),
        ({"attack": "bribe"}, "choose label-flip"),
        ({"attack": "boost", "attackers": 0.0}, "above 0"),
        ({"attack": "boost", "attackers": 1.5}, "at most 1"),
        ({"attack": "boost", "attackers": 0.01}, "less than one device"),
        ({"attack": "boost", "malicious_hospital": 4}, "there are 3"),
        ({"attack": "boost", "attackers": 0.9, "flippers": 4}, "more dishonest devices"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_work(changes, words):
    with pytest.raises(SpecError, match=words):
        RunSettings(**(SMALL | changes))


def test_attackers_are_spread_over_the_hospitals_or_all_at_one(tmp_path):
    def places(**changes):
        behaviours = run_of(tmp_path, attack="noise", **changes).population.behaviours
        return [place for place, kind in behaviours.items() if kind is Behaviour.NOISE]

    assert sorted(h for h, _ in places(attackers=0.34)) == [1, 1, 2, 2, 3, 3]
    assert places(malicious_hospital=2) == [(2, i) for i in range(6)]
    assert len(places(malicious_hospital=2, attackers=0.34)) == 2


def test_a_malicious_hospital_ruins_the_mean_and_neither_median_nor_fltrust(tmp_path):
    """Boosted inputs in rings that take them; the bundles are attested all the same."""
    found = {}
    for rule in ("mean", "median", "fltrust"):
        root = {"root_share": 0.02} if rule == "fltrust" else {}
        attack = {"attack": "boost", "malicious_hospital": 1, "unclipped": True}
        run = run_of(tmp_path / rule, rule=rule, **root, **attack)
        run.train()
        found[rule] = run.accuracy(run.cloud.model)
    assert found["mean"] < 0.5
    assert min(found["median"], found["fltrust"]) > 0.85


def test_an_attack_is_told_to_the_user_and_audited_like_any_run(tmp_path):
    options = ("--rounds", "1", "--hospitals", "3", "--devices", "6", "--cohort-size", "3", "--k-min", "3")
    attack = ("--attack", "backdoor", "--attackers", "0.2", "--unclipped", "--rule", "median")
    plain = ("train", "--no-chain", "--epsilon", "inf", *options, *attack)
    said = fediomt(*plain, cwd=tmp_path)
    assert said.code == 0, said
    assert "4 of 18 simulated devices, spread over the hospitals, attack (backdoor)" in said.out
    assert "once they carry the trigger" in said.out
    value = json.loads(fediomt(*plain, "--json", cwd=tmp_path).out)
    assert value["rule"] == "median"
    assert 0 <= value["backdoor_success"] <= 1
    assert fediomt("audit", cwd=tmp_path).code == 0
    assert_one_line_error(fediomt(*plain[:-1], "wrong", cwd=tmp_path), "--rule", "choose mean")
