"""Curves of accuracy against the share of attackers."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.poisoning import PoisoningFigures

_COLOURS = {
    "mean": "#8a8f98",
    "median": "#d98a1f",
    "trimmed-mean": "#8c5a2b",
    "multi-krum": "#7a4fa3",
    "geometric-median": "#2f6db5",
    "fltrust": "#b5322f",
}
_MARKERS = {
    "mean": "x",
    "median": "s",
    "trimmed-mean": "v",
    "multi-krum": "D",
    "geometric-median": "^",
    "fltrust": "o",
}
_CLASSES = {"a": "(a) clip holds", "b": "(b) arbitrary inputs"}


def plot_poisoning(path: Path, figures: PoisoningFigures) -> None:
    """A row for each data set and class, a column for each cohort size, a line for each rule.

    Args:
        path: a PNG file.
        figures: what was measured.
    """
    cohorts = sorted({point.cohort_size for point in figures.curves})
    rows = [(data, name) for data in figures.devices for name in _CLASSES]
    figure = Figure(figsize=(1.4 + 3.3 * len(cohorts), 0.9 + 2.5 * len(rows)), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(cohorts), sharey=True, squeeze=False)
    for row, (data, name) in enumerate(rows):
        for column, cohort in enumerate(cohorts):
            panel = axes[row][column]
            for rule, colour in _COLOURS.items():
                line = sorted(
                    (
                        point
                        for point in figures.curves
                        if (point.data, point.attacker_class, point.cohort_size, point.rule)
                        == (data, name, cohort, rule)
                    ),
                    key=lambda point: point.share,
                )
                panel.errorbar(
                    [100 * point.share for point in line],
                    [100 * point.accuracy for point in line],
                    yerr=[100 * (point.spread or 0.0) for point in line],
                    color=colour,
                    marker=_MARKERS[rule],
                    markersize=4,
                    linewidth=2.0 if rule == "fltrust" else 1.2,
                    elinewidth=0.7,
                    capsize=2,
                    label=rule,
                )
            panel.axhline(100 * figures.root_alone[data], color="#444444", linestyle=":", linewidth=1)
            panel.set_title(f"{data}, {_CLASSES[name]}, cohorts of {cohort}", fontsize=9)
            panel.set_ylim(0, 102)
            panel.set_xlim(left=-0.5)
            panel.grid(alpha=0.25)
            if column == 0:
                panel.set_ylabel("test accuracy, %")
            if row == len(rows) - 1:
                panel.set_xlabel("attackers among all devices, %")
    axes[0][0].legend(loc="lower left", fontsize=7)
    figure.suptitle(
        f"The worse of sign flip and adaptive attack after {figures.rounds} rounds (seeds: {figures.curve_seeds}); "
        "dotted: root set alone",
        fontsize=10,
    )
    figure.savefig(path)
