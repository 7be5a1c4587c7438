"""A server that forks its lists with colluding devices: up to the tolerated number it learns only sums of many."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from adversary_attack import learnt_sums, residues, summed
from adversary_server import MaliciousServer, tolerated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lossy_network import Lasting
from scipy import stats
from secagg_world import World, random_vectors

from fl_core.secagg import SecAggAbort, minimum_threshold

PLANS = [
    (size, threshold)
    for size in (4, 5, 6, 8, 9, 11)
    for threshold in range(minimum_threshold(size), size + 1)
]
VICTIM = 0
LASTING = Lasting()


def server_of(size, colluding, **changes):
    """The next round of a cohort whose last `colluding` members are the server's."""
    world, number = LASTING.next(size)
    plan = world.plan(round=number, **changes)
    return MaliciousServer(world, plan, random_vectors(plan, number), range(size - colluding, size))


def truth(server, group):
    return summed([server.vectors[member] for member in group], server.plan.bits)


def assert_only_allowed_sums(server):
    """Whatever is learnt is a sum of at least t - c honest inputs, and those that saw through the server left."""
    for group, total in learnt_sums(server.view).items():
        assert len(group) >= server.plan.threshold - len(server.view.colluders)
        assert total == truth(server, group)
    assert {type(error) for error in server.left.values()} <= {SecAggAbort}


def fork_survivors(server, camp):
    """The camp, with the victim in it, is shown everybody; the others are shown a list without the victim."""
    everyone = range(server.plan.size)
    server.start().advertise().deposit()
    return server.survive(lambda m: everyone if m in camp else everyone[1:]).agree()


@pytest.mark.parametrize(("size", "threshold"), PLANS)
def test_two_lists_of_survivors_open_one_secret_of_each_device_at_most(size, threshold):
    colluding = 2 * threshold - size - 1
    honest = range(size - colluding)
    for number in range(1, len(honest)):
        server = server_of(size, colluding, threshold=threshold)
        assert tolerated(server.plan) == colluding
        fork_survivors(server, camp=honest[:number])
        assert_only_allowed_sums(server)
        for camp in (honest[:number], honest[number:]):  # a camp below the threshold left without opening
            opened = {member for member, _, _ in server.view.openings} & set(camp)
            assert opened == (set(camp) if len(camp) + colluding >= threshold else set())


