"""Figures as tables: the same rows on the screen and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.accuracy import AccuracyFigures, Comparison
from benchmarks.bytes import ByteFigures, MethodFigures, Reached
from benchmarks.canary import CanaryFigures
from benchmarks.peers.flower_secagg import FlowerFigures
from benchmarks.population import PopulationFigures
from benchmarks.secagg import SecAggFigures
from benchmarks.tradeoff import TradeoffFigures
from benchmarks.tradeoff_plot import tradeoff_rows
from benchmarks.training_engine import EngineFigures
from fl_core.privacy.canary import CanaryReport

_FEW_SUBJECTS = (
    "The devices of har hold the windows of 21 training subjects, some 7 windows each with 1,000 devices: epsilon is "
    "for a device, and a subject has dozens of them, for whom together nothing is claimed (the person-level epsilon "
    "that `fediomt train` prints is infinite there)."
)


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
        """The table and its notes as Markdown, without the title; a paragraph a note."""
        lines = [line for note in self.notes for line in (note, "")]
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
    start = ", ".join(f"{model} {accuracy:.1%}" for model, accuracy in figures.start_accuracy.items())
    protocol = ", ".join(f"{item.members}: {item.up_bytes:,}" for item in figures.protocol)
    return FigureTable(
        title=f"bytes to an accuracy, har, {figures.devices:,} devices",
        columns=(
            "model",
            "method",
            "epochs, rate",
            "sent",
            "up a device and round",
            "best accuracy",
            *(
                f"{reached.accuracy:.0%}: rounds, up MB, down MB (share of float32's)"
                for reached in figures.figures[0].reached
            ),
        ),
        rows=tuple(_bytes_row(item) for item in figures.figures),
        notes=(
            f"10 edges, profile private, cohorts of 24, k_min 16; a tenth of the devices is absent in each round. "
            f"Medians over {figures.seeds} seeds; - where half of the runs or more did not get there in "
            f"{figures.rounds} rounds. Each method's setting was chosen from {figures.figures[0].tried} of its own by "
            "the bytes it took, on a third of the devices of 15 training subjects, judged by the other 6; reported is "
            "the test on the nine test subjects. Every method starts from the same model, learnt from 2% of the rows, "
            f"which are public and held by no device ({start}), and has features scaled by them.",
            f"The server's momentum of {figures.momentum:g} is the benchmark's, for every method alike: with it "
            "plain FedAvg needs fewer rounds; the product's cloud averages plainly. Noise is agreed as "
            "`fediomt train` does: over all rounds of a run, for 16 survivors a cohort of which 2 are corrupted, 7 of "
            "the 10 hospitals of which 1 is.",
            "Bytes are those of encoded messages between devices and edges, secure aggregation's own included, which "
            f"alone takes (members of a cohort: bytes up a device and round) {protocol}. Down is the whole model, as "
            "the product sends it; in brackets behind it, where less, what patches of the changed coordinates would "
            "take, which it does not send yet. "
            + _FEW_SUBJECTS
            + "".join(" " + _sentence(note) for note in figures.notes),
        ),
    )


def canary_table(figures: CanaryFigures) -> FigureTable:
    """Lower bounds of epsilon from attacks."""
    broken = list(figures.cells[0].broken)
    return FigureTable(
        title="canary attack: what an attacker can show of epsilon",
        columns=(
            "profile",
            "claimed",
            "lower bound, 95% interval",
            "with near Gaussian noise",
            "verdict",
            *(f"broken: {kind}" for kind in broken),
        ),
        rows=tuple(
            (
                cell.profile,
                f"{cell.sound.claimed:g}",
                f"{cell.sound.estimate:.2f} [{cell.sound.low:.2f}, {cell.sound.high:.2f}]",
                f"[{cell.sound.gaussian_low:.2f}, {cell.sound.gaussian_high:.2f}]",
                cell.verdict,
                *(_broken_cell(cell.broken[kind]) for kind in broken),
            )
            for cell in figures.cells
        ),
        notes=(
            f"{figures.runs:,} runs with and without the canary, {figures.rounds} rounds, delta {figures.delta:g}. The "
            "attack sees what is released, knows every other update and the noise of all devices and hospitals that "
            "the claim does not count on. The first interval assumes nothing of the noise, and nears the truth with "
            "more runs; the verdict is `open` where it holds the claim. Broken mechanisms claim the same, and are "
            "found where its lower end is above the claim. The worst case of "
            "`hospital` is a hospital with one cohort, which is that of `accountable`.",
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


def population_table(figures: Sequence[PopulationFigures]) -> FigureTable:
    """Seconds of whole rounds, and memory."""
    return FigureTable(
        title="a whole round of a population",
        columns=(
            "devices",
            "edges",
            "workers",
            "s a round",
            "first round s",
            "CPU ms a device",
            "keys of an epoch s",
            "up, bytes a device",
            "down, bytes a device",
            "largest process MB",
        ),
        rows=tuple(
            (
                f"{item.devices:,}",
                str(item.hospitals),
                str(item.workers),
                f"{item.s_per_round:.2f}",
                f"{item.first_round_s:.2f}",
                f"{item.cpu_ms_per_device:.2f}",
                f"{item.epoch_s:.1f}",
                f"{item.wire_bytes_up / item.devices:,.0f}",
                f"{item.wire_bytes_down / item.devices:,.0f}",
                f"{item.peak_bytes / 1e6:,.0f}",
            )
            for item in figures
        ),
        notes=tuple(
            dict.fromkeys(
                f"Training, noise (epsilon {item.epsilon:g} at release, profile `hospital`), secure aggregation of "
                f"every cohort of {item.cohort_size} or more with {item.fraction:.0%} of {item.parameters:,} "
                "parameters, error feedback, and the next model; made-up rows. With several workers a process holds "
                "what it shares with the others too, so their memory does not add up: the rows with one worker are "
                "the whole."
                for item in figures
            )
        ),
    )


def tradeoff_table(figures: TradeoffFigures) -> FigureTable:
    """Accuracy and detection by profile, epsilon and number of devices."""
    baselines = "; ".join(
        f"{b.data} {b.model} {b.centralised:.1%} ({b.centralised_all_columns:.1%} on all columns, root set alone "
        f"{b.public_only:.1%})"
        for b in figures.baselines
    )
    goals = "; ".join(
        f"{goal.profile} {goal.accuracy:.1%} ({'reached' if goal.reached else 'missed'}: {goal.wanted:.0%})"
        for goal in figures.goals
    )
    return FigureTable(
        title="accuracy and detection against epsilon",
        columns=(
            "data",
            "model",
            "devices",
            "profile",
            "epsilon",
            "at the edge",
            "accuracy",
            "against centralised",
            "flipper AUC",
            "its bound",
        ),
        rows=tuple(tradeoff_rows(figures)),
        notes=(
            f"Means over {figures.seeds} seeds (mlp: 1), {figures.rounds} rounds, delta {figures.delta:g}. Noise is "
            "agreed as `fediomt train` does, for the fewest survivors and with one hospital corrupted in `private`. "
            f"Each federation was tuned over {figures.tries} settings on its validation rows, each baseline over as "
            f"many on subjects it did not train on. Centralised: {baselines}. Goals at epsilon 1, har, 1,000 devices: "
            f"{goals or 'not in this grid'}. What reaches them: a lite model on a public projection of 160 "
            "directions, a public start, one full-batch step a round; see docs/decisions.md for what did not help.",
            f"AUC: {figures.flippers:.0%} of the devices flip labels, ranked by decoded quality in `accountable`, by "
            "their hospital's score in `hospital` (flippers are spread over all hospitals, so that it tells little); "
            "`private` scores nobody (n/a). The bound, Phi(sqrt(2) mu), holds for any detector that sees what is "
            "released, where flipper and honest device are in different sums and the noise is near Gaussian. On wdbc "
            "the utilities themselves mislead: after an overconfident public start of 12 rows flippers can truly "
            "lower the validators' loss, in two of three federations looked at.",
            "Epsilon is that at release, at the delta of the goals. The product's default for 1,000 devices is 1e-6: "
            "there 1 is 1.13 and 8 is 8.77.",
            _FEW_SUBJECTS + "".join(" " + _sentence(note) for note in figures.notes),
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
    setting = item.setting
    sent = "all" if setting.fraction == 1 else f"{setting.fraction:.0%}"
    overhead = f" (protocol {item.protocol_up_bytes:,})" if item.protocol_up_bytes else ""
    return (
        item.model,
        item.method,
        f"{setting.epochs}, {setting.learning_rate:g}",
        sent if item.bits is None else f"{sent}, {item.bits} bits",
        f"{item.up_bytes_a_round:,}{overhead}",
        f"{item.best_accuracy:.1%}",
        *(_reached_cell(reached) for reached in item.reached),
    )


def _reached_cell(reached: Reached) -> str:
    if reached.rounds is None or reached.up_bytes is None or reached.down_bytes is None:
        return "-"
    up, down = (
        "" if share is None else f" ({share:.1%})" for share in (reached.up_share, reached.down_share)
    )
    patched = reached.patched_bytes
    less = f" [{patched / 1e6:.1f}]" if patched is not None and patched < reached.down_bytes else ""
    return f"{reached.rounds:g}, {reached.up_bytes / 1e6:.1f}{up}, {reached.down_bytes / 1e6:.1f}{down}{less}"


def _broken_cell(report: CanaryReport) -> str:
    return f"{'found' if report.low > report.claimed else 'NOT FOUND'}, above {report.low:.2f}"


def _sentence(note: str) -> str:
    return note[0].upper() + note[1:].rstrip(".") + "."
