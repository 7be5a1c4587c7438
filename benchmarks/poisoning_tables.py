"""Poisoning as tables: each rule's worst attack, and every attack."""

from __future__ import annotations

from benchmarks.poisoning import COHORT, GOAL, HOSPITALS, AttackCell, PoisoningFigures
from benchmarks.poisoning_grid import RULES, SCENARIOS
from benchmarks.tables import FigureTable
from benchmarks.tradeoff_federation import ROOT_SHARE


def poisoning_table(figures: PoisoningFigures) -> FigureTable:
    """Test accuracy of each rule under its worst attack, a row a scenario."""
    rules = _rules(figures)
    rows = []
    for data in figures.devices:
        honest = {c.rule: c for c in figures.cells if (c.data, c.scenario) == (data, "honest")}
        rows.append((data, "all honest", *(_accuracy(honest[rule]) for rule in rules)))
        for scenario in SCENARIOS:
            worst = [figures.worst(data, scenario.name, rule) for rule in rules]
            rows.append(
                (data, scenario.label, *(f"{_accuracy(c)}, {c.attack.replace('_', ' ')}" for c in worst))
            )
    return FigureTable(
        title="poisoning: test accuracy (%) under each rule's worst attack",
        columns=("data", "attackers", *rules),
        rows=tuple(rows),
        notes=(*_setting(figures), _goals(figures)),
    )


def attacks_table(figures: PoisoningFigures) -> FigureTable:
    """Points of accuracy lost, a row an attack; for the backdoor, how often its trigger works besides."""
    rules = _rules(figures)
    rows = []
    for data in figures.devices:
        for scenario in SCENARIOS:
            here = [c for c in figures.cells if (c.data, c.scenario) == (data, scenario.name)]
            for attack in dict.fromkeys(c.kind for c in here):
                worst = [
                    max((c for c in here if (c.kind, c.rule) == (attack, rule)), key=lambda c: c.loss)
                    for rule in rules
                ]
                rows.append((data, scenario.label, attack.replace("_", " "), *(_lost(c) for c in worst)))
    return FigureTable(
        title="poisoning: points of accuracy lost, attack by attack",
        columns=("data", "attackers", "attack", *rules),
        rows=tuple(rows),
        notes=(
            "Lost against the plain mean over honest devices. In brackets: share of the test rows of other classes "
            "that the backdoor's trigger turns into the attackers' class; without an attack "
            + ", ".join(
                f"{100 * c.backdoor:.0f}% ({c.data})"
                for c in figures.cells
                if (c.scenario, c.rule) == ("honest", "mean")
            )
            + ".",
        ),
    )


def _rules(figures: PoisoningFigures) -> tuple[str, ...]:
    there = {cell.rule for cell in figures.cells}
    return tuple(rule for rule in RULES if rule in there)


def _accuracy(cell: AttackCell) -> str:
    spread = "" if cell.spread is None else f" +- {100 * cell.spread:.1f}"
    return f"{100 * cell.accuracy:.1f}{spread}"


def _lost(cell: AttackCell) -> str:
    lost = f"{100 * cell.loss:+.1f}"
    return f"{lost} ({100 * cell.backdoor:.0f}%)" if cell.attack == "backdoor" else lost


def _setting(figures: PoisoningFigures) -> tuple[str, ...]:
    devices = ", ".join(f"{count} devices ({data})" for data, count in figures.devices.items())
    roots = ", ".join(f"{count} rows of {data}" for data, count in figures.root_rows.items())
    alone = ", ".join(f"{100 * value:.1f} ({data})" for data, value in figures.root_alone.items())
    return (
        f"{devices} at {HOSPITALS} hospitals, cohorts of {COHORT}, {figures.rounds} rounds from an untrained logistic "
        f"model, profile accountable without noise, {figures.seeds} seeds. Attackers of class (a) send any update that "
        "their clip lets pass, which is more than poisoned rows could teach; those of class (b) whatever is not "
        "refused. They know rule, draw and, against fltrust, the root update; there the adaptive attack is the worst "
        f"of {_pulls(figures)} pulls aside, each played with all seeds.",
        f"fltrust trusts {ROOT_SHARE:.0%} of the rows ({roots}), which nobody trains or validates on and no attacker "
        "chose: har's from subjects that no device has, wdbc's from the validation rows. Trained on alone they give "
        f"{alone}.",
    )


def _pulls(figures: PoisoningFigures) -> int:
    """How many pulls a rule with a root update was attacked with."""
    return len({c.attack for c in figures.cells if c.kind == "adaptive" and RULES[c.rule].takes_root})


def _goals(figures: PoisoningFigures) -> str:
    said = [
        f"{goal.data}, {goal.goal}: {100 * goal.loss:.1f} points, {goal.attack.replace('_', ' ')}, "
        + ("met" if goal.met else "missed")
        for goal in figures.goals
    ]
    return f"Goal under fltrust: at most {100 * GOAL:.0f} points. " + "; ".join(said) + "."