@pytest.mark.parametrize(("size", "threshold"), [(s, t) for s, t in PLANS if s - t >= 1])
def test_with_one_colluder_more_the_same_fork_reads_the_victims_update(size, threshold):
    """So the test above can fail: what protects the device is the number, and the attack is a real one."""
    colluding = 2 * threshold - size
    server = server_of(size, colluding, threshold=threshold)
    fork_survivors(server, camp=range((size - colluding) // 2))
    assert learnt_sums(server.view)[frozenset({VICTIM})] == server.vectors[VICTIM].tolist()


@pytest.mark.parametrize(("size", "threshold"), [(6, 5), (8, 6), (9, 7), (9, 9)])
def test_the_fewest_inputs_that_colluders_see_summed_are_the_honest_ones_of_a_threshold(size, threshold):
    """The bound that the protocol page states is reached, so it is not stated too low."""
    colluding = 2 * threshold - size - 1
    server = server_of(size, colluding, threshold=threshold)
    survivors = range(size - threshold, size)
    server.start().advertise().deposit().survive(lambda _: survivors).agree()
    assert min(map(len, learnt_sums(server.view))) == threshold - colluding
    assert_only_allowed_sums(server)


@st.composite
def strategies(draw, extra):
    """A plan, colluders, and for every device one of two or three versions of every list."""
    size, threshold = draw(st.sampled_from([plan for plan in PLANS if plan[0] <= 9]))
    colluding = 2 * threshold - size - 1 + extra
    camps = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    absent = st.lists(st.sets(st.integers(0, size - 1), max_size=size - threshold), min_size=3, max_size=3)
    stages = [draw(absent) for _ in range(3)]
    forks_from = draw(st.integers(0, 2))  # before this stage all are told the same

    def lists(stage):
        def shown(member):
            version = camps[member] if stage >= forks_from else 0
            return [other for other in range(size) if other not in stages[stage][version]]

        return shown

    return size, threshold, min(colluding, size - 1), [lists(stage) for stage in range(3)]


def searched(extra, examples):
    """How many strategies were tried, and the sizes of the smallest groups whose sums they gave away."""
    found = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies(extra))
    def case(strategy):
        size, threshold, colluding, (advertised, deposited, survivors) = strategy
        server = server_of(size, colluding, threshold=threshold)
        server.start().advertise(advertised).deposit(deposited).survive(survivors).agree()
        found["cases"] += 1
        if extra:
            found["read"] += any(
                total == server.vectors[next(iter(group))].tolist()
                for group, total in learnt_sums(server.view).items()
                if len(group) == 1
            )
        else:
            assert_only_allowed_sums(server)
            found["sums"] += bool(learnt_sums(server.view))

    case()
    return found


def test_no_strategy_of_lists_that_was_tried_learns_fewer_than_the_honest_of_a_threshold():
    found = searched(extra=0, examples=90)
    assert found["sums"] > found["cases"] // 10  # strategies that all fail would show nothing


def test_the_same_search_reads_updates_once_there_are_two_colluders_too_many():
    assert searched(extra=2, examples=60)["read"] > 2


@pytest.mark.slow
def test_no_strategy_of_thousands_learns_fewer_than_the_honest_of_a_threshold():
    found = searched(extra=0, examples=8_000)
    assert found["sums"] > found["cases"] // 10


def uniformity(words):
    """p-value of the hypothesis that bytes are uniform."""
    return stats.chisquare(np.bincount(np.asarray(words, dtype=np.uint8), minlength=256)).pvalue


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("ending", ["no openings", "survivors opened", "victim dropped"])
def test_all_that_colluders_do_not_learn_is_uniform(value, ending):
    """Inputs are constant, so whatever shines through of them would show in the distribution."""
    world = World.of(8)
    plan = world.plan(bits=8, dim=1 << 14)
    vectors = np.full((8, plan.dim), value, dtype=np.uint64)
    server = MaliciousServer(world, plan, vectors, colluders=(5, 6, 7)).start().advertise().deposit()
    if ending == "survivors opened":
        server.survive().agree()
    if ending == "victim dropped":
        server.survive(lambda _: range(1, 8)).agree()
    learnt = learnt_sums(server.view)
    assert (
        set(map(len, learnt))
        == ({"no openings": set(), "survivors opened": {5}, "victim dropped": {4}}[ending])
    )
    left = {member: words for member, (words, _) in residues(server.view).items()}
    assert set(left) == {0, 1, 2, 3, 4}
    for count in range(1, 6):
        for group in combinations(left, count):
            total = summed([left[member] for member in group], 8)
            if frozenset(group) in learnt:
                assert set(total) == {count * value % 256}
            else:
                assert uniformity(total) > 1e-9


def test_the_check_of_uniformity_notices_a_single_bit_that_is_not_masked():
    server = server_of(8, 3, bits=8, dim=1 << 14).start().advertise().deposit()
    words, _ = residues(server.view)[VICTIM]
    assert uniformity(words) > 1e-9
    assert uniformity(words & 0x7F) < 1e-9


def test_without_its_own_mask_a_late_input_would_be_read_and_with_it_is_not():
    """The case that the second mask is for: the server calls a device dropped whose input it holds."""
    server = server_of(6, 3)
    server.start().advertise().deposit().survive(lambda _: range(1, 6)).agree()
    words, unknown = residues(server.view)[VICTIM]
    assert unknown == {(b"own", VICTIM)}  # every pair mask has come off
    assert frozenset({VICTIM}) not in learnt_sums(server.view)
    assert words.tolist() != server.vectors[VICTIM].tolist()
