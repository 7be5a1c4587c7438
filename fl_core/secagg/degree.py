"""How many neighbours, and what threshold: failure probabilities of a graph, and the smallest graph that will do.

The graph is the circulant of `neighbours.py` over a random order; corrupted and dropped members are sets of a given
size that were fixed before the order was drawn. Every count of such members among given places is hypergeometric, so
that the figures below are exact tails joined by the union bound: upper bounds as in Bell et al. (CCS 2020), without
their Chernoff bounds. docs/protocol.md derives what has to hold in an active server's case.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from math import ceil, comb, exp, lgamma

from fl_core.errors import SpecError
from fl_core.secagg.neighbours import MIN_DEGREE, NeighbourGraph

COMPLETE_UP_TO = 32
LEAST_SECURITY_BITS = 40
SECURITY = 2.0**-LEAST_SECURITY_BITS
CORRECTNESS = 1e-6


class Adversary(Enum):
    """What the server and the members that collude with it may do.

    SEMI_HONEST: they follow the protocol, pool what they see, and who drops out does not depend on the graph.
    ACTIVE: they send what they like to whom they like, and choose who drops out.
    """

    SEMI_HONEST = "semi-honest"
    ACTIVE = "active"


@dataclass(frozen=True)
class GraphChoice:
    """Degree and threshold for a cohort, and what was found out about them.

    Attributes:
        size: members.
        adversary: whom the inputs are protected against.
        degree: neighbours of a member; None is the complete graph.
        threshold: shares of a secret that open it, out of degree + 1 (out of `size` in the complete graph).
        least_survivors: fewest members that are summed.
        corrupted: members assumed to collude.
        least_honest: fewest honest inputs in any sum that the server can bring about, save with `security_failure`;
            what noise is calibrated for.
        security_failure: bound on the probability that the graph lets more be seen.
        correctness_failure: bound on the probability that `size - least_survivors` random dropouts end the attempt.
    """

    size: int
    adversary: Adversary
    degree: int | None
    threshold: int
    least_survivors: int
    corrupted: int
    least_honest: int
    security_failure: float
    correctness_failure: float

    def graph(
        self, seed: bytes | None = None, *, security_bits: int = LEAST_SECURITY_BITS
    ) -> NeighbourGraph | None:
        """The graph to put into a plan, which is then held to `least_honest`; None for the complete graph."""
        if self.degree is None:
            return None
        return NeighbourGraph(
            self.degree, self.least_survivors, self.corrupted, security_bits, seed, self.least_honest
        )


def minimum_threshold(members: int, adversary: Adversary = Adversary.ACTIVE) -> int:
    """Lowest threshold of a complete graph.

    ACTIVE: floor(2m/3)+1, which keeps a server with fewer than a third of the members harmless. SEMI_HONEST:
    floor(m/2)+1, so that half of the members learn nothing together.
    """
    return (2 * members // 3 if adversary is Adversary.ACTIVE else members // 2) + 1


def at_least(successes: int, *, marked: int, drawn: int, population: int) -> float:
    """P(X >= successes), X hypergeometric: marked ones among `drawn` of the population without replacement."""
    low, high = max(0, drawn + marked - population), min(marked, drawn)
    if successes <= low:
        return 1.0
    if successes > high:
        return 0.0
    term = exp(
        _log_comb(marked, successes)
        + _log_comb(population - marked, drawn - successes)
        - _log_comb(population, drawn)
    )
    total = 0.0
    for found in range(successes, high + 1):
        total += term
        term *= (marked - found) * (drawn - found)
        term /= (found + 1) * (population - marked - drawn + found + 1)
    return min(total, 1.0)


@lru_cache(maxsize=4096)
def security_failure(
    size: int, degree: int, threshold: int, *, corrupted: int, dropped: int, adversary: Adversary
) -> float:
    """Bound on the probability that a random order of the circle is a bad one.

    SEMI_HONEST: an honest member has `threshold` corrupted neighbours, or taking away the corrupted and the dropped
    leaves the others in two parts (two stretches of degree / 2 places without any of them).
    ACTIVE: some stretch of degree / 2 places holds threshold - degree / 2 - 1 corrupted members or more.
    """
    side = degree // 2
    if adversary is Adversary.ACTIVE:
        spare = threshold - side - 1
        stretch = at_least(spare, marked=corrupted, drawn=side, population=size)
        return min(1.0, size * stretch) if spare > 0 else 1.0
    own = (size - corrupted) * at_least(threshold, marked=corrupted, drawn=degree, population=size - 1)
    parted = comb(size, 2) * at_least(
        degree, marked=min(corrupted + dropped, size), drawn=degree, population=size
    )
    return min(1.0, own + parted)


@lru_cache(maxsize=4096)
def correctness_failure(size: int, degree: int, threshold: int, *, dropped: int) -> float:
    """Bound on the probability that somebody's secret has fewer than `threshold` holders left after random dropouts."""
    alive = (size - dropped) * at_least(
        degree - threshold + 2, marked=dropped, drawn=degree, population=size - 1
    )
    gone = (
        dropped * at_least(degree - threshold + 1, marked=dropped - 1, drawn=degree, population=size - 1)
        if dropped
        else 0.0
    )
    return min(1.0, alive + gone)


