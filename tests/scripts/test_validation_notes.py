"""A user is told which validators lack rows of a class, and nothing where all have some of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from interrupted_runs import fresh

from fl_core.training import evaluate
from scripts.federation.settings import RunSettings
from scripts.federation.validation_notes import unseen_notes
from scripts.federation.verify import RoundChecker

SMALL = RunSettings(hospitals=3, devices=6, cohort_size=4, k_min=3, rounds=1, seed=3)


def without(run, *hospitals: int) -> None:
    """Take all rows of the first class from the validation rows of some hospitals."""
    labels, federation = run.population.table.labels, run.population.federation
    rows = tuple(
        part[labels[part] != 0] if number in hospitals else part
        for number, part in enumerate(federation.validation, 1)
    )
    run.population.federation = replace(federation, validation=rows)


def test_nothing_is_said_where_every_validator_has_rows_of_each_class(tmp_path):
    run = fresh(SMALL, tmp_path / "run")
    assert all(
        len(np.unique(run.population.table.labels[r])) == 2 for r in run.population.federation.validation
    )
    assert list(unseen_notes(run)) == []


def test_who_lacks_a_class_is_named_with_the_class(tmp_path):
    run = fresh(SMALL, tmp_path / "run")
    without(run, 2)
    (note,) = unseen_notes(run)
    assert f"hospital 2 of {run.population.table.class_names[0]!r}" in note
    assert "hospital 1" not in note
    assert "median" not in note


def test_a_class_that_most_validators_lack_is_said_to_be_left_out_by_the_median(tmp_path):
    run = fresh(SMALL, tmp_path / "run")
    without(run, 1, 3)
    (note,) = unseen_notes(run)
    assert "the median leaves it out" in note


def test_nothing_is_said_where_nobody_values(tmp_path):
    run = fresh(replace(SMALL, profile="private"), tmp_path / "run")
    without(run, 2)
    assert list(unseen_notes(run)) == []


def test_a_validator_without_rows_of_a_class_values_on_those_it_has_and_the_round_goes_on_for_all(tmp_path):
    """The others value as they would have; its utilities are other ones; every device has its leaf."""
    whole, lacking = (fresh(SMALL, tmp_path / name) for name in ("whole", "lacking"))
    without(lacking, 2)
    for run in (whole, lacking):
        run.train()
    seen, record = (run.summaries[0].record for run in (whole, lacking))
    assert {h for h in (1, 2, 3) if record.validators[h].utilities != seen.validators[h].utilities} == {2}
    assert record.validators[2].utilities.keys() == seen.validators[2].utilities.keys()
    assert any(record.validators[2].utilities.values())
    assert RoundChecker().check(record) == []
    for hospital, part in record.hospitals.items():
        honest = seen.hospitals[hospital].contributions
        assert [item.device for item in part.contributions] == [item.device for item in honest] != []


def test_a_model_is_scored_on_the_rows_there_are_too(tmp_path):
    run = fresh(SMALL, tmp_path / "run")
    without(run, 2)
    run.train()
    rows = run.population.hospitals[1].edge.validation
    assert set(rows.labels) == {1}
    found = evaluate(run.spec.model, run.summaries[0].record.model_after, rows.features, rows.labels)
    assert run.summaries[0].record.validators[2].model_score == round(10_000 * found.accuracy)
