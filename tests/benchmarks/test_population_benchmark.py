import pytest
from typer.testing import CliRunner

from benchmarks.population import measure_population
from scripts.bench import app


def test_whole_rounds_are_measured_and_every_cohort_gives_its_sum():
    figures = measure_population(
        devices=12, hospitals=2, cohort_size=6, k_min=4, rounds=1, workers=2
    ).to_json()
    assert figures["failed_cohorts"] == 0
    assert figures["devices"] == 12
    assert figures["parameters"] == 80_582
    assert figures["s_per_round"] > 0
    assert figures["cpu_ms_per_device"] == pytest.approx(1e3 * figures["cpu_s"] / 12)
    packed = 8_058 * figures["bits"] // 8
    assert 12 * packed < figures["wire_bytes_up"] < 12 * (packed + 10_000)
    assert figures["peak_bytes"] > 100e6


def test_populations_without_a_cohort_are_refused():
    result = CliRunner().invoke(app, ["population", "--devices", "20", "--hospitals", "2"])
    assert result.exit_code != 0
    assert "make no cohort of 16" in str(result.exception)