def fewest_honest(
    size: int, degree: int, threshold: int, *, corrupted: int, least_survivors: int, adversary: Adversary
) -> int:
    """Fewest honest inputs in a sum that the server can bring about over a graph that is not a bad one.

    SEMI_HONEST: there is one sum, over all survivors. ACTIVE: n members of the sum stand on the circle with disjoint
    closed neighbourhoods, since such members are nowhere further than degree / 2 places apart. Each has `threshold`
    holders that are in the sum or corrupted; of the latter at most 2 (s - 1) a neighbourhood, s = t - degree / 2 - 1,
    and at most all of them together.
    """
    if adversary is Adversary.SEMI_HONEST:
        return max(0, least_survivors - corrupted)
    side = degree // 2
    spare = threshold - side - 1
    if spare <= 0:
        return 0
    apart = (size - degree - 1) // (3 * side) + 1
    return max(0, apart * threshold - min(apart * 2 * (spare - 1), corrupted))


def choose_threshold(
    size: int,
    degree: int | None,
    *,
    dropout: float,
    corrupted: int,
    adversary: Adversary,
    correctness: float,
    least_honest: int = 0,
) -> GraphChoice:
    """The highest threshold with which a given degree survives the dropouts, with its failure probabilities.

    Args:
        size: members of the cohort.
        degree: neighbours of a member; None is the complete graph.
        dropout: share of the members that may fall silent after the draw.
        corrupted: members assumed to collude with the server.
        adversary: what they and the server may do.
        correctness: greatest bound on the probability that random dropouts end the attempt.
        least_honest: fewest honest inputs that any sum may hold.

    Raises:
        SpecError: no threshold does.
    """
    dropped = dropouts_of(size, dropout)
    if degree is None:
        choice = _complete(size, dropped, corrupted, adversary, least_honest)
        if choice.least_honest < least_honest or choice.threshold > size:
            raise SpecError(
                f"{size} members, {corrupted} of them corrupted, cannot hold {least_honest} honest ones in every sum: "
                "ask for fewer, or enrol more devices"
            )
        return choice
    found = _over_graph(size, degree, dropped, corrupted, adversary, correctness, least_honest)
    if found is None:
        honest = f" with {least_honest} honest members in every sum" if least_honest else ""
        raise SpecError(
            f"{degree} neighbours do not survive {dropout:.0%} dropouts of {size}{honest}: choose more"
        )
    return found


