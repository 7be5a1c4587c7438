"""The figures of suspicion and quarantine as tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quarantine import ACTIVE_COHORT, PowerCell, QuarantineFigures
from benchmarks.tables import FigureTable


def quarantine_tables(figures: QuarantineFigures) -> tuple[FigureTable, ...]:
    """Power and errors of the rules, and what quarantine saves."""
    return _power_table(figures), _saved_table(figures)


def _power_table(figures: QuarantineFigures) -> FigureTable:
    cells = figures.power
    rules = list(dict.fromkeys(cell.rule for cell in cells))
    groups: dict[tuple[float | None, str, int], list[PowerCell]] = {}
    for cell in cells:
        groups.setdefault((cell.alpha, cell.conduct, cell.cohort_size), []).append(cell)
    settings = figures.settings
    return FigureTable(
        title=f"suspecting devices, {figures.data}: found within {figures.rounds} rounds, and wrongly suspected",
        columns=("labels", "misconduct", "cohorts of", *rules),
        rows=tuple(
            (_split(alpha), conduct, str(size), *(_cell(_of(found, rule)) for rule in rules))
            for (alpha, conduct, size), found in groups.items()
        ),
        notes=(
            f"{figures.hospitals} hospitals, {figures.devices} devices of which {figures.bad} misbehave, "
            f"{figures.seeds} seeds, no noise, sums only. Each cell: share of the bad ones that is suspected, mean "
            "(standard deviation over seeds); median round of the first suspicion, - where half or more are missed; "
            "runs with any honest device suspected, and the share of the honest ones that is.",
            f"Betting is the product's test: at most {settings.alpha:.0%} of all runs may suspect any honest "
            f"device, where honest means no more than {settings.margin:g} deviations of single devices behind the "
            "typical one; half of that margin beside it. Posterior z aims at as much over all devices and rounds by "
            "a normal posterior; the gate is the reward rule's for pay, which promises nothing. Where labels are "
            "skewed, some honest devices do harm by more than a margin; who is suspected there is counted as wrong "
            "all the same.",
        ),
    )


def _of(found: Sequence[PowerCell], rule: str) -> PowerCell:
    return next(cell for cell in found if cell.rule == rule)


def _cell(cell: PowerCell) -> str:
    wrong = f"wrong: {cell.false_runs} of {cell.seeds} runs, {cell.false_share:.1%}"
    if cell.power is None:
        return wrong
    spread = "" if cell.spread is None else f" ({cell.spread:.0%})"
    when = "-" if cell.rounds_to_detection is None else f"{cell.rounds_to_detection:g}"
    return f"{cell.power:.0%}{spread}, round {when}; {wrong}"


def _saved_table(figures: QuarantineFigures) -> FigureTable:
    settings = figures.settings
    return FigureTable(
        title=f"what quarantine saves, {figures.data}, cohorts of {ACTIVE_COHORT}",
        columns=(
            "labels",
            "misconduct",
            "accuracy, all honest",
            "with it",
            "with it and quarantine",
            "bad devices kept out or unpaid",
            "honest ones",
        ),
        rows=tuple(
            (
                _split(cell.alpha),
                cell.conduct,
                f"{cell.honest:.1%}",
                f"{cell.attacked:.1%}",
                f"{cell.quarantined:.1%}",
                f"{cell.absent:.0%} of the rounds",
                f"{cell.honest_absent:.1%}",
            )
            for cell in figures.saved
        ),
        notes=(
            f"After {figures.rounds} rounds, means over {figures.seeds} seeds. A first quarantine lasts "
            f"{settings.quarantine_rounds} rounds, each later one twice as long as the one before; then "
            f"{settings.probation_rounds} rounds of unpaid probation, failed by an honest device in at most "
            f"{settings.probation_alpha:.0%} of all cases.",
        ),
    )


def _split(alpha: float | None) -> str:
    return "dealt alike" if alpha is None else f"Dirichlet {alpha:g}"
