"""A hospital's capacity as it is given and as the contracts keep it."""

from __future__ import annotations

from fractions import Fraction

from scripts.console.errors import CommandError


def capacity_bps(percent: float) -> int:
    """Basis points of a round's budget, from percent as it was written: 8.2 is 820.

    Raises:
        CommandError: it is above 100%, or not even one basis point.
    """
    points = round(Fraction(str(percent)) * 100) if 0 < percent <= 100 else 0
    if points == 0:
        raise CommandError(f"a capacity of {percent:g}% makes no sense: choose 0.01 to 100")
    return points
