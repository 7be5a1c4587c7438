"""`fediomt train` with every profile, with noise and compressed: what it prints is what was claimed."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from command_line import fediomt

from fl_core.data import load
from scripts.federation.offline import offline_run
from scripts.federation.population import device_budget
from scripts.federation.public_ranges import DEVIATIONS, known_ranges
from scripts.federation.settings import RunSettings
from scripts.federation.worker_processes import worker_count

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


def test_scaling_from_public_ranges_looks_at_no_record():
    table = load("wdbc")
    encoder = known_ranges(table).encoder(table)
    features = encoder.encode(table)
    assert np.abs(features).max() <= DEVIATIONS / 2
    assert encoder.statistics.count.sum() == 0
    other = known_ranges(table).encoder(table)
    assert other.schema == encoder.schema
    assert other.statistics.mean.tolist() == encoder.statistics.mean.tolist()


def test_a_target_at_the_edge_is_met_and_every_device_holds_the_run_to_it(tmp_path):
    report = train(tmp_path, "--epsilon", "8", "--edge-epsilon", "3")
    assert 2.9 < report["epsilon_edge"] <= 3
    assert report["epsilon"] <= 3


def test_a_devices_budget_is_the_users_and_not_taken_over_from_what_is_proposed(tmp_path):
    settings = RunSettings(hospitals=2, devices=5, cohort_size=5, k_min=5, rounds=2, epsilon=4.0)
    for edge in (None, 6.0):
        run = offline_run(replace(settings, edge_epsilon=edge), "run", tmp_path / "run")
        budgets = {device.accountant.budget for h in run.population.hospitals for device in h.devices}
        (budget,) = budgets
        expected = run.spec.loss(2).edge if edge is None else edge
        assert (budget.epsilon, budget.delta, budget.rounds, budget.edge_epsilon) == (4.0, 1e-5, 2, expected)
    assert device_budget(replace(settings, epsilon=None), run.population.schema) is None


def test_the_screen_says_where_accounts_end_and_which_figure_no_claim_covers(tmp_path):
    shown = fediomt("train", "--no-chain", *SMALL, cwd=tmp_path).out
    assert "Accounts end with the run" in shown
    assert "no claim covers it" in shown
    assert train(tmp_path)["simulation_only"] == ["accuracy_centralised"]


def test_per_record_noise_is_solved_for_all_rounds_and_its_figure_stands_beside_the_others(tmp_path):
    report = train(tmp_path, "--record-epsilon", "3", "--record-clip", "0.5", "--epochs", "2")
    assert 2.99 < report["record_epsilon"] <= 3
    assert report["record_delta"] == report["delta"] == 1e-5
    audit = fediomt("audit", "--no-chain", cwd=tmp_path)
    assert audit.code == 0, audit
    alone = fediomt(
        "train",
        "--no-chain",
        *SMALL,
        "--epsilon",
        "inf",
        "--record-epsilon",
        "3",
        "--momentum",
        "0.5",
        cwd=tmp_path,
    )
    assert "epsilon 3.00 (delta 1e-05) of one record of one device over 2 rounds of 5 epochs" in alone.out
    assert "epsilon of one record: 3.00" in alone.out
    assert "epsilon: none" in alone.out


def test_with_per_record_noise_scaling_is_public_too(tmp_path):
    settings = RunSettings(hospitals=2, devices=5, cohort_size=5, k_min=5, rounds=1, record_epsilon=4.0)
    run = offline_run(settings, "run", tmp_path / "run")
    assert run.population.encoder is not None
    assert run.population.encoder.statistics.count.sum() == 0


def test_hospitals_spread_over_processes_give_the_same_model(tmp_path):
    told = ("--epsilon", "inf", "--fraction", "0.5", "--dropout", "0.1")
    one, two = (train(tmp_path, *told, "--workers", workers) for workers in ("1", "2"))
    assert one["model_hash"] == two["model_hash"]
    assert one["wire_bytes_up"] == two["wire_bytes_up"]
    noised = train(tmp_path, "--workers", "2", "--record-epsilon", "8")
    assert 7.9 < noised["epsilon"] <= 8


def test_processes_are_taken_for_large_populations_that_compute_on_the_cpu():
    many = {"hospitals": 4, "devices": 1000, "torch_device": "cpu", "threads": 1}
    cores = len(os.sched_getaffinity(0))
    assert worker_count(None, **many) == min(4, cores)
    assert worker_count(3, **many) == 3
    for change in ({"devices": 16}, {"torch_device": "cuda"}, {"threads": 2}, {"hospitals": 1}):
        assert worker_count(None, **(many | change)) == 1
