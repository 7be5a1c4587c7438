"""Degree and threshold: failure probabilities are exact tails, hold in simulation, and bound what they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from fl_core.errors import SpecError
from fl_core.secagg import Adversary, choose_threshold, derive_graph, minimum_threshold
from fl_core.secagg.degree import at_least, correctness_failure, dropouts_of, fewest_honest, security_failure
from fl_core.secagg.neighbours import circle, circulant

DRAWS = 3000
PAGE = Path(__file__).parents[3] / "docs" / "protocol.md"


def table_of_the_protocol_page():
    """(members, dropout, corrupted, (degree, threshold) active, the same semi-honest) of each row."""
    lines = PAGE.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| m | dropouts"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        size, dropout, corrupted, *pairs = (cell.strip() for cell in line.strip("|").split("|"))
        shown = [tuple(int(number) for number in pair.split(",")) for pair in pairs]
        rows.append((int(size), int(dropout.rstrip("%")) / 100, int(corrupted), *shown))
    return rows


def seeds(count):
    return (number.to_bytes(32, "big") for number in range(count))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_tails_are_the_hypergeometric_distributions(data):
    population = data.draw(st.integers(1, 1024))
    marked = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(0, population))
    successes = data.draw(st.integers(-1, drawn + 2))
    exact = hypergeom.sf(successes - 1, population, marked, drawn)
    found = at_least(successes, marked=marked, drawn=drawn, population=population)
    assert found == pytest.approx(exact, rel=1e-8, abs=1e-280)


@pytest.mark.parametrize(
    ("size", "degree", "threshold", "dropped"), [(100, 14, 5, 30), (100, 40, 22, 30), (60, 20, 11, 15)]
)
def test_random_dropouts_end_attempts_as_often_as_stated(size, degree, threshold, dropped):
    bound = correctness_failure(size, degree, threshold, dropped=dropped)
    rng, failed = np.random.default_rng(1), 0
    for seed in seeds(DRAWS):
        alive = np.ones(size, dtype=bool)
        alive[rng.choice(size, dropped, replace=False)] = False
        on_circle = alive[list(circle(seed, size))]
        holders = np.convolve(np.tile(on_circle, 3), np.ones(degree + 1, dtype=int), "same")[size : 2 * size]
        failed += holders.min() < threshold
    spread = 4 * (bound * DRAWS) ** 0.5
    assert 0.2 * bound * DRAWS < failed < bound * DRAWS + spread
    assert failed > 10


@pytest.mark.parametrize(
    ("size", "degree", "threshold", "corrupted"), [(100, 20, 15, 8), (200, 30, 21, 14), (64, 16, 12, 6)]
)
def test_bad_graphs_against_an_active_server_are_as_rare_as_stated(size, degree, threshold, corrupted):
    bound = security_failure(
        size, degree, threshold, corrupted=corrupted, dropped=0, adversary=Adversary.ACTIVE
    )
    side, bad = degree // 2, 0
    for seed in seeds(DRAWS):
        marked = np.array(circle(seed, size)) < corrupted
        around = np.concatenate((marked, marked[: side - 1]))
        most = np.convolve(around, np.ones(side, dtype=int), "valid").max()
        bad += most >= threshold - side - 1
    assert 0.1 * bound * DRAWS < bad < bound * DRAWS + 4 * (bound * DRAWS) ** 0.5
    assert bad > 10


@pytest.mark.parametrize(
    ("size", "degree", "threshold", "corrupted", "dropped"),
    [(60, 10, 6, 8, 20), (40, 8, 6, 4, 11), (50, 8, 5, 9, 0)],
)
def test_bad_graphs_against_a_semi_honest_server_are_as_rare_as_stated(
    size, degree, threshold, corrupted, dropped
):
    bound = security_failure(
        size, degree, threshold, corrupted=corrupted, dropped=dropped, adversary=Adversary.SEMI_HONEST
    )
    assert bound < 1
    bad = 0
    for seed in seeds(DRAWS):
        near = circulant(seed, size, degree)
        left = set(range(corrupted + dropped, size))
        overrun = any(sum(o < corrupted for o in near.others[m]) >= threshold for m in range(corrupted, size))
        seen, queue = set(), [size - 1]
        while queue:
            member = queue.pop()
            if member not in seen:
                seen.add(member)
                queue += [other for other in near.others[member] if other in left]
        bad += overrun or seen != left
    assert bad < bound * DRAWS + 4 * (bound * DRAWS) ** 0.5
    assert bad > 10


@pytest.mark.parametrize(
    ("size", "degree", "threshold"), [(13, 4, 5), (14, 6, 6), (14, 6, 7), (15, 8, 8), (15, 4, 4)]
)
def test_over_a_good_graph_no_two_sums_can_be_unmasked_and_the_one_is_large(size, degree, threshold):
    """A set can be unmasked by itself only if each of its members has `threshold` holders who are in it or corrupted.
    Such sets are closed under union, so what is left over holds one exactly if it has a largest one.
    """
    side, spare = degree // 2, threshold - degree // 2 - 1
    near = [sum(1 << (p + o) % size for o in range(-side, side + 1)) for p in range(size)]
    stretches = [sum(1 << (p + o) % size for o in range(side)) for p in range(size)]

    def largest_within(members, corrupted):
        while True:
            kept = sum(
                1 << p
                for p in range(size)
                if members >> p & 1 and ((members | corrupted) & near[p]).bit_count() >= threshold
            )
            if kept == members:
                return kept
            members = kept

    checked = 0
    for pattern in range(1 << size if spare > 1 else 1):
        corrupted = pattern if spare > 1 else 0
        if corrupted.bit_count() > 3 or any((corrupted & s).bit_count() > spare - 1 for s in stretches):
            continue
        honest = (1 << size) - 1 & ~corrupted
        least = fewest_honest(
            size,
            degree,
            threshold,
            corrupted=corrupted.bit_count(),
            least_survivors=0,
            adversary=Adversary.ACTIVE,
        )
        removed = 0
        while removed < 1 << size:  # honest sets by what is taken away, a sample where there are many
            group = largest_within(honest & ~removed, corrupted)
            if group:
                assert group.bit_count() >= least
                assert not largest_within(honest & ~group, corrupted)
                checked += 1
            removed += 1 if spare == 1 else 97
    assert checked > 20


def test_derived_graphs_hold_what_was_asked_for():
    for size, dropout, corrupted, adversary in (
        (1000, 0.1, 50, Adversary.ACTIVE),
        (1000, 0.3, 50, Adversary.SEMI_HONEST),
        (100, 0.3, 5, Adversary.SEMI_HONEST),
        (100, 0.1, 5, Adversary.ACTIVE),
        (40, 0.1, 2, Adversary.ACTIVE),
    ):
        choice = derive_graph(size, dropout, corrupted, adversary)
        assert choice.degree is not None
        assert choice.degree < size - 1
        assert choice.security_failure <= 2**-40
        assert choice.correctness_failure <= 1e-6
        assert choice.least_survivors == size - dropouts_of(size, dropout)
        assert choice.least_honest > 0
        smaller = choose_threshold(
            size,
            choice.degree - 2,
            dropout=dropout,
            corrupted=corrupted,
            adversary=adversary,
            correctness=1e-6,
        )
        assert smaller.security_failure > 2**-40


@pytest.mark.parametrize(
    ("share", "size", "dropped"), [(0.29, 100, 29), (0.1, 1000, 100), (0.1, 24, 3), (0, 5, 0)]
)
def test_dropouts_are_counted_in_decimals_and_rounded_up(share, size, dropped):
    assert dropouts_of(size, share) == dropped
    assert share == 0 or derive_graph(1000, share, 50).least_survivors == 1000 - dropouts_of(1000, share)


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from((24, 40, 100, 400)),
    share=st.sampled_from((0.0, 0.05, 0.1)),
    corrupted=st.integers(0, 5),
    floor=st.integers(0, 200),
    adversary=st.sampled_from(Adversary),
)
def test_a_demanded_floor_of_honest_inputs_holds_or_is_refused(size, share, corrupted, floor, adversary):
    """What a threshold is lowered for, or a degree raised, is in the plan's own check as well."""
    try:
        choice = derive_graph(size, share, corrupted, adversary, least_honest=floor)
    except SpecError:
        assert floor > size // 4 or corrupted > size // 8
        return
    assert choice.least_honest >= floor
    assert choice.security_failure <= 2**-40
    assert choice.correctness_failure <= 1e-6
    if choice.degree is not None:
        assert choice.graph().least_honest == choice.least_honest
    if choice.least_honest > floor:  # asking for no more than there is changes nothing
        assert derive_graph(size, share, corrupted, adversary, least_honest=choice.least_honest) == choice


