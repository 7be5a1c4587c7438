"""The pictures of a run's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_BLUE, _ORANGE, _RED, _GREY, _GREEN = "#2f6db5", "#d98a1f", "#b5322f", "#8a8f98", "#4f9a5b"
BEHAVIOUR_COLOURS = {"honest": _BLUE, "inflated": _GREEN, "label_flip": _RED, "free_rider": _ORANGE}
BEHAVIOUR_LABELS = {
    "honest": "honest",
    "inflated": "rows inflated",
    "label_flip": "label flipper",
    "free_rider": "free rider",
}


def plot_accuracy(path: Path, rounds: Sequence[int], accuracy: Sequence[float], centralised: float) -> None:
    """Test accuracy after each round, beside the centralised model."""
    figure, axes = _figure("Accuracy on the test set after each round")
    axes.axhline(centralised, color=_GREY, linestyle="--", label=f"centralised, {centralised:.1%}")
    axes.plot(rounds, accuracy, color=_BLUE, marker="o", label=f"federated, {accuracy[-1]:.1%} at the end")
    axes.set_xlabel("round")
    axes.set_ylabel("accuracy")
    lowest, highest = min(*accuracy, centralised), max(*accuracy, centralised)
    axes.set_ylim(max(0.0, lowest - 0.06), min(1.005, highest + 0.03))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right")
    _save(figure, path)


def plot_hospital_tokens(path: Path, tokens: Mapping[int, float], inflating: int) -> None:
    """Tokens allocated to each hospital; the one that inflates its volume is marked."""
    figure, axes = _figure("Tokens allocated to each hospital")
    labels = [f"hospital {h}" + ("\n(inflates volume)" if h == inflating else "") for h in tokens]
    colours = [_ORANGE if h == inflating else _BLUE for h in tokens]
    bars = axes.bar(labels, list(tokens.values()), color=colours, width=0.6)
    axes.bar_label(bars, fmt="{:,.0f}", padding=2)
    axes.set_ylabel("tokens")
    axes.margins(y=0.12)
    _save(figure, path)


def plot_quality(
    path: Path,
    rounds: Sequence[int],
    quality: Mapping[str, Sequence[int]],
    behaviours: Mapping[str, str],
    gate: int,
) -> None:
    """Decoded quality of each device by round; below the gate nothing is paid."""
    figure, axes = _figure("Decoded device quality by round")
    shown: set[str] = set()
    for behaviour, colour in BEHAVIOUR_COLOURS.items():
        for device, series in quality.items():
            if behaviours[device] != behaviour:
                continue
            label = None if behaviour in shown else BEHAVIOUR_LABELS[behaviour]
            shown.add(behaviour)
            honest = behaviour in ("honest", "inflated")
            axes.plot(
                rounds,
                series,
                color=colour,
                linewidth=0.8 if honest else 2.2,
                alpha=0.35 if honest else 1.0,
                label=label,
                zorder=2 if honest else 3,
            )
    axes.axhline(gate, color=_GREY, linestyle="--", label=f"gate, {gate:,}")
    axes.set_xlabel("round")
    axes.set_ylabel("quality, 0 to 10,000")
    axes.set_ylim(-300, 10_300)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    _save(figure, path)


def _figure(title: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - matplotlib is untyped here
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150)
