"""The figures of suspicion and quarantine as tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quarantine import ACTIVE_COHORT, PowerCell, QuarantineFigures, SavedCell
from benchmarks.quarantine_rounds import Conduct
from benchmarks.tables import FigureTable


def quarantine_tables(figures: QuarantineFigures) -> tuple[FigureTable, ...]:
    """Power and errors of the rules, errors alone, what quarantine saves, and what a lying validator can do."""
    return _power_table(figures), _error_table(figures), _saved_table(figures), _lies_table(figures)


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
            "typical one; half of that margin beside it. On the median is the same bet, placed once on the lower "
            "median of the validators' views, which one lying validator can bend. Posterior z aims at as much over "
            "all devices and rounds by a normal posterior; the gate is the reward rule's for pay, which promises "
            "nothing. Where labels are skewed, some honest devices do harm by more than a margin; who is suspected "
            "there is counted as wrong all the same.",
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


def _error_table(figures: QuarantineFigures) -> FigureTable:
    """Runs without misconduct beside all with some."""
    rules = list(dict.fromkeys(cell.rule for cell in figures.power))
    groups: dict[tuple[float | None, int, bool], list[PowerCell]] = {}
    for cell in figures.power:
        groups.setdefault((cell.alpha, cell.cohort_size, cell.conduct != Conduct.HONEST), []).append(cell)
    rows = []
    for (alpha, size, attacked), found in sorted(groups.items(), key=lambda item: _order(*item[0])):
        cells = [[cell for cell in found if cell.rule == rule] for rule in rules]
        runs = "with misconduct" if attacked else "all honest"
        rows.append((_split(alpha), str(size), runs, *map(_wrong, cells)))
    return FigureTable(
        title=f"honest devices wrongly suspected, {figures.data}",
        columns=("labels", "cohorts of", "runs", *rules),
        rows=tuple(rows),
        notes=(
            "The same runs, without misconduct and all with some: runs with any honest device suspected, and the "
            "share of honest devices that is.",
        ),
    )


def _order(alpha: float | None, size: int, attacked: bool) -> tuple[bool, float, int, bool]:
    return alpha is not None, -(alpha or 0), size, attacked


def _wrong(cells: Sequence[PowerCell]) -> str:
    runs, share = sum(cell.seeds for cell in cells), sum(cell.false_share for cell in cells) / len(cells)
    return f"{sum(cell.false_runs for cell in cells)} of {runs} runs, {share:.2%}"


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
            "quarantine gains, points",
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
                _gain(cell),
                f"{cell.absent:.0%} of the rounds",
                f"{cell.honest_absent:.1%}",
            )
            for cell in figures.saved
        ),
        notes=(
            f"After {figures.rounds} rounds, means over {figures.seeds} seeds (of the gain: standard deviation over "
            "seeds). A first quarantine lasts "
            f"{settings.quarantine_rounds} rounds, each later one twice as long as the one before; then "
            f"{settings.probation_rounds} rounds of unpaid probation, failed by an honest device in at most "
            f"{settings.probation_alpha:.0%} of all cases.",
        ),
    )


def _gain(cell: SavedCell) -> str:
    spread = "" if cell.gained_spread is None else f" ({100 * cell.gained_spread:.1f})"
    return f"{100 * cell.gained:+.1f}{spread}"


def _lies_table(figures: QuarantineFigures) -> FigureTable:
    return FigureTable(
        title=f"one lying validator of {figures.hospitals}, all devices honest",
        columns=(
            "data",
            "cohorts of",
            "rule",
            "victims suspected if nobody lies",
            "if one does",
            "median round",
        ),
        rows=tuple(
            (
                cell.data,
                str(cell.cohort_size),
                cell.rule,
                f"{cell.truthful} of {cell.tries}",
                f"{cell.suspected} of {cell.tries}",
                "-" if cell.rounds_to_suspicion is None else f"{cell.rounds_to_suspicion:g}",
            )
            for cell in figures.lies
        ),
        notes=(
            f"Labels dealt alike, {figures.rounds} rounds, {figures.seeds} seeds. Each round the liar knows the draw, "
            "and says of its victim's cohort the least that an honest validator says, and of the other cohorts of "
            "the victim's hospital the most; a device of each hospital is the victim once a seed.",
        ),
    )


def _split(alpha: float | None) -> str:
    return "dealt alike" if alpha is None else f"Dirichlet {alpha:g}"
