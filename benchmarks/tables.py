"""Figures as tables: the same rows on the screen and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.accuracy import AccuracyFigures, Comparison
from benchmarks.bytes import ByteFigures, MethodFigures
from benchmarks.peers.flower_secagg import FlowerFigures
from benchmarks.secagg import SecAggFigures
from benchmarks.tradeoff import TradeoffFigures
from benchmarks.tradeoff_plot import tradeoff_rows
from benchmarks.training_engine import EngineFigures


@dataclass(frozen=True)
class FigureTable:
    """A table of figures.

    Attributes:
        title: what was measured.
        columns: names of the columns.
        rows: one string a column.
        notes: what a reader must know to read them right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table and its notes as Markdown, without the title."""
        lines = [*self.notes, ""] if self.notes else []
        lines.append(f"| {' | '.join(self.columns)} |")
        lines.append("|" + "---|" * len(self.columns))
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join(lines)


def accuracy_table(figures: AccuracyFigures) -> FigureTable:
    """Federated against centralised accuracy."""
    return FigureTable(
        title=f"wdbc, {figures.model}, {figures.seeds} seeds: mean test accuracy",
        columns=("devices", "federated", "centralised", "difference, 95% interval"),
        rows=(
            _accuracy_row("all honest", figures.honest),
            _accuracy_row("two label flippers and a free rider among the 64", figures.dishonest),
        ),
        notes=(
            "4 hospitals x 16 devices, 10 rounds, Dirichlet label skew, every cohort summed securely, no noise. The "
            "interval is the 95% interval (Student's t) of the mean paired difference. Centralised: the "
            "same model trained on all devices' rows in one place until the loss settles.",
        ),
    )


def secagg_table(figures: Sequence[SecAggFigures], peers: Sequence[FlowerFigures | None] = ()) -> FigureTable:
    """CPU seconds of secure aggregation against its floor, and against a peer where one was measured."""
    compared = any(peer is not None for peer in peers)
    rows = []
    for ours, peer in zip(figures, peers or [None] * len(figures), strict=True):
        row = [
            f"{ours.clients:,} x {ours.dim:,}",
            ours.mode,
            "complete" if ours.degree == ours.clients - 1 else str(ours.degree),
            str(ours.threshold),
            f"{ours.dropout:.0%}",
            f"{ours.security_failure:.0e}, {ours.correctness_failure:.0e}",
            f"{ours.cpu_s:.2f}",
            f"{ours.floor_cpu_s:.2f}",
            f"{ours.ratio:.2f}",
            f"{ours.wire_bytes / 1e6:.1f}",
        ]
        if compared:
            row += ["-", "-"] if peer is None else _peer_cells(ours, peer)
        rows.append(tuple(row))
    columns = (
        "clients x entries",
        "adversary",
        "neighbours",
        "threshold",
        "dropout",
        "fails (security, dropouts)",
        "CPU s",
        "floor CPU s",
        "ratio",
        "wire MB",
    )
    return FigureTable(
        title="secure aggregation: CPU seconds of all devices and the server, in one process",
        columns=(*columns, "Flower CPU s", "speedup") if compared else columns,
        rows=tuple(rows),
        notes=(
            "Key agreement along the graph, one attempt, the sum checked. The floor, measured in turn with it: the "
            "same key agreements (each by both sides), keystreams and additions, and nothing else. Dropouts fall "
            "silent before their masked input. A ratio is the median over the repeats.",
        ),
    )


def bytes_table(figures: ByteFigures) -> FigureTable:
    """Bytes until an accuracy is reached."""
    targets = [reached.accuracy for reached in figures.figures[0].reached]
    return FigureTable(
        title=f"bytes to an accuracy, har, {figures.devices:,} devices",
        columns=(
            "model",
            "method",
            "bits",
            "up a device and round",
            "best accuracy",
            *(f"{target:.0%}: rounds, up MB, down MB (share of float32's)" for target in targets),
        ),
        rows=tuple(_bytes_row(item) for item in figures.figures),
        notes=(
            f"10 edges; a tenth of the devices is absent in each round; settings chosen on {figures.tuned_on} devices "
            f"from the same grid for each method; at most {figures.rounds} rounds. Bytes are those of encoded "
            "messages, secure aggregation's own included. 296 of the 561 test features of this copy of the data are "
            "recomputed from the raw signals.",
        ),
    )


def engine_table(figures: Sequence[EngineFigures]) -> FigureTable:
    """Seconds a round of local training."""
    return FigureTable(
        title="local training of all devices, seconds a round",
        columns=(
            "devices x rows",
            "parameters",
            "epochs",
            "per-record privacy",
            "engine s",
            "floor s",
            "ratio",
            "loop s",
            "speedup",
            "module loop s",
            "speedup",
        ),
        rows=tuple(
            (
                f"{item.devices:,} x {item.rows}",
                f"{item.parameters:,}",
                str(item.epochs),
                "yes" if item.record_privacy else "no",
                f"{item.s_per_round:.3f}",
                f"{item.floor_s:.3f}",
                f"{item.ratio:.2f}",
                f"{item.loop_s:.2f}",
                f"{item.speedup:.1f}",
                f"{item.module_loop_s:.2f}",
                f"{item.module_speedup:.1f}",
            )
            for item in figures
        ),
        notes=(
            "Wall clock, medians of interleaved repeats. Floor: the same batched matrix products on buffers that are "
            "there already; with privacy also as many normal samples from torch's generator. Loop: our own "
            "hand-written gradient, device by device; with privacy one Opacus module reused. Module loop: torch "
            "module, loss and optimiser; with privacy an Opacus module a device.",
        ),
    )


def tradeoff_table(figures: TradeoffFigures) -> FigureTable:
    """Accuracy and detection by profile, epsilon and number of devices."""
    centralised = ", ".join(f"{b.data} {b.model} {100 * b.centralised:.1f}" for b in figures.baselines)
    return FigureTable(
        title="accuracy and detection against epsilon",
        columns=(
            "data",
            "model",
            "devices",
            "profile",
            "epsilon",
            "accuracy",
            "against centralised",
            "flipper AUC",
            "its bound",
        ),
        rows=tuple(tradeoff_rows(figures)),
        notes=(
            f"Means over {figures.seeds} seeds, {figures.rounds} rounds, delta {figures.delta:g}; "
            f"{figures.flippers:.0%} label flippers behind the AUC. Centralised, %: {centralised}. "
            + " ".join(figures.notes),
        ),
    )


def _accuracy_row(which: str, cell: Comparison) -> tuple[str, ...]:
    low, high = cell.interval
    difference = f"{100 * cell.difference:+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]"
    return which, f"{cell.federated:.2%}", f"{cell.centralised:.2%}", difference


def _peer_cells(ours: SecAggFigures, peer: FlowerFigures) -> list[str]:
    scaled = (
        "" if peer.peer_clients_measured == peer.clients else f" (scaled from {peer.peer_clients_measured})"
    )
    return [f"{peer.peer_cpu_s:.1f}{scaled}", f"{peer.peer_cpu_s / ours.cpu_s:.0f}"]


def _bytes_row(item: MethodFigures) -> tuple[str, ...]:
    cells = []
    for reached in item.reached:
        if reached.rounds is None or reached.up_bytes is None or reached.down_bytes is None:
            cells.append("-")
            continue
        shares = (
            "" if reached.up_share is None else f" ({reached.up_share:.1%}, {reached.down_share or 0:.1%})"
        )
        cells.append(
            f"{reached.rounds}, {reached.up_bytes / 1e6:.1f}, {reached.down_bytes / 1e6:.1f}{shares}"
        )
    return (
        item.model,
        item.method,
        "-" if item.bits is None else str(item.bits),
        f"{item.up_bytes_a_round:,}",
        f"{item.best_accuracy:.1%}",
        *cells,
    )
