import json

import pytest

from benchmarks.canary import measure_canary, released_mechanism
from benchmarks.tables import canary_table
from fl_core.spec import Profile


@pytest.fixture(scope="module")
def figures():
    return measure_canary(runs=10_000, epsilons=(1.0,), profiles=(Profile.HOSPITAL, Profile.PRIVATE))


def test_the_claim_stands_and_broken_mechanisms_are_found(figures):
    for cell in figures.cells:
        assert 0.1 < cell.sound.low < cell.sound.high < cell.sound.claimed == 1.0
        assert len(cell.broken) == 2
        assert all(report.low > 1.0 for report in cell.broken.values())
        assert (cell.verdict, cell.caught) == ("below", True)
    value = figures.to_json()
    assert (value["refuted"], value["caught"]) == (False, True)
    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_the_attack_faces_the_noise_that_the_claim_counts_on_and_no_more():
    private, _ = released_mechanism(Profile.PRIVATE, 1.0)
    hospital, canary = released_mechanism(Profile.HOSPITAL, 1.0)
    assert (private.honest, hospital.honest) == (14 * 6, 14)
    assert abs(canary).max() == hospital.codec.clip_norm
    noise = [m.honest * m.codec.noise_variance + m.global_variance for m in (private, hospital)]
    assert noise[0] == pytest.approx(noise[1], rel=0.01)  # the same claim, whoever adds the noise


def test_the_table_says_what_stands(figures):
    rows = canary_table(figures).rows
    assert [row[0] for row in rows] == ["hospital", "private"]
    assert all(row[4] == "below" and row[5].startswith("found") for row in rows)
