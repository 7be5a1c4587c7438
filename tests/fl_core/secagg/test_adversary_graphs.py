"""The malicious server against neighbour graphs: what it can learn where the circle is a good one, and where it is not.

A circle is good where fewer than s = t - degree/2 - 1 colluders stand in every stretch of degree/2 places
(docs/protocol.md). Here the circle and the colluders' places are chosen, so that both cases are met.
"""

from __future__ import annotations

import pytest
from adversary_attack import learnt_sums
from adversary_server import MaliciousServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lossy_network import Lasting
from secagg_world import plain_sum, random_vectors

from fl_core.errors import SpecError
from fl_core.secagg import NeighbourGraph, SecAggAbort, derive_graph
from fl_core.secagg import messages as wire
from fl_core.secagg.degree import fewest_honest
from fl_core.secagg.neighbours import circle

SIZE, DEGREE, THRESHOLD = 30, 8, 7  # s = 2: one colluder in any four places is tolerated
SIDE, SPARE = DEGREE // 2, THRESHOLD - DEGREE // 2 - 1
SEED = bytes(range(32))
ORDER = circle(SEED, SIZE)
SPREAD = tuple(ORDER[place] for place in range(0, SIZE - SIDE, SIDE))
LASTING = Lasting()
WORLD, _ = LASTING.next(SIZE)


def server_of(colluders, least_survivors=SIZE - 8, **changes):
    """The next round over the fixed circle. That is why the plan may say that nobody is corrupted: nothing is drawn."""
    graph = NeighbourGraph(DEGREE, least_survivors, 0, seed=SEED)
    world, number = LASTING.next(SIZE)
    plan = world.plan(threshold=THRESHOLD, graph=graph, round=number, **changes)
    return MaliciousServer(world, plan, random_vectors(plan, number), colluders)


def is_good(colluders):
    """Whether every stretch of degree/2 places holds fewer than s colluders."""
    around = [ORDER[place % SIZE] in set(colluders) for place in range(SIZE + SIDE)]
    return all(sum(around[place : place + SIDE]) < SPARE for place in range(SIZE))


def bound(colluders):
    return fewest_honest(
        SIZE,
        DEGREE,
        THRESHOLD,
        corrupted=len(colluders),
        least_survivors=0,
        adversary=WORLD.plan().adversary,
    )


def assert_exact_sums(server):
    for group, total in learnt_sums(server.view).items():
        assert total == plain_sum(server.plan, server.vectors, sorted(group))
    assert {type(error) for error in server.left.values()} <= {SecAggAbort}


def test_colluders_all_around_a_good_circle_learn_the_sum_of_all_the_others_and_no_smaller_one():
    assert is_good(SPREAD)
    server = server_of(SPREAD).start().advertise().deposit().survive().agree()
    assert set(learnt_sums(server.view)) == {frozenset(server.view.honest)}
    assert_exact_sums(server)


