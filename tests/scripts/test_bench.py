"""The benchmarks run, and print what they promise."""

from __future__ import annotations

import json

from command_line import assert_one_line_error, fediomt


def test_accuracy_compares_with_a_centralised_model_and_gives_an_interval(tmp_path):
    outcome = fediomt("bench", "accuracy", "--seeds", "2", "--json", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    figures = json.loads(outcome.out)
    assert figures["seeds"] == 2
    low, high = figures["honest"]["interval"]
    assert low <= figures["honest"]["difference"] <= high
    assert 0.9 < figures["honest"]["federated"] <= 1


def test_an_unknown_model_is_refused(tmp_path):
    outcome = fediomt("bench", "accuracy", "--seeds", "2", "--model", "forest", cwd=tmp_path)
    assert_one_line_error(outcome, "forest")
