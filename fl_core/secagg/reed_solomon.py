"""Shares with errors among them: Shamir's shares are a Reed-Solomon codeword, decoded after Gao (2003).

Of r shares of a secret with threshold t, up to floor((r - t) / 2) may be false and the secret still comes out. It is
then held to what its dealer deposited, so decoding can only save an attempt, never bend one.
"""

from __future__ import annotations

from collections.abc import Sequence

from fl_core.secagg.shamir import PRIME

_Polynomial = list[int]  # coefficients from the constant up, the last one not zero


def decode(
    points: Sequence[int], values: Sequence[int], threshold: int
) -> tuple[int, tuple[int, ...]] | None:
    """The secret behind shares of which a few are false.

    Args:
        points: of the shares, distinct, not zero.
        values: the shares.
        threshold: one more than the degree of the polynomial.

    Returns:
        The secret and the positions of the false shares; None where there are too many of them.
    """
    vanishing, interpolated = _vanishing_and_interpolated(points, values)
    previous, current = vanishing, interpolated
    factor_before: _Polynomial = []
    factor: _Polynomial = [1]
    while 2 * (len(current) - 1) >= len(points) + threshold and current:
        quotient, remainder = _divide(previous, current)
        previous, current = current, remainder
        factor_before, factor = factor, _subtract(factor_before, _multiply(quotient, factor))
    polynomial, remainder = _divide(current, factor)
    if remainder or len(polynomial) > threshold:
        return None
    false = tuple(
        position
        for position, (point, value) in enumerate(zip(points, values, strict=True))
        if _evaluate(polynomial, point) != value
    )
    return _evaluate(polynomial, 0), false


def _vanishing_and_interpolated(
    points: Sequence[int], values: Sequence[int]
) -> tuple[_Polynomial, _Polynomial]:
    """The polynomial that vanishes on the points, and the one through the values (Newton's form)."""
    vanishing: _Polynomial = [1]
    interpolated: _Polynomial = []
    for point, value in zip(points, values, strict=True):
        missing = (
            (value - _evaluate(interpolated, point)) * pow(_evaluate(vanishing, point), -1, PRIME) % PRIME
        )
        interpolated = _subtract(interpolated, _multiply([-missing % PRIME], vanishing))
        vanishing = _multiply(vanishing, [-point % PRIME, 1])
    return vanishing, interpolated


def _evaluate(polynomial: _Polynomial, point: int) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * point + coefficient) % PRIME
    return value


def _trim(polynomial: _Polynomial) -> _Polynomial:
    while polynomial and polynomial[-1] == 0:
        polynomial.pop()
    return polynomial


def _subtract(left: _Polynomial, right: _Polynomial) -> _Polynomial:
    length = max(len(left), len(right))
    padded = zip(left + [0] * (length - len(left)), right + [0] * (length - len(right)), strict=True)
    return _trim([(one - other) % PRIME for one, other in padded])


def _multiply(left: _Polynomial, right: _Polynomial) -> _Polynomial:
    product = [0] * max(len(left) + len(right) - 1, 0)
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            product[i + j] = (product[i + j] + one * other) % PRIME
    return _trim(product)


def _divide(dividend: _Polynomial, divisor: _Polynomial) -> tuple[_Polynomial, _Polynomial]:
    remainder, inverse = list(dividend), pow(divisor[-1], -1, PRIME)
    quotient = [0] * max(len(dividend) - len(divisor) + 1, 0)
    for shift in reversed(range(len(quotient))):
        factor = remainder[shift + len(divisor) - 1] * inverse % PRIME
        quotient[shift] = factor
        for position, coefficient in enumerate(divisor):
            remainder[shift + position] = (remainder[shift + position] - factor * coefficient) % PRIME
    return _trim(quotient), _trim(remainder)