@pytest.mark.parametrize("cut", range(1, SIZE, 4))
def test_two_lists_of_survivors_along_the_circle_open_no_device_of_it_twice(cut):
    """Part of the circle is shown a list without the device at the cut, the rest is shown everybody."""
    server = server_of(SPREAD).start().advertise().deposit()
    victim = next(member for member in (*ORDER[cut:], *ORDER) if member not in SPREAD)
    start = ORDER.index(victim)
    half = {ORDER[(start + step) % SIZE] for step in range(1, 1 + SIZE // 2)}
    everyone = range(SIZE)
    server.survive(lambda m: [o for o in everyone if o != victim] if m in half else everyone).agree()
    for group in learnt_sums(server.view):
        assert len(group) >= bound(SPREAD)
    assert_exact_sums(server)


def test_a_threshold_of_colluders_around_a_device_reads_its_update():
    """So the tests here can fail: a bad circle gives a device away without a single opening."""
    colluders = tuple(ORDER[place] for place in range(1, 1 + THRESHOLD + 1) if place != SIDE)
    victim = ORDER[SIDE]
    assert not is_good(colluders)
    server = server_of(colluders).start().advertise().deposit()
    assert learnt_sums(server.view)[frozenset({victim})] == server.vectors[victim].tolist()


def gaps(colluders_each):
    """Two stretches of degree/2 places with some colluders in each; an arc of degree/2 + 1 devices between them."""
    first, second = range(SIDE), range(2 * SIDE + 1, 3 * SIDE + 1)
    colluders = tuple(ORDER[place] for gap in (first, second) for place in gap[:colluders_each])
    dropped = {ORDER[place] for gap in (first, second) for place in gap[colluders_each:]}
    arc = frozenset(ORDER[place] for place in range(SIDE, 2 * SIDE + 1))
    return colluders, dropped, arc


def test_an_arc_that_is_cut_off_by_dropping_everybody_around_it_leaves_where_the_circle_is_good():
    colluders, dropped, arc = gaps(SPARE - 1)
    assert is_good(colluders)
    server = server_of(colluders).start()
    server.advertise(lambda _: [member for member in range(SIZE) if member not in dropped])
    server.deposit().survive().agree()
    assert arc & set(server.left)
    assert all(len(group) >= bound(colluders) for group in learnt_sums(server.view))
    assert_exact_sums(server)


@pytest.mark.parametrize("stage", ["deposited", "survived", "agreed"])
def test_a_list_long_enough_that_lacks_a_devices_neighbours_makes_it_leave(stage):
    """Else few would vouch for what it opens, although many are on the list."""
    device = next(member for member in ORDER if member not in SPREAD)
    server = server_of(SPREAD).start().advertise()
    gone = [peer for peer in server.plan.neighbour_indices(device) if peer not in SPREAD]
    short = [member for member in range(SIZE) if member not in gone[: DEGREE + 2 - THRESHOLD]]
    assert len(short) >= server.plan.least_survivors
    assert len(server.plan.neighbours_among(device, short)) + 1 == THRESHOLD - 1
    if stage == "deposited":
        server.deposit(lambda _: short, to=[device])
    elif stage == "survived":
        server.deposit().survive(lambda _: short, to=[device])
    else:
        server.deposit().survive()
        assert server.ask(device, server.agreements(device, short)) is None
    assert f"its neighbours {stage}" in str(server.left[device])


def test_an_arc_between_two_stretches_of_colluders_is_summed_by_itself():
    """The bad case that the degree is derived to avoid: s colluders in a stretch stand in for the devices left out."""
    colluders, dropped, arc = gaps(SPARE)
    assert not is_good(colluders)
    server = server_of(colluders).start()
    server.advertise(lambda _: [member for member in range(SIZE) if member not in dropped])
    server.deposit().survive().agree()
    assert len(arc) < bound(colluders)
    assert arc in learnt_sums(server.view)
    assert_exact_sums(server)


def test_a_device_shown_another_tree_of_nonces_shares_no_attempt_with_its_neighbours():
    server = server_of(SPREAD).start()
    server.advertise(
        nonce=lambda told, other: server.nonces[other] if told == other or told % 2 else bytes(16)
    )
    server.deposit().survive().agree()
    assert all(len(group) >= bound(SPREAD) for group in learnt_sums(server.view))
    assert not [member for member in server.view.honest if member % 2 == 0 and member in server.view.masked]


def test_devices_that_masked_against_unlike_lists_of_depositors_do_not_agree_on_survivors():
    """Two neighbours hold different views of who deposited: their confirmations differ before any survivor is named."""
    server = server_of(SPREAD).start().advertise()
    without = next(member for member in ORDER if member not in SPREAD)
    server.deposit(
        lambda m: range(SIZE) if m % 2 or m == without else [o for o in range(SIZE) if o != without]
    )
    server.survive().agree()
    assert not server.view.openings or all(len(group) >= bound(SPREAD) for group in learnt_sums(server.view))
    assert any("other depositors" in str(error) for error in server.left.values())
    assert_exact_sums(server)


@st.composite
def strategies(draw):
    """For each of three arcs of the circle one version of every list, each leaving out up to eight members."""
    edges = sorted(draw(st.lists(st.integers(0, SIZE - 1), min_size=3, max_size=3)))
    version = {member: sum(place >= edge for edge in edges) % 3 for place, member in enumerate(ORDER)}
    absent = st.one_of(
        st.sets(st.sampled_from(ORDER), max_size=3),
        st.tuples(st.integers(0, SIZE - 1), st.integers(0, 8)).map(
            lambda arc: {ORDER[(arc[0] + step) % SIZE] for step in range(arc[1])}
        ),
    )
    forks_from = draw(st.integers(0, 3))
    stages = [draw(st.lists(absent, min_size=3, max_size=3)) for _ in range(3)]

    def lists(stage):
        def shown(member):
            gone = stages[stage][version[member] if stage >= forks_from else 0] - set(SPREAD)
            return [other for other in range(SIZE) if other not in gone]

        return shown

    return [lists(stage) for stage in range(3)]


def searched(examples):
    """How many strategies gave any sum away; none may be of fewer honest inputs than the bound says."""
    learnt = []

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies())
    def case(lists):
        advertised, deposited, survivors = lists
        server = server_of(SPREAD).start()
        server.advertise(advertised).deposit(deposited).survive(survivors).agree()
        groups = learnt_sums(server.view)
        learnt.append(bool(groups))
        assert all(len(group) >= bound(SPREAD) for group in groups)
        assert_exact_sums(server)

    case()
    return sum(learnt)


def test_no_strategy_that_was_tried_over_a_good_circle_learns_a_smaller_sum_than_the_bound():
    assert searched(examples=20) > 2


@pytest.mark.slow
def test_no_strategy_of_a_thousand_over_a_good_circle_learns_a_smaller_sum_than_the_bound():
    assert searched(examples=1_000) > 100


def test_the_circle_is_the_same_whatever_attempt_or_subject_the_edge_names():
    """Else it would try them out until a device stands among its colluders."""
    graph = NeighbourGraph(DEGREE, SIZE - 8, 0)
    plans = [
        WORLD.plan(threshold=THRESHOLD, graph=graph, **changes)
        for changes in ({}, {"attempt": 1}, {"attempt": 2**32 - 1}, {"subject": b"\x01" * 32})
    ]
    assert len({tuple(plan.neighbour_indices(member) for member in range(SIZE)) for plan in plans}) == 1
    others = [{"round": 258}, {"hospital": 2}, {"cohort": 1}, {"session": bytes(32)}]
    moved = {
        tuple(plan.neighbour_indices(member) for member in range(SIZE))
        for plan in (WORLD.plan(threshold=THRESHOLD, graph=graph, **change) for change in others)
    }
    assert len(moved) == len(others)


def test_a_graph_that_its_own_bound_calls_bad_is_refused_by_every_device():
    choice = derive_graph(100, dropout=0.05, corrupted=5)
    assert choice.degree is not None
    assert choice.security_failure <= 2.0**-40
    members = tuple(bytes([i]) * 20 for i in range(100))
    for worse in (
        NeighbourGraph(choice.degree, choice.least_survivors, 20),
        NeighbourGraph(choice.degree - 16, choice.least_survivors, 5),
    ):
        with pytest.raises(SpecError):
            WORLD.plan(members=members, threshold=min(choice.threshold, worse.degree + 1), graph=worse)


def test_a_path_of_another_length_is_refused():
    server = server_of(SPREAD).start()
    listed = tuple(range(SIZE))
    for nodes in (0, 4, 6, 9):
        message = wire.NoncePath(listed, (bytes(32),) * nodes).encode(server.plan)
        assert server.ask(nodes, message) is None
    assert len(server.left) == 4
