"""What RewardMath's rounded quotients sum to, proven by z3 for integers of any size; run by `make proofs`.

Solidity's division rounds down, and none of RewardMath's products reaches 2^256, so its quotients are these floors.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from z3 import Ints, Not, Solver, unsat

a, b, c, d, p, q, r = Ints("a b c d p q r")
allocation, operator, rest, whole, total = Ints("allocation operator rest whole total")

LEMMAS: dict[str, tuple[list[Any], Any]] = {
    # p = a // d, q = b // d and r = (a + b) // d: payouts of two weights, or shares of two hospitals, come to no more
    # than that of both together; any number of them, since the second may be cut again
    "two floors are at most the floor of the sum": (
        [d > 0, p * d <= a, q * d <= b, a + b < (r + 1) * d],
        p + q <= r,
    ),
    # p = a * b // c: an allocation is at most the budget, as share and quality are at most the whole
    "a part is at most the whole": ([a >= 0, b >= 0, c > 0, b <= c, p * c <= a * b], p <= a),
    # p pays all weight after the operator's share r: together at most the allocation
    "all weight and the operator get at most the allocation": (
        [
            *(allocation >= 0, operator >= 0, rest >= 0, whole > 0, total > 0, operator + rest == whole),
            p * whole * total <= allocation * rest * total,
            r * whole <= allocation * operator,
        ],
        p + r <= allocation,
    ),
}


def main() -> int:
    """Prove every lemma, or say which one is not."""
    failed = 0
    for name, (given, claim) in LEMMAS.items():
        solver = Solver()
        solver.set("timeout", 120_000)
        solver.add(*given, Not(claim))
        started = time.perf_counter()
        answer = solver.check()
        failed += answer != unsat
        verdict = "PASS" if answer == unsat else f"FAIL ({answer})"
        print(f"[{verdict}] {name} ({time.perf_counter() - started:.1f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
