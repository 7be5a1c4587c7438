"""`fediomt train` with every profile, with noise and compressed: what it prints is what was claimed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import fediomt

from fl_core.data import load
from scripts.federation.public_ranges import DEVIATIONS, known_ranges, read_ranges

SMALL = ("--rounds", "2", "--devices", "8", "--cohort-size", "8", "--k-min", "5", "--seed", "3")


def train(folder, *arguments: str):
    outcome = fediomt("train", "--no-chain", "--json", *SMALL, *arguments, cwd=folder)
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


@pytest.mark.parametrize("profile", ["accountable", "hospital", "private"])
def test_a_run_reports_three_epsilons_and_passes_its_audit(tmp_path, profile):
    report = train(tmp_path, "--profile", profile, "--epsilon", "4")
    assert 3.9 < report["epsilon"] <= 4 <= report["epsilon_edge"] <= report["epsilon_unmasked"]
    assert report["delta"] == 1e-5
    audit = fediomt("audit", "--no-chain", cwd=tmp_path)
    assert audit.code == 0, audit


def test_without_noise_there_is_no_epsilon_and_the_screen_says_what_that_means(tmp_path):
    report = train(tmp_path, "--epsilon", "inf")
    assert report["epsilon"] is report["epsilon_edge"] is report["delta"] is None
    shown = fediomt("train", "--no-chain", *SMALL, "--epsilon", "inf", cwd=tmp_path)
    assert "can be reconstructed" in shown.out
    assert "epsilon: none" in shown.out
    noisy = fediomt("train", "--no-chain", *SMALL, cwd=tmp_path)
    assert "can be reconstructed" not in noisy.out
    assert "at release" in noisy.out


def test_without_noise_the_same_seed_gives_the_same_model_and_with_noise_it_does_not(tmp_path):
    quiet = {train(tmp_path, "--epsilon", "inf", "--fraction", "0.5")["model_hash"] for _ in range(2)}
    assert len(quiet) == 1
    assert len({train(tmp_path, "--fraction", "0.5")["model_hash"] for _ in range(2)}) == 2


def test_sending_a_part_of_the_parameters_costs_fewer_bytes(tmp_path):
    whole = train(tmp_path, "--model", "mlp", "--epsilon", "inf")
    part = train(tmp_path, "--model", "mlp", "--epsilon", "inf", "--fraction", "0.1", "--bits", "24")
    assert part["wire_bytes_up"] < 0.7 * whole["wire_bytes_up"]


def test_a_table_of_ones_own_trains_with_noise_from_its_public_ranges(tmp_path):
    rng = np.random.default_rng(1)
    rows = [
        f"{dose:.3f},{'mg' if dose > 3 else 'ug'},{'sick' if dose + rng.normal() > 3 else 'well'}"
        for dose in rng.uniform(0, 6, 400)
    ]
    (tmp_path / "t.csv").write_text("\n".join(("dose,unit,y", *rows)) + "\n")
    (tmp_path / "r.json").write_text('{"dose": [0, 6], "unit": ["ug", "mg"]}')
    report = train(tmp_path, "--csv", "t.csv", "--label", "y", "--ranges", "r.json")
    assert report["epsilon"] <= 8


def test_scaling_from_public_ranges_looks_at_no_record():
    table = load("wdbc")
    encoder = known_ranges(table).encoder(table)
    features = encoder.encode(table)
    assert np.abs(features).max() <= DEVIATIONS / 2
    assert encoder.statistics.count.sum() == 0
    other = known_ranges(table).encoder(table)
    assert other.schema == encoder.schema
    assert other.statistics.mean.tolist() == encoder.statistics.mean.tolist()


def test_ranges_are_read_as_written(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"a": [-1.5, 2], "b": ["x", "w", "x"]}')
    ranges = read_ranges(path)
    assert ranges.numeric == {"a": (-1.5, 2.0)}
    assert ranges.categorical == {"b": ("w", "x")}
