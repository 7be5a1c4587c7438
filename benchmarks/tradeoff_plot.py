"""The trade-off as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.tradeoff import Cell, TradeoffFigures

_COLOURS = {"accountable": "#b5322f", "hospital": "#d98a1f", "private": "#2f6db5"}
_MARKERS = {"accountable": "o", "hospital": "s", "private": "^"}
_GREY = "#8a8f98"


def tradeoff_rows(figures: TradeoffFigures) -> list[tuple[str, ...]]:
    """One row a cell: data, model, N, profile, both epsilons, accuracy, difference to centralised, AUC, its bound."""
    centralised = {(b.data, b.model): b.centralised for b in figures.baselines}
    rows: list[tuple[str, ...]] = []
    for cell in figures.cells:
        baseline = centralised.get((cell.data, cell.model))
        spread = "" if cell.spread is None else f" +- {100 * cell.spread:.1f}"
        rows.append(
            (
                cell.data,
                cell.model,
                f"{cell.devices:,}",
                cell.profile,
                "off" if cell.epsilon is None else f"{cell.epsilon:g}",
                "off" if cell.edge_epsilon is None else f"{cell.edge_epsilon:.1f}",
                f"{100 * cell.accuracy:.1f}{spread}",
                "" if baseline is None else f"{100 * (cell.accuracy - baseline):+.1f}",
                "n/a" if cell.auc is None else f"{cell.auc:.2f}",
                f"{cell.auc_bound:.2f}",
            )
        )
    return rows


def plot_tradeoff(path: Path, figures: TradeoffFigures, *, data: str = "har", model: str = "lite") -> None:
    """Accuracy (above) and flipper detection (below) against epsilon, a column for each N, a line for each profile.

    Args:
        path: a PNG file.
        figures: what was measured.
        data: data set to show.
        model: model to show.
    """
    cells = [cell for cell in figures.cells if (cell.data, cell.model) == (data, model)]
    counts = sorted({cell.devices for cell in cells})
    figure = Figure(figsize=(1.6 + 3.4 * len(counts), 6.4), dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(counts), sharex=True, sharey="row", squeeze=False)
    baseline = next((b for b in figures.baselines if (b.data, b.model) == (data, model)), None)
    for column, devices in enumerate(counts):
        above, below = axes[0][column], axes[1][column]
        shown = [cell for cell in cells if cell.devices == devices]
        for profile, colour in _COLOURS.items():
            line = _by_epsilon([cell for cell in shown if cell.profile == profile])
            places = range(len(line))
            above.errorbar(
                places,
                [cell.accuracy for cell in line],
                yerr=[cell.spread or 0.0 for cell in line],
                color=colour,
                marker=_MARKERS[profile],
                capsize=3,
                label=profile,
            )
            scored = [
                (place, cell.auc) for place, cell in zip(places, line, strict=True) if cell.auc is not None
            ]
            if scored:
                below.plot(*zip(*scored, strict=True), color=colour, marker=_MARKERS[profile], label=profile)
        line = _by_epsilon([cell for cell in shown if cell.profile == "accountable"])
        below.plot(
            range(len(line)), [cell.auc_bound for cell in line], color=_GREY, linestyle=":", label="bound"
        )
        if baseline is not None:
            above.axhline(baseline.centralised, color=_GREY, linestyle="--", label="centralised")
            above.axhline(baseline.public_only, color=_GREY, linestyle=":", label="root set alone")
        above.set_title(f"{devices:,} devices")
        below.set_xticks(
            range(len(line)), ["off" if cell.epsilon is None else f"{cell.epsilon:g}" for cell in line]
        )
        below.set_xlabel("epsilon at release")
        above.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes[0][0].set_ylabel("test accuracy")
    axes[1][0].set_ylabel("AUC of finding label flippers")
    axes[1][0].set_ylim(0.35, 1.03)
    axes[0][-1].legend(loc="lower right", fontsize=8)
    axes[1][-1].legend(loc="center left", bbox_to_anchor=(0.24, 0.55), fontsize=8)
    figure.suptitle(
        f"{data}, {model}: {figures.rounds} rounds, delta {figures.delta:g}, {figures.seeds} seeds"
    )
    figure.savefig(path)


def _by_epsilon(cells: Sequence[Cell]) -> list[Cell]:
    """Little privacy first: noise off, then falling epsilon."""
    return sorted(cells, key=lambda cell: -(cell.epsilon or float("inf")))
