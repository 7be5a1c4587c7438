"""A root set held by the coordinator: a start and a projection learnt from it, which survive resuming and the audit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import assert_one_line_error, fediomt
from interrupted_runs import fresh, outcome, seeded_noise

from fl_core.canonical import sha256
from fl_core.checkpoint import CheckpointError
from fl_core.data import Schema
from fl_core.errors import BundleError
from fl_core.public_start import start_from_root
from scripts.federation import agreed_data
from scripts.federation.resume import resume_offline
from scripts.federation.schema_file import SCHEMA_FILE, read_schema
from scripts.federation.settings import RunSettings

SMALL = {"rounds": 2, "hospitals": 3, "devices": 6, "cohort_size": 4, "k_min": 3, "seed": 3}
PUBLIC = {"root_share": 0.02, "start": "root", "projection": 6}
OPTIONS = ("--rounds", "2", "--root-share", "0.02", "--start", "root", "--projection", "6")


def stop(_summary):
    raise KeyboardInterrupt


def run_of(folder, **changes):
    return fresh(RunSettings(**(SMALL | PUBLIC | changes)), folder / "run")


def interrupted(folder, **changes):
    with pytest.raises(KeyboardInterrupt):
        run_of(folder, **changes).train(stop)
    return folder / "run"


def test_nobody_trains_validates_or_tests_on_a_root_row(tmp_path):
    population = run_of(tmp_path).population
    federation = population.federation
    elsewhere = np.concatenate([federation.training_rows, *federation.validation, federation.test])
    assert len(population.root) == 12
    assert not np.isin(population.root, elsewhere).any()
    assert len(elsewhere) + 12 == len(population.table)


def test_a_root_set_leaves_training_and_test_rows_as_they_were(tmp_path):
    plain = fresh(RunSettings(**SMALL), tmp_path / "plain").population.federation
    public = run_of(tmp_path).population.federation
    assert np.array_equal(plain.test, public.test)
    for one, other in zip(plain.devices, public.devices, strict=True):
        assert all(map(np.array_equal, one, other))


def test_the_first_round_starts_from_the_model_of_the_root_set(tmp_path):
    run = run_of(tmp_path)
    run.train()
    population = run.population
    rows = population.encoder.encode(population.table, population.root)
    expected = start_from_root(run.spec.model, rows, population.table.labels[population.root], seed=3)
    assert run.summaries[0].record.model_before.tobytes() == expected.tobytes()
    assert run.spec.model.features == 6


@pytest.mark.parametrize("epsilon", [None, 4.0])
def test_the_projection_is_in_the_spec_by_its_digest_and_beside_the_bundles(tmp_path, epsilon):
    run = run_of(tmp_path, epsilon=epsilon)
    run.train()
    written = (run.folder / SCHEMA_FILE).read_bytes()
    assert sha256(written).hex() == run.spec.schema_digest
    assert Schema.from_json(json.loads(written)).projection == run.population.schema.projection
    assert "root set of 12 rows" in run.population.schema.projection.learnt_from


def test_a_run_without_a_projection_leaves_no_schema(tmp_path):
    run = run_of(tmp_path, projection=0)
    run.train()
    assert not (run.folder / SCHEMA_FILE).exists()


def test_a_resumed_run_takes_the_projection_it_began_with_and_ends_in_the_same_model(tmp_path, monkeypatch):
    whole = run_of(tmp_path / "whole", epsilon=8.0)
    whole.train()
    folder = interrupted(tmp_path / "part", epsilon=8.0)
    monkeypatch.delattr(agreed_data, "discriminant_projection")
    resumed = resume_offline(folder, seeded_noise).run
    resumed.train()
    assert outcome(resumed) == outcome(whole)


def test_a_run_does_not_go_on_with_another_projection(tmp_path):
    folder = interrupted(tmp_path)
    schema = json.loads((folder / SCHEMA_FILE).read_bytes())
    schema["projection"]["learnt_from"] = "somewhere else"
    (folder / SCHEMA_FILE).write_text(json.dumps(schema))
    with pytest.raises(CheckpointError, match="is not what it was"):
        resume_offline(folder)
    (folder / SCHEMA_FILE).write_text("{")
    with pytest.raises(BundleError, match=SCHEMA_FILE):
        resume_offline(folder)


def test_there_is_no_schema_to_read_where_there_is_no_run(tmp_path):
    assert read_schema(tmp_path / "nothing") is None


def test_a_run_shows_what_the_root_set_alone_gives_and_its_audit_finds_an_altered_projection(tmp_path):
    said = fediomt("train", "--no-chain", "--json", *OPTIONS, cwd=tmp_path)
    assert said.code == 0, said
    report = json.loads(said.out)
    assert report["accuracy_start"] > 0.8
    (folder,) = (tmp_path / "runs").iterdir()
    audit = fediomt("audit", cwd=tmp_path)
    assert audit.code == 0, audit
    assert "schema.json with the projection" in audit.out
    schema = (folder / SCHEMA_FILE).read_text()
    (folder / SCHEMA_FILE).write_text(schema.replace("root set", "private set"))
    altered = fediomt("audit", cwd=tmp_path)
    assert altered.code == 1
    assert "schema" in altered.out
    assert "does not hold" in altered.out
    (folder / SCHEMA_FILE).unlink()
    missing = fediomt("audit", cwd=tmp_path)
    assert missing.code == 1
    assert "no such file" in missing.out


def test_a_table_with_noise_and_a_root_set_needs_no_ranges(tmp_path):
    rng = np.random.default_rng(1)
    doses = rng.uniform(0, 6, 600)
    rows = [
        f"{dose:.3f},{'' if i % 9 == 0 else i % 4},{'sick' if dose > 3 else 'well'}"
        for i, dose in enumerate(doses)
    ]
    (tmp_path / "t.csv").write_text("\n".join(("dose,unit,y", *rows)) + "\n")
    told = ("train", "--no-chain", "--json", "--rounds", "1", "--csv", "t.csv", "--label", "y")
    said = fediomt(*told, "--root-share", "0.05", cwd=tmp_path)
    assert said.code == 0, said
    assert json.loads(said.out)["epsilon"] <= 8
    assert_one_line_error(
        fediomt(*told, "--root-share", "0.05", "--epsilon", "inf", "--rule", "mean", cwd=tmp_path),
        "nothing uses",
    )