@lru_cache(maxsize=256)
def derive_graph(
    size: int,
    dropout: float,
    corrupted: int,
    adversary: Adversary = Adversary.ACTIVE,
    *,
    security: float = SECURITY,
    correctness: float = CORRECTNESS,
    least_honest: int = 0,
) -> GraphChoice:
    """The smallest degree, with its highest threshold, that is safe and survives the dropouts.

    Args:
        size: members of the cohort; at most 32 always get the complete graph.
        dropout: share of the members that may fall silent after the draw, 0 to below 1.
        corrupted: members assumed to collude with the server.
        adversary: what they and the server may do.
        security: greatest bound on the probability of a bad graph, for one cohort and round.
        correctness: greatest bound on the probability that random dropouts end the attempt.
        least_honest: fewest honest inputs that any sum may hold which the server can bring about.

    Returns:
        The choice; the complete graph where no smaller one will do.

    Raises:
        SpecError: values that make no sense, or not even the complete graph will do.
    """
    if size < 3 or not 0 <= dropout < 1 or not 0 <= corrupted < size:
        raise SpecError(f"{corrupted} corrupted and {dropout:.0%} dropouts of {size} members: not a cohort")
    if not (0 < security <= 1 and 0 < correctness <= 1):
        raise SpecError("failure probabilities lie between 0 and 1")
    dropped = dropouts_of(size, dropout)
    for degree in range(MIN_DEGREE, size - 1, 2) if size > COMPLETE_UP_TO else ():
        choice = _over_graph(size, degree, dropped, corrupted, adversary, correctness, least_honest)
        if choice is not None and choice.security_failure <= security:
            return choice
    choice = _complete(size, dropped, corrupted, adversary, least_honest)
    if choice.correctness_failure or choice.security_failure:
        raise SpecError(
            f"{size} members cannot withstand {corrupted} corrupted ones ({adversary.value}) and {dropped} dropouts "
            f"with {least_honest} honest ones in every sum: assume fewer, ask for fewer, or enrol more devices"
        )
    return choice


def dropouts_of(size: int, share: float) -> int:
    """Members that fall silent: the share of them as it is written in decimals, rounded up; 29% of 100 is 29."""
    return ceil(Fraction(str(share)) * size)


def _over_graph(  # noqa: PLR0917 - the terms of a choice, in the order of its callers'
    size: int,
    degree: int,
    dropped: int,
    corrupted: int,
    adversary: Adversary,
    correctness: float,
    least_honest: int,
) -> GraphChoice | None:
    """The choice with the highest threshold that survives the dropouts and sums enough honest members, if any does."""
    candidates = range(2, degree + 2)
    survivable = bisect_right(
        candidates, correctness, key=lambda t: correctness_failure(size, degree, t, dropped=dropped)
    )
    for threshold in reversed(candidates[:survivable]):
        least_survivors = max(threshold, size - dropped)
        honest = fewest_honest(
            size,
            degree,
            threshold,
            corrupted=corrupted,
            least_survivors=least_survivors,
            adversary=adversary,
        )
        if honest >= least_honest:
            return GraphChoice(
                size=size,
                adversary=adversary,
                degree=degree,
                threshold=threshold,
                least_survivors=least_survivors,
                corrupted=corrupted,
                least_honest=honest,
                security_failure=security_failure(
                    size, degree, threshold, corrupted=corrupted, dropped=dropped, adversary=adversary
                ),
                correctness_failure=correctness_failure(size, degree, threshold, dropped=dropped),
            )
    return None


def _complete(
    size: int, dropped: int, corrupted: int, adversary: Adversary, least_honest: int
) -> GraphChoice:
    threshold = max(minimum_threshold(size, adversary), least_honest + corrupted)
    tolerated = 2 * threshold - size - 1 if adversary is Adversary.ACTIVE else threshold - 1
    return GraphChoice(
        size,
        adversary,
        None,
        threshold,
        threshold,
        corrupted,
        max(0, threshold - corrupted),
        float(corrupted > tolerated),
        float(size - dropped < threshold),
    )


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
