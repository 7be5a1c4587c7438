"""An auditor who is given the root set trains the root update again; who is not is told so."""

from __future__ import annotations

import json
import stat
from dataclasses import replace

import numpy as np
import pytest
from command_line import assert_one_line_error, fediomt

from fl_core.canonical import canonical_json
from fl_core.tiers import next_model
from scripts.console.errors import CommandError
from scripts.federation.auditing import audit_run
from scripts.federation.checks.line import CheckLine
from scripts.federation.offline import offline_run
from scripts.federation.root_set_file import ROOT_SET_FILE, RootSet, read_root_set
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


def test_other_scaling_teaches_another_update(run, given):
    wide = replace(given.encoder.statistics, std=given.encoder.statistics.std * 3)
    other = RootSet(given.table, replace(given.encoder, statistics=wide))
    assert subjects(run.summaries[0].record, other) == ["root update, to 0.0001 of its length"]


def test_a_run_whose_rule_takes_no_root_set_has_no_such_line_and_leaves_no_rows(tmp_path):
    plain = offline_run(replace(SETTINGS, root_share=0.0, rule="mean"), "plain", tmp_path / "plain")
    plain.train()
    assert not (plain.folder / ROOT_SET_FILE).exists()
    lines = audit_run(plain.store, plain.state, None)
    assert "root update" not in {line.line.check for line in lines}


@pytest.mark.parametrize("data", [b"", b"junk", b"{}", b"[]", b'{"labels": "x"}'])
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