def test_a_floor_costs_neighbours_and_what_no_threshold_gives_is_said_so():
    plain = derive_graph(100, 0.1, 5)
    more = derive_graph(100, 0.1, 5, least_honest=plain.least_honest + 10)
    assert more.degree > plain.degree or more.degree is None
    terms = {"dropout": 0.1, "corrupted": 5, "adversary": Adversary.ACTIVE, "correctness": 1e-6}
    many = {**terms, "dropout": 0.0, "corrupted": 40}
    lower = choose_threshold(100, 30, **many, least_honest=25)
    assert lower.least_honest >= 25 > choose_threshold(100, 30, **many).least_honest
    assert lower.threshold < choose_threshold(100, 30, **many).threshold
    for degree in (plain.degree, None):
        with pytest.raises(SpecError, match="honest"):
            choose_threshold(100, degree, **terms, least_honest=99)
    with pytest.raises(SpecError, match="99 honest ones"):
        derive_graph(100, 0.1, 5, least_honest=99)
    assert choose_threshold(100, None, **terms, least_honest=70).threshold == 75


def test_harder_demands_take_more_neighbours():
    degrees = [derive_graph(1000, dropout, 50).degree for dropout in (0.05, 0.1, 0.2, 0.3)]
    assert degrees == sorted(degrees)
    assert derive_graph(1000, 0.3, 50, Adversary.SEMI_HONEST).degree < degrees[-1]
    assert derive_graph(1000, 0.1, 100).degree > degrees[1]


