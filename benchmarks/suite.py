"""Everything that the page of figures shows, part by part; what a part found is kept whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy import measure_accuracy
from benchmarks.audit import audit_table, measure_audit
from benchmarks.bytes import measure_bytes
from benchmarks.canary import measure_canary
from benchmarks.incentives import measure_incentives
from benchmarks.incentives_table import incentives_table
from benchmarks.index import index_table, measure_index
from benchmarks.page import Section
from benchmarks.poisoning import measure_poisoning
from benchmarks.poisoning_plot import plot_poisoning
from benchmarks.poisoning_tables import attacks_table, poisoning_table
from benchmarks.population import measure_population
from benchmarks.quarantine import measure_quarantine
from benchmarks.quarantine_table import quarantine_tables
from benchmarks.secagg import SecAggFigures, measure_secagg
from benchmarks.tables import (
    accuracy_table,
    bytes_table,
    canary_table,
    engine_table,
    population_table,
    secagg_table,
    tradeoff_table,
)
from benchmarks.tradeoff import measure_tradeoff
from benchmarks.tradeoff_plot import plot_tradeoff
from benchmarks.training_engine import measure_engine
from benchmarks.valuation import measure_valuation
from benchmarks.valuation_table import valuation_details_table, valuation_table
from fl_core.errors import SpecError

Say = Callable[[str], None]

RESULTS = Path("benchmarks/results")
_GRAPHS: tuple[int | str | None, ...] = (14, 40, 60, None)
_DROPOUTS = (0.0, 0.3)
_ADVERSARIES = ("semi-honest", "active")


@dataclass(frozen=True)
class Order:
    """How a part is to be measured.

    Attributes:
        seeds: seeds of the accuracy benchmark.
        quick: fewer configurations, for a first look.
        pictures: folder for pictures, beside the page.
        say: called with what is being measured.
    """

    seeds: int
    quick: bool
    pictures: Path
    say: Say


def measured_part(name: str, order: Order, results: Path) -> Section:
    """Measure one part and keep it as `results`/NAME.json."""
    order.say(name)
    section = PARTS[name](order)
    section.save(results / f"{name}.json")
    return section


def kept_parts(results: Path) -> Iterator[Section]:
    """What is kept, in the order of the page."""
    for name in PARTS:
        path = results / f"{name}.json"
        if path.exists():
            yield Section.load(path)


def _accuracy(order: Order) -> Section:
    figures = measure_accuracy(order.seeds)
    return Section(
        f"fediomt bench accuracy --seeds {order.seeds}", (accuracy_table(figures),), figures.to_json()
    )


def _secagg(order: Order) -> Section:
    sums = list(_sums(order.quick, order.say))
    return Section(
        "fediomt bench secagg --clients N --dim D --neighbours K --dropout P --adversary A",
        (secagg_table(sums),),
        [figures.to_json() for figures in sums],
    )


def _engine(order: Order) -> Section:
    found = []
    for private in (False, True):
        for epochs in (1,) if private or order.quick else (1, 5):
            order.say(f"local training, {epochs} epochs" + (", per-record privacy" if private else ""))
            found.append(measure_engine(epochs=epochs, record_privacy=private))
    return Section(
        "fediomt bench engine --epochs E [--record-privacy]",
        (engine_table(found),),
        [figures.to_json() for figures in found],
    )


def _population(order: Order) -> Section:
    sizes = [(1_000, 10, 2, 3), (1_000, 10, 1, 3), (10_000, 100, 1, 1)]
    found = []
    for devices, hospitals, workers, rounds in sizes[:1] if order.quick else sizes:
        order.say(f"rounds of {devices:,} devices, {workers} workers")
        found.append(measure_population(devices=devices, hospitals=hospitals, workers=workers, rounds=rounds))
    return Section(
        "fediomt bench population --devices N --hospitals H --workers W",
        (population_table(found),),
        [figures.to_json() for figures in found],
    )


def _audit(order: Order) -> Section:
    rounds, devices = (3, 200) if order.quick else (50, 1_000)
    figures = measure_audit(rounds=rounds, devices=devices, say=order.say)
    return Section(
        f"fediomt bench audit --rounds {rounds} --devices {devices}",
        (audit_table(figures),),
        figures.to_json(),
    )


def _bytes(order: Order) -> Section:
    if order.quick:
        figures = measure_bytes(("lite",), seeds=1, settings=2, progress=order.say)
    else:
        figures = measure_bytes(progress=order.say)
    return Section("fediomt bench bytes", (bytes_table(figures),), figures.to_json())


def _tradeoff(order: Order) -> Section:
    figures = measure_tradeoff(
        quick=order.quick, progress=lambda done, of: order.say(f"{done} of {of} federations")
    )
    order.pictures.mkdir(parents=True, exist_ok=True)
    plot_tradeoff(order.pictures / "tradeoff.png", figures)
    return Section("fediomt bench tradeoff", (tradeoff_table(figures),), figures.to_json(), "tradeoff.png")


def _canary(order: Order) -> Section:
    runs = 20_000 if order.quick else 400_000
    figures = measure_canary(runs=runs, progress=order.say)
    return Section(f"fediomt bench canary --runs {runs}", (canary_table(figures),), figures.to_json())


def _poisoning(order: Order) -> Section:
    figures = measure_poisoning(quick=order.quick, progress=order.say)
    order.pictures.mkdir(parents=True, exist_ok=True)
    plot_poisoning(order.pictures / "poisoning.png", figures)
    return Section(
        "fediomt bench poisoning",
        (poisoning_table(figures), attacks_table(figures)),
        figures.to_json(),
        "poisoning.png",
    )


def _quarantine(order: Order) -> Section:
    figures = measure_quarantine(quick=order.quick, progress=order.say)
    return Section("fediomt bench quarantine", quarantine_tables(figures), figures.to_json())


def _incentives(order: Order) -> Section:
    figures = measure_incentives(quick=order.quick, progress=order.say)
    return Section("fediomt bench incentives", (incentives_table(figures),), figures.to_json())


def _valuation(order: Order) -> Section:
    figures = measure_valuation(
        quick=order.quick, progress=lambda done, of: order.say(f"{done} of {of} valued runs")
    )
    tables = valuation_table(figures), valuation_details_table(figures)
    return Section("fediomt bench valuation", tables, figures.to_json())


def _index(order: Order) -> Section:
    rows = 40_000 if order.quick else 1_000_000
    figures = measure_index(rows=rows, say=order.say)
    return Section(
        f"fediomt bench index --rows {rows}", (index_table(figures),), [item.to_json() for item in figures]
    )


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
            repeats = 1 if quick else 3 if clients <= 100 else 2
            try:
                yield measure_secagg(clients, 100_000, graph, dropout, adversary, repeats=repeats)
            except SpecError:
                continue


PARTS: Mapping[str, Callable[[Order], Section]] = {
    "accuracy": _accuracy,
    "secagg": _secagg,
    "engine": _engine,
    "population": _population,
    "bytes": _bytes,
    "tradeoff": _tradeoff,
    "canary": _canary,
    "poisoning": _poisoning,
    "audit": _audit,
    "quarantine": _quarantine,
    "incentives": _incentives,
    "valuation": _valuation,
    "index": _index,
}
