"""The benchmark sums for real and says what it measured."""

from __future__ import annotations

import pytest

from benchmarks.secagg import measure_secagg
from fl_core.errors import SpecError


@pytest.mark.parametrize("mode", ["semi-honest", "active"])
@pytest.mark.parametrize(("neighbours", "degree"), [(16, 16), (None, 33), ("derived", None)])
def test_figures_state_graph_threshold_dropout_and_bytes(mode, neighbours, degree):
    figures = measure_secagg(34, 300, neighbours, 0.1, mode, bits=20, repeats=1).to_json()
    assert figures["degree"] == degree or neighbours == "derived"
    assert figures["dropped"] == 4, "a tenth of 34, rounded up"
    assert 1 < figures["threshold"] <= figures["degree"] + 1
    assert 0 <= figures["security_failure"] < 1
    assert 0 <= figures["correctness_failure"] <= 1e-2
    packed = 300 * 20 // 8
    assert figures["wire_bytes_up"] > 30 * packed
    assert figures["wire_bytes"] == figures["wire_bytes_up"] + figures["wire_bytes_down"]
    assert figures["ratio"] == pytest.approx(figures["cpu_s"] / figures["floor_cpu_s"])
    assert figures["cpu_s"] > figures["agreement_cpu_s"] + figures["server_cpu_s"]


def test_graphs_that_cannot_do_what_is_asked_are_refused():
    with pytest.raises(SpecError, match="withstands"):
        measure_secagg(100, 10, 14, 0.3, "active")
    with pytest.raises(SpecError, match="derived"):
        measure_secagg(34, 10, "all", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "dropout"), [("semi-honest", 0.3), ("active", 0.1)])
def test_a_thousand_devices_sum_over_the_derived_graph(mode, dropout):
    figures = measure_secagg(1000, 1000, "derived", dropout, mode, repeats=1)
    assert figures.security_failure <= 2**-40
    assert figures.correctness_failure <= 1e-6
