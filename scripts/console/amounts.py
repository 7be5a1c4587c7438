"""Amounts of tokens as people write them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from scripts.console.errors import CommandError

_LARGEST = Decimal(10) ** 18


def in_units(text: str, decimals: int, *, largest: Decimal = _LARGEST) -> int:
    """An amount in the smallest unit.

    Args:
        text: the amount in whole tokens, such as 25 or 0.5.
        decimals: of the token.
        largest: the largest amount that makes sense, in whole tokens.

    Raises:
        CommandError: not a number, not above 0, too large, or finer than the smallest unit.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value > largest:
        raise CommandError(f"{text!r} is no amount of tokens: give a number such as 25 or 0.5")
    units = value.scaleb(decimals)
    if units <= 0 or units != units.to_integral_value():
        raise CommandError(
            f"{text!r} is no amount of tokens: it must be above 0 and have at most {decimals} decimals"
        )
    return int(units)