def test_small_cohorts_get_the_complete_graph():
    for size in (3, 24, 32):
        choice = derive_graph(size, 0.0, 0)
        assert (choice.degree, choice.threshold, choice.graph()) == (None, minimum_threshold(size), None)
    assert derive_graph(33, 0.05, 1).degree is not None


def test_what_no_graph_withstands_is_refused():
    for size, dropout, corrupted in (
        (24, 0.4, 2),
        (24, 0.0, 12),
        (100, 0.35, 33),
        (24, -0.1, 1),
        (24, 0.0, 24),
    ):
        with pytest.raises(SpecError):
            derive_graph(size, dropout, corrupted)
    with pytest.raises(SpecError, match="probabilities"):
        derive_graph(24, 0.1, 2, security=0.0)
    with pytest.raises(SpecError, match="choose more"):
        choose_threshold(100, 2, dropout=0.6, corrupted=0, adversary=Adversary.ACTIVE, correctness=1e-6)


@pytest.mark.parametrize("row", table_of_the_protocol_page())
def test_the_protocol_page_shows_what_is_derived(row):
    size, dropout, corrupted, *shown = row
    for adversary, (degree, threshold) in zip((Adversary.ACTIVE, Adversary.SEMI_HONEST), shown, strict=True):
        choice = derive_graph(size, dropout, corrupted, adversary)
        assert (choice.degree, choice.threshold) == (degree, threshold)
