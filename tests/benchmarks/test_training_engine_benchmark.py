import math

import pytest

from benchmarks.training_engine import measure_engine


@pytest.mark.parametrize("record_privacy", [False, True])
def test_the_benchmark_measures_what_it_says(record_privacy):
    figures = measure_engine(
        devices=10, rows=3, hidden=(5,), features=7, classes=3, repeats=1, record_privacy=record_privacy
    )
    assert (figures.devices, figures.rows, figures.parameters) == (10, 3, 8 * 5 + 6 * 3)
    assert figures.ratio == pytest.approx(figures.s_per_round / figures.floor_s)
    assert figures.speedup == pytest.approx(figures.loop_s / figures.s_per_round)
    assert all(
        math.isfinite(value) and value > 0 for value in figures.to_json().values() if type(value) is float
    )
