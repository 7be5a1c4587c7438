"""The figures of valuation as tables."""

from __future__ import annotations

from benchmarks.tables import FigureTable
from benchmarks.valuation import (
    AUC_GOAL,
    AUC_GOAL_EASY,
    SHAPLEY_GOAL,
    SHAPLEY_GOAL_EASY,
    SHARE_GOAL,
    Spread,
    ValuationCell,
    ValuationFigures,
)
from benchmarks.valuation_run import CURVE, FORMER, GROUP_SHAPLEY, LEAVE_ONE_OUT, OURS


def valuation_table(figures: ValuationFigures) -> FigureTable:
    """How well devices are valued, ours beside the others, and the goals."""
    return FigureTable(
        title="device quality from cohort sums",
        columns=(
            "data",
            "devices",
            "cohort",
            "epsilon",
            "AUC",
            "rank: Shapley, leave one out",
            "GroupSV: AUC, rank",
            "goals missed",
        ),
        rows=tuple(_row(cell) for cell in figures.cells),
        notes=(
            f"Hospitals x devices: {', '.join(f'{name} {size}' for name, size in figures.devices.items())}; "
            f"{figures.rounds} rounds of `fediomt train`'s own training, every device in each. Not clean: "
            f"{', '.join(f'{share:.0%} {kind}' for kind, share in figures.shares.items())}. Means and sample "
            f"deviations over {_seeds(figures)}. AUC: flippers and free riders (zeros, or noise as long as an honest "
            "update) against clean devices; those with some random labels are in between, and count in the rank "
            "correlations. The truth is per device, on plain updates and rows that no validator holds: Shapley values "
            f"from {figures.orders} orders a round, and leave-one-out. How well it finds bad devices itself bounds "
            "what is to be expected: a device that sends zeros is worth more than many an honest one with few rows.",
            f"Goals without noise: AUC {AUC_GOAL_EASY} and rank {SHAPLEY_GOAL_EASY} at cohorts of 10 of devices that "
            f"are alike, {AUC_GOAL} and {SHAPLEY_GOAL} elsewhere, above GroupSV in both. Rank correlation of the "
            f"Shapley values with another estimate of them: {_reliability(figures)}.",
            f"Valuation's share of a round's CPU time (goal: below {SHARE_GOAL:.0%}), wdbc's linear model of 62 "
            "parameters, training and secure sums of all devices against both utilities, scores and decoding of all "
            "hospitals after 20 rounds: "
            + ", ".join(f"cohorts of {cost.cohort_size}: {cost.share:.1%}" for cost in figures.costs)
            + ".",
            *figures.notes,
        ),
    )


def valuation_details_table(figures: ValuationFigures) -> FigureTable:
    """What stands behind: bounds, the course over rounds, other methods, and who is paid too little."""
    return FigureTable(
        title="device quality from cohort sums, in detail",
        columns=(
            "data",
            "devices",
            "cohort",
            "epsilon",
            "no AUC above",
            "flippers alone",
            f"AUC after {', '.join(map(str, CURVE))} rounds",
            "former decoder: AUC, rank",
            "without one cohort: AUC, rank",
            "truth's own AUC: Shapley, leave one out",
            "below the gate: flippers, clean, clean without attack",
        ),
        rows=tuple(_details(cell) for cell in figures.cells),
    )


def _place(cell: ValuationCell) -> tuple[str, ...]:
    return (
        cell.data,
        "alike" if cell.alpha is None else f"Dirichlet {cell.alpha:g}",
        str(cell.cohort_size),
        "off" if cell.epsilon is None else f"{cell.epsilon:g}",
    )


def _row(cell: ValuationCell) -> tuple[str, ...]:
    ours, peer = cell.method(OURS), cell.method(GROUP_SHAPLEY)
    missed = ", ".join(name for name, reached in cell.goals.items() if not reached) or "none"
    return (
        *_place(cell),
        _spread(ours.auc),
        f"{_spread(ours.shapley)}, {_spread(ours.leave_one_out)}",
        f"{peer.auc.mean:.3f}, {peer.shapley.mean:.3f}",
        missed if cell.epsilon is None else "-",
    )


def _details(cell: ValuationCell) -> tuple[str, ...]:
    former, left_out = cell.method(FORMER), cell.method(LEAVE_ONE_OUT)
    honest = "-" if cell.falsely_caught is None else f"{cell.falsely_caught.mean:.1%}"
    return (
        *_place(cell),
        f"{cell.auc_bound:.3f}",
        _spread(cell.method(OURS).auc_flippers),
        ", ".join(f"{value:.2f}" for value in cell.curve),
        f"{former.auc.mean:.3f}, {former.shapley.mean:.3f}",
        f"{left_out.auc.mean:.3f}, {left_out.shapley.mean:.3f}",
        f"{cell.truth.auc.mean:.3f}, {cell.truth_leave_one_out.auc.mean:.3f}",
        f"{cell.caught.mean:.0%}, {cell.paid_too_little.mean:.1%}, {honest}",
    )


def _spread(value: Spread) -> str:
    return f"{value.mean:.3f}" if value.deviation is None else f"{value.mean:.3f} +- {value.deviation:.3f}"


def _reliability(figures: ValuationFigures) -> str:
    found = [cell.reliability.mean for cell in figures.cells if cell.epsilon is None]
    return f"{min(found):.2f} to {max(found):.2f}" if found else "not measured"


def _seeds(figures: ValuationFigures) -> str:
    """How many seeds, with noise and without."""
    noised = {cell.epsilon is not None: cell.seeds for cell in figures.cells}
    texts = {False: "seeds without noise", True: "with"}
    return ", ".join(f"{noised[key]} {texts[key]}" for key in sorted(noised))
