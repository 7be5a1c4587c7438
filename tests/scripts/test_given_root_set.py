"""An auditor who is given the root set trains the root update again; who is not is told so."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from command_line import assert_one_line_error, fediomt

from fl_core.canonical import canonical_json
from fl_core.errors import BundleError, SpecError
from fl_core.tiers import next_model
from fl_core.tiers.fitting import require_fit
from scripts.console.errors import CommandError
from scripts.federation.auditing import audit_run
from scripts.federation.checks.line import CheckLine
from scripts.federation.offline import offline_run
from scripts.federation.record import RoundRecord
from scripts.federation.resume import resume_offline
from scripts.federation.root_set_file import ROOT_SET_FILE, RootSet, read_root_set, write_root_set
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundChecker

SETTINGS = RunSettings(
    rounds=1, hospitals=3, devices=6, cohort_size=4, k_min=3, seed=3, root_share=0.05, rule="fltrust"
)


@pytest.fixture(scope="module", params=[None, 8.0], ids=["summed scaling", "public scaling"])
def run(request, tmp_path_factory):
    made = offline_run(
        replace(SETTINGS, epsilon=request.param), "own", tmp_path_factory.mktemp("made") / "runs" / "own"
    )
    made.train()
    return made


@pytest.fixture
def given(run) -> RootSet:
    return read_root_set(run.folder / ROOT_SET_FILE)


def line_of(record, root_set) -> CheckLine:
    return next(line for line in RoundChecker(None, root_set).lines(record) if line.check == "root update")


def subjects(record, root_set) -> list[str]:
    return [finding.subject for finding in line_of(record, root_set).findings]


def test_the_root_set_of_a_run_teaches_the_root_updates_of_its_bundles(run, given):
    record = run.summaries[0].record
    assert record.root_update is not None
    assert subjects(record, given) == []
    assert given.digest == record.spec.rule.root_digest
    assert np.array_equal(given.table.labels, run.population.root_rows.labels)
    lines = audit_run(run.store, run.state, None, root_set=given)
    assert [line.line.verdict.value for line in lines if line.line.check == "root update"] == ["ok"]


def test_the_rows_are_their_holders_alone(run):
    assert stat.S_IMODE((run.folder / ROOT_SET_FILE).stat().st_mode) == 0o600
    assert ROOT_SET_FILE not in run.store.read_bundle(1)


def test_another_root_update_from_which_the_model_follows_is_found_by_who_has_the_root_set(run, given):
    honest = run.summaries[0].record
    turned = replace(honest, root_update=-honest.root_update)
    told = replace(
        turned, model_after=next_model(turned.plan, turned.releases, turned.beacon, turned.root_update)
    )
    assert subjects(told, given) == ["root update, to 0.0001 of its length"]
    assert "--root-set FILE" in (line_of(told, None).skipped or "")
    assert [f for f in RoundChecker().check(told) if f.check in ("root", "model")] == []


def test_another_root_set_is_named_by_its_digest(run, given):
    labels = 1 - given.table.labels
    other = RootSet(replace(given.table, labels=labels), given.encoder)
    assert subjects(run.summaries[0].record, other)[0] == "digest of the root set"


def invented(given: RootSet) -> RootSet:
    """The true rows under means of somebody's own choice."""
    statistics = given.encoder.statistics
    shifted = replace(statistics, mean=statistics.mean + 2 * statistics.std)
    return RootSet(given.table, replace(given.encoder, statistics=shifted))


@pytest.mark.parametrize("scaling", [{"z_max": 2.5}, {"statistics": None}])
def test_a_file_of_another_scaling_than_the_specs_is_named(run, given, scaling):
    wide = replace(given.encoder.statistics, std=given.encoder.statistics.std * 3)
    other = RootSet(given.table, replace(given.encoder, **{k: v or wide for k, v in scaling.items()}))
    assert subjects(run.summaries[0].record, other) == ["scaling of the root set"]


def test_a_root_update_that_true_rows_teach_under_an_invented_scaling_is_found(run, given):
    """The liar picks the scaling first, computes update and next model from it, and hands over a file that fits."""
    honest, file = run.summaries[0].record, invented(given)
    taught = file.update(honest)
    told = replace(
        honest,
        root_update=taught,
        model_after=next_model(honest.plan, honest.releases, honest.beacon, taught),
    )
    assert file.digest == honest.spec.rule.root_digest
    assert not np.array_equal(taught, honest.root_update)
    assert subjects(told, file) == ["scaling of the root set"]
    assert subjects(told, given) == ["root update, to 0.0001 of its length"]
    unnamed = replace(told, spec=replace(told.spec, scaling_digest=""))
    assert subjects(unnamed, file) == ["scaling of the root set"]


def test_a_device_refuses_to_train_under_a_spec_that_names_another_scaling(run, given):
    plan = run.summaries[0].record.plan
    fits = {"features": plan.spec.model.features, "classes": 2, "scaling": given.scaling_digest}
    require_fit(plan, **fits)
    with pytest.raises(SpecError, match="names a scaling of digest"):
        require_fit(plan, **{**fits, "scaling": invented(given).scaling_digest})


