"""Everything that the page of figures shows, measured one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.accuracy import measure_accuracy
from benchmarks.bytes import measure_bytes
from benchmarks.page import Section
from benchmarks.secagg import SecAggFigures, measure_secagg
from benchmarks.tables import accuracy_table, bytes_table, engine_table, secagg_table, tradeoff_table
from benchmarks.tradeoff import measure_tradeoff
from benchmarks.training_engine import measure_engine
from fl_core.errors import SpecError

Say = Callable[[str], None]

_GRAPHS: tuple[int | str | None, ...] = (14, 40, 60, None)
_DROPOUTS = (0.0, 0.3)
_ADVERSARIES = ("semi-honest", "active")


def measure_suite(*, seeds: int, quick: bool, say: Say) -> list[Section]:
    """All sections of the page.

    Args:
        seeds: seeds of the accuracy benchmark.
        quick: fewer configurations, for a first look.
        say: called with what is being measured.
    """
    say("accuracy")
    sections = [
        Section(f"fediomt bench accuracy --seeds {seeds}", (accuracy_table(measure_accuracy(seeds)),))
    ]
    sums = list(_sums(quick, say))
    command = "fediomt bench secagg --clients N --dim D --neighbours K --dropout P --adversary A"
    sections.append(Section(command, (secagg_table(sums),)))
    engine = []
    for private in (False, True):
        for epochs in (1,) if private or quick else (1, 5):
            say(f"local training, {epochs} epochs" + (", per-record privacy" if private else ""))
            engine.append(measure_engine(epochs=epochs, record_privacy=private))
    sections.append(Section("fediomt bench engine --epochs E [--record-privacy]", (engine_table(engine),)))
    figures = measure_bytes(("lite",) if quick else ("lite", "mlp"), progress=say)
    sections.append(Section("fediomt bench bytes", (bytes_table(figures),)))
    say("utility against privacy")
    sections.append(Section("fediomt bench tradeoff", (tradeoff_table(measure_tradeoff(quick=quick)),)))
    return sections


def _sums(quick: bool, say: Say) -> Iterator[SecAggFigures]:
    """Secure aggregation on the graphs and dropout rates of the page; what cannot survive its dropouts is left out."""
    settings: list[tuple[int, int | str | None, float]] = [
        (100, graph, dropout) for graph in _GRAPHS for dropout in _DROPOUTS
    ]
    if not quick:
        settings.append((1_000, "derived", 0.0))
    for clients, graph, dropout in settings:
        for adversary in _ADVERSARIES:
            say(f"secure aggregation, {clients} clients, {graph or 'complete'}, {dropout:.0%}, {adversary}")
            repeats = 1 if quick or clients > 100 else 3
            try:
                yield measure_secagg(clients, 100_000, graph, dropout, adversary, repeats=repeats)
            except SpecError:
                continue
