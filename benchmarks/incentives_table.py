"""The games of the incentives as tables."""

from __future__ import annotations

from benchmarks.incentives import IncentiveFigures
from benchmarks.tables import FigureTable


def incentives_table(figures: IncentiveFigures) -> FigureTable:
    """Income of each strategy beside honest play, at each capacity."""
    capacities = list(dict.fromkeys(game.capacity for game in figures.games))
    by_name = {(game.name, game.capacity): game for game in figures.games}
    rows = []
    for name in dict.fromkeys(game.name for game in figures.games):
        cells = [by_name[name, capacity] for capacity in capacities]
        rows.append(
            (
                name,
                str(cells[0].hospitals),
                *(
                    text
                    for cell in cells
                    for text in (_percent(cell.gain, cell.spread), _percent(cell.others))
                ),
                f"{cells[0].unpaid:.0%}",
            )
        )
    held = "held in every game" if figures.within_capacity else "WAS BROKEN"
    profitable = [game for game in figures.games if game.profits]
    names = "; ".join(f"{game.name} ({game.capacity}: {game.gain:+.0%})" for game in profitable)
    riders = "; ".join(
        f"{device.conduct} {device.income:.0%} ({device.last_rounds:.0%} in the second half of the rounds; weight 0 in "
        f"{device.gated:.0%} of them)"
        for device in figures.devices
    )
    return FigureTable(
        title="what strategies earn beside honest play",
        columns=(
            "strategy",
            "hospitals",
            *(text for capacity in capacities for text in (f"capacity {capacity}: they", "all others")),
            "rounds unpaid",
        ),
        rows=tuple(rows),
        notes=(
            f"{figures.hospitals} hospitals of {figures.devices_each} devices, {figures.rounds} rounds, "
            f"{figures.seeds} seeds of real training on {figures.data}; the product's reward rule, commitments and "
            "checks. Change of income against honest play, mean and standard deviation over seeds. Everybody's "
            "voted capacity is 1 / hospitals of the budget (an equal part), or half as much again. That no "
            f"allocation exceeds its hospital's capacity {held}.",
            f"What gains more than half a percent: {names or 'nothing'}. Volume and class are declared, capped "
            "and auditable, not verified: whoever overstates them gains up to its voted capacity and no more, and "
            "the others lose, since volume is shared by proportion. So a capacity should be voted near a "
            "hospital's honest part. A lone validator gains nothing by any score, nor by not looking: laziness is "
            "not punished either. A coalition above (n - 1) / 2 decides all qualities, and the bonus.",
            "Where a hospital's leaves do not follow from its bundle, the others attest the round and have that one "
            "entry voided before the close: it is paid nothing, and what is a bond's loss besides is not counted here. "
            "Where more than a third of the hospitals do it, nobody attests, and the round's emission rolls over.",
            f"Devices, income over the mean honest one of their hospital (10% of the devices, no quarantine): "
            f"{riders}. The owner of one device that is enrolled twice gains {figures.two_accounts:+.0%}, "
            "from the other devices of its hospital: enrolment is the hospital's to check.",
        ),
    )


def _percent(value: float, spread: float | None = None) -> str:
    return f"{value:+.1%}" + ("" if spread is None else f" ({spread:.1%})")