def test_devices_hold_the_scaling_that_the_spec_names(run):
    named = run.spec.scaling_digest
    assert named == run.summaries[0].record.spec.scaling_digest == run.population.encoder.scaling_digest
    device = run.population.hospitals[0].devices[0]
    task = partial(device.task, cohort=None, beacon=bytes(32))
    with pytest.raises(SpecError, match="names a scaling of digest"):
        task(replace(run.summaries[0].record.plan, spec=replace(run.spec, scaling_digest="ab" * 32)))


def test_a_run_that_goes_on_keeps_the_scaling_in_its_spec(tmp_path):
    def stop(_summary):
        raise KeyboardInterrupt

    begun = offline_run(replace(SETTINGS, rounds=2), "own", tmp_path / "own")
    with pytest.raises(KeyboardInterrupt):
        begun.train(stop)
    resumed = resume_offline(tmp_path / "own").run
    resumed.train()
    assert resumed.spec.scaling_digest == begun.spec.scaling_digest != ""
    given = read_root_set(tmp_path / "own" / ROOT_SET_FILE)
    lines = audit_run(resumed.store, resumed.state, None, root_set=given)
    assert len([line for line in lines if line.line.check == "root update"]) == 2
    assert all(line.ok for line in lines)


class Untrained:
    """A root set that fails the test if it is trained on."""

    def __init__(self, given: RootSet, **said: str) -> None:
        self.digest = said.get("digest", given.digest)
        self.schema_digest = said.get("schema_digest", given.schema_digest)
        self.scaling_digest = said.get("scaling_digest", given.scaling_digest)

    def update(self, _record):
        raise AssertionError("it was trained on")


@pytest.mark.parametrize("what", ["digest", "schema_digest", "scaling_digest"])
def test_nothing_is_trained_where_rows_schema_or_scaling_are_others(run, given, what):
    (found,) = line_of(run.summaries[0].record, Untrained(given, **{what: "00" * 32})).findings
    assert "of the root set" in found.subject


def test_nothing_is_trained_by_a_spec_that_is_not_the_agreed_one(run, given):
    record, checker = run.summaries[0].record, RoundChecker(None, Untrained(given))
    other = replace(record.spec, training=replace(record.spec.training, epochs=9_999))
    checker._spec_digest = record.spec.digest
    lines = {line.check: line for line in checker.lines(replace(record, spec=other))}
    assert [finding.check for finding in lines["spec"].findings] == ["spec"]
    assert "spec differs" in (lines["root update"].skipped or "")


def test_a_bundle_that_asks_for_a_billion_epochs_is_not_a_readable_record(run):
    files = dict(run.store.read_bundle(1))
    common = json.loads(files["round.json"])
    common["spec"]["training"]["epochs"] = 10**9
    with pytest.raises(BundleError, match="1000000000 epochs: at most 10,000"):
        RoundRecord.from_files({**files, "round.json": canonical_json(common)})


def test_the_rows_are_nobody_elses_at_any_moment_while_they_are_written(run, tmp_path, monkeypatch):
    modes, real = [], os.fsync

    def seen(descriptor):
        found = os.fstat(descriptor).st_mode
        if stat.S_ISREG(found):
            modes.append(stat.S_IMODE(found))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    before = os.umask(0)
    try:
        write_root_set(tmp_path, run.population)
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / ROOT_SET_FILE).stat().st_mode) == 0o600


def test_a_run_whose_rule_takes_no_root_set_has_no_such_line_and_leaves_no_rows(tmp_path):
    plain = offline_run(replace(SETTINGS, root_share=0.0, rule="mean"), "plain", tmp_path / "plain")
    plain.train()
    assert not (plain.folder / ROOT_SET_FILE).exists()
    lines = audit_run(plain.store, plain.state, None)
    assert "root update" not in {line.line.check for line in lines}


@pytest.mark.parametrize("data", [b"", b"junk", b"{}", b"[]", b'{"labels": "x"}', b'{"labels": [1e30]}'])
def test_a_file_that_holds_no_root_set_is_named(tmp_path, data):
    path = tmp_path / "rows.json"
    path.write_bytes(data)
    with pytest.raises(CommandError, match="holds no root set") as refusal:
        read_root_set(path)
    assert "\n" not in str(refusal.value)


def test_missing_values_and_words_survive_the_file(given):
    numeric = given.table.numeric.copy()
    numeric[0, 0] = np.nan
    words = np.array([["a"], *[[None]] * (len(numeric) - 1)], dtype=object)
    table = replace(given.table, numeric=numeric, categorical=words, categorical_names=("unit",))
    held = RootSet(table, given.encoder)
    again = RootSet.from_json(json.loads(canonical_json(held.to_json())))
    assert again.digest == held.digest


def test_the_command_takes_the_file_that_training_wrote(run):
    where = run.folder.parent.parent
    good = fediomt("audit", "--root-set", str(run.folder / ROOT_SET_FILE), "--json", cwd=where)
    assert good.code == 0, good
    verdicts = {line["check"]: line["verdict"] for line in json.loads(good.out)["lines"]}
    assert verdicts["root update"] == "ok"
    assert_one_line_error(fediomt("audit", "--root-set", "none", cwd=where), "cannot read none")
