"""Neighbour graphs: the same exact sums, messages that grow with the degree, and attacks that only a graph invites."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secagg_world import STAGES, Attempt, World, assert_exact, random_vectors

from fl_core.errors import SpecError
from fl_core.secagg import (
    Adversary,
    NeighbourGraph,
    SecAggAbort,
    SecAggError,
    ServerStage,
    derive_graph,
    minimum_threshold,
)
from fl_core.secagg import messages as wire
from fl_core.secagg.neighbours import circle, circulant

ADVERTISE, DEPOSIT, MASK, AGREE, OPEN = range(STAGES)
SIZE = 40


def graph_plan(world, *, dropout=0.1, corrupted=2, seed=None, **changes):
    choice = derive_graph(len(world.accounts), dropout, corrupted)
    return world.plan(**{"threshold": choice.threshold, "graph": choice.graph(seed), **changes})


def attempt(size=SIZE, deaths=None, dropout=0.1, **changes):
    world = World.of(size)
    plan = graph_plan(world, dropout=dropout, **changes)
    return Attempt(world, plan, random_vectors(plan, size), deaths=deaths or {})


def counted(plan, deaths):
    return [member for member in range(plan.size) if deaths.get(member, STAGES) > MASK]


@settings(max_examples=40, deadline=None)
@given(size=st.integers(33, 200), half=st.integers(1, 16), seed=st.binary(min_size=32, max_size=32))
def test_the_graph_is_regular_symmetric_and_follows_from_the_seed_alone(size, half, seed):
    near = circulant(seed, size, 2 * half)
    assert sorted(circle(seed, size)) == list(range(size))
    for member in range(size):
        assert near.closed[member] == tuple(sorted((member, *near.others[member])))
        assert len(set(near.others[member])) == 2 * half
        assert all(member in near.others[other] for other in near.others[member])
    order = circle(seed, size)
    assert set(near.others[order[0]]) == {order[o] for o in range(-half, half + 1) if o}


def test_positions_on_the_circle_are_uniform():
    counts = [0] * 5
    for number in range(5000):
        counts[circle(number.to_bytes(32, "big"), 5).index(2)] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 25  # 4 degrees of freedom


@pytest.mark.parametrize("stage", range(STAGES))
def test_sum_survives_the_dropouts_that_the_graph_is_derived_for(stage):
    deaths = dict.fromkeys((3, 17, 22, 39), stage)
    run = attempt(deaths=deaths)
    assert run.plan.graph.degree < SIZE - 2
    assert_exact(run, run.run(), counted(run.plan, deaths))


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_schedule_of_dropouts_over_a_graph_gives_the_exact_sum_or_a_clean_failure(data):
    size = data.draw(st.integers(33, 48), label="members")
    dying = data.draw(st.lists(st.integers(0, size - 1), max_size=size // 4, unique=True), label="dying")
    deaths = {member: data.draw(st.integers(0, STAGES - 1)) for member in dying}
    world = World.of(size)
    plan = graph_plan(world, dropout=0.15, corrupted=1)
    run = Attempt(world, plan, random_vectors(plan, 1), deaths=deaths)
    try:
        result = run.run()
    except SecAggAbort:
        assert run.server.stage is ServerStage.DEAD
        return
    survivors = [plan.index_of(address) for address in result.survivors]
    assert set(survivors) <= set(counted(plan, deaths))
    assert len(survivors) >= plan.least_survivors
    assert_exact(run, result, survivors)


def test_fewer_members_than_the_plan_wants_in_a_sum_end_the_attempt():
    run = attempt(deaths=dict.fromkeys(range(5), MASK))
    assert run.plan.least_survivors == 36
    with pytest.raises(SecAggAbort, match="36 are needed"):
        run.run()


@pytest.mark.parametrize("stage", range(STAGES - 1))
def test_an_attempt_ends_at_once_where_somebody_has_too_few_neighbours_left(stage):
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 2)
    plan = world.plan(threshold=choice.threshold, graph=NeighbourGraph(choice.degree, choice.threshold, 2))
    gone = plan.neighbour_indices(0)[: choice.degree + 2 - choice.threshold]
    run = Attempt(world, plan, random_vectors(plan, 1), deaths=dict.fromkeys(gone, stage))
    with pytest.raises(SecAggAbort, match="hold shares of member"):
        run.run()
    assert run.stage == stage


def test_a_device_leaves_where_a_list_shows_too_few_of_its_neighbours():
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 2)
    plan = world.plan(threshold=choice.threshold, graph=NeighbourGraph(choice.degree, choice.threshold, 2))
    run = Attempt(world, plan, random_vectors(plan, 1)).until(AGREE)
    isolated = [m for m in range(SIZE) if m not in plan.neighbour_indices(0)]
    with pytest.raises(SecAggAbort, match="of this device and its neighbours"):
        run.clients[0].receive(wire.Survivors(tuple(isolated)).encode(plan, tuple(range(SIZE))))


def test_messages_have_the_sizes_that_the_protocol_page_states():
    size, dim, bits = 50, 100, 13
    run = attempt(size=size, dim=dim, bits=bits)
    run.run()
    degree, bitmap, packed, signature = run.plan.graph.degree, -(-size // 8), -(-dim * bits // 8), 96
    up = [
        34,
        34 + 128 * degree,
        20 + packed + signature + 16 * degree,
        18 + 16 * degree,
        18 + 32 * (degree + 1),
    ]
    down = [
        18 + bitmap + 32 * 6,
        18 + bitmap + 80 * degree,
        18 + bitmap + 16 * degree,
        18 + bitmap + 16 * degree,
    ]
    assert [len(run.sent[stage, 0]) for stage in range(STAGES)] == up
    assert [len(run.delivered[stage, 0]) for stage in range(STAGES - 1)] == down


def test_the_graph_depends_on_the_cohort_but_on_nothing_that_could_be_tried_out():
    world = World.of(SIZE)
    graph = graph_plan(world)
    for changes in ({"attempt": 9}, {"subject": b"\x01" * 32}, {"dim": 6}, {"bits": 21}):
        assert graph_plan(world, **changes).neighbour_indices(0) == graph.neighbour_indices(0)
    for changes in (
        {"round": 300},
        {"cohort": 1},
        {"hospital": 2},
        {"session": bytes(32)},
        {"seed": bytes(32)},
    ):
        assert graph_plan(world, **changes).neighbour_indices(0) != graph.neighbour_indices(0)


def test_every_part_of_the_graph_is_in_the_context_hash():
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 2)
    base = {"degree": choice.degree, "least_survivors": 36, "corrupted": 2, "security_bits": 40, "seed": None}
    changes = (
        {},
        {"degree": choice.degree - 2},
        {"least_survivors": 37},
        {"corrupted": 1},
        {"security_bits": 41},
        {"least_honest": 3},
    )
    plans = [
        world.plan(threshold=choice.threshold, graph=NeighbourGraph(**{**base, **change}))
        for change in (*changes, {"seed": bytes(32)})
    ]
    plans += [
        world.plan(threshold=choice.threshold, adversary=Adversary.SEMI_HONEST, graph=plans[0].graph),
        world.plan(threshold=27),
        world.plan(threshold=27, adversary=Adversary.SEMI_HONEST),
        world.plan(threshold=27, block_entries=64),
    ]
    assert len({plan.context_hash for plan in plans}) == len(plans)


def test_thresholds_below_what_the_adversary_calls_for_are_refused():
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 2)
    for threshold, corrupted in (
        (choice.threshold - 4, 2),
        (choice.degree // 2 + 1, 0),
        (choice.threshold, 12),
    ):
        with pytest.raises(SpecError, match="derive degree and threshold"):
            world.plan(threshold=threshold, graph=NeighbourGraph(choice.degree, 36, corrupted))
    for semi_honest, active in ((21, 27),):
        assert minimum_threshold(SIZE, Adversary.SEMI_HONEST) == semi_honest
        assert minimum_threshold(SIZE) == active
        world.plan(threshold=semi_honest, adversary=Adversary.SEMI_HONEST)
        for threshold, adversary in (
            (semi_honest - 1, Adversary.SEMI_HONEST),
            (active - 1, Adversary.ACTIVE),
        ):
            with pytest.raises(SpecError, match="threshold"):
                world.plan(threshold=threshold, adversary=adversary)


@pytest.mark.parametrize(
    "bad",
    [
        {"degree": 3},
        {"degree": 0},
        {"degree": SIZE},
        {"least_survivors": SIZE + 1},
        {"least_survivors": 1},
        {"corrupted": -1},
        {"security_bits": True},
        {"security_bits": 39},
        {"least_honest": -1},
        {"seed": b"short"},
    ],
)
def test_the_limits_of_a_graph_are_stated(bad):
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 2)
    with pytest.raises(SpecError):
        world.plan(
            threshold=choice.threshold,
            graph=NeighbourGraph(**{"degree": choice.degree, "least_survivors": 36, "corrupted": 2, **bad}),
        )
    with pytest.raises(SpecError, match="adversary"):
        world.plan(adversary="active")


def test_every_device_refuses_a_graph_that_withstands_an_active_server_by_luck_only():
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 2)
    with pytest.raises(SpecError, match="at least 40"):
        world.plan(threshold=choice.threshold, graph=choice.graph(security_bits=39))
    semi_honest = derive_graph(SIZE, 0.1, 2, Adversary.SEMI_HONEST)
    world.plan(
        threshold=semi_honest.threshold,
        graph=semi_honest.graph(security_bits=20),
        adversary=Adversary.SEMI_HONEST,
    )


@pytest.mark.parametrize("adversary", Adversary)
def test_every_device_refuses_a_graph_that_leaves_fewer_honest_inputs_than_the_plan_states(adversary):
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 2, adversary)
    stated = choice.graph()
    world.plan(threshold=choice.threshold, graph=stated, adversary=adversary)
    with pytest.raises(SpecError, match="are demanded"):
        world.plan(
            threshold=choice.threshold,
            graph=replace(stated, least_honest=choice.least_honest + 1),
            adversary=adversary,
        )


def test_a_semi_honest_plan_signs_nothing_and_sums_exactly():
    choice = derive_graph(SIZE, 0.2, 2, Adversary.SEMI_HONEST)
    deaths = dict.fromkeys(range(8), MASK)
    run = attempt(
        deaths=deaths,
        threshold=choice.threshold,
        graph=choice.graph(bytes(32)),
        adversary=Adversary.SEMI_HONEST,
    )
    result = run.run()
    assert_exact(run, result, range(8, SIZE))
    assert not result.signatures
    assert not result.masked_hashes
    assert len(run.sent[MASK, 9]) == 20 + -(-run.plan.dim * run.plan.bits // 8)


def test_a_signature_where_none_is_due_and_none_where_one_is_due_are_refused():
    for adversary in Adversary:
        world = World.of(5)
        plan = world.plan(adversary=adversary)
        run = Attempt(world, plan, random_vectors(plan, 1)).until(MASK)
        message = run.clients[0].receive(run.pending[0])
        packed = wire.MaskedInput.decode(message, plan).packed
        other = wire.MaskedInput(packed, b"" if plan.signed else bytes(96)).encode(plan)
        with pytest.raises(SecAggError, match=r"signature|is signed"):
            run.server.receive(plan.members[0], other)


def test_a_path_that_does_not_start_at_the_devices_own_nonce_gives_it_an_attempt_of_its_own():
    def older(stage, member, message):
        if (stage, member) != (ADVERTISE, 0):
            return message
        genuine = wire.NoncePath.decode(message, run.plan, 0)
        return wire.NoncePath(genuine.advertised, (bytes(32), *genuine.path[1:])).encode(run.plan)

    run = attempt()
    run.down = older
    result = run.run()
    assert run.plan.members[0] not in result.survivors
    assert (MASK, 0) not in run.sent


def arcs(plan):
    """The circle of the graph, cut in two."""
    order = circle(plan.graph_seed, plan.size)
    return set(order[: plan.size // 2]), order


def test_a_server_that_shows_one_arc_of_the_circle_other_depositors_unmasks_nobody():
    """Without confirmations it would get the arc's sum: neighbours outside, with the full list, open the self masks of
    the arc's border, and no mask crosses it.
    """
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 1)
    plan = world.plan(threshold=choice.threshold, graph=NeighbourGraph(choice.degree, choice.threshold, 1))
    inside, _ = arcs(plan)
    everyone, arc = tuple(range(SIZE)), tuple(sorted(inside))
    run = Attempt(world, plan, random_vectors(plan, 1)).until(MASK)
    masked = {}
    for member in range(SIZE):
        message = run.pending[member]
        if member in inside:
            genuine = wire.Shares.decode(message, plan, everyone, member)
            boxes = dict(zip(plan.neighbour_indices(member), genuine.sealed, strict=True))
            shown = tuple(boxes[peer] for peer in plan.neighbours_among(member, arc))
            message = wire.Shares(arc, shown).encode(plan, everyone)
        try:
            answer = run.clients[member].receive(message)
        except SecAggAbort:
            continue  # too few of its neighbours are in the arc
        peers = plan.neighbours_among(member, arc if member in inside else everyone)
        decoded = wire.MaskedInput.decode(answer, plan, len(peers))
        masked[member] = dict(zip(peers, decoded.confirmations, strict=True))
    assert any(member in inside for member in masked)
    border = [
        member
        for member in masked
        if member not in inside
        and any(peer in inside and peer in masked for peer in plan.neighbour_indices(member))
    ]
    assert border
    for member in border:  # shown everybody as survivors, as the attack needs
        confirmations = tuple(
            masked.get(peer, {}).get(member, bytes(16)) for peer in plan.neighbour_indices(member)
        )
        message = wire.Survivors(everyone, confirmations).encode(plan, everyone)
        with pytest.raises(SecAggAbort, match="masked against other depositors"):
            run.clients[member].receive(message)


def test_a_confirmation_from_somebody_else_is_refused():
    def swap(stage, member, message):
        if (stage, member) != (MASK, 0):
            return message
        genuine = wire.Survivors.decode(message, run.plan, tuple(range(SIZE)), 0)
        first, second, *rest = genuine.confirmations
        return wire.Survivors(genuine.survivors, (second, first, *rest)).encode(run.plan, tuple(range(SIZE)))

    run = attempt()
    run.down = swap
    assert_exact(run, run.run(), range(SIZE))
    assert [(stage, member) for stage, member, _ in run.refused] == [(AGREE, 0)]


def test_survivors_of_one_arc_alone_open_nothing_at_its_border():
    """The server declares the rest of the circle dropped: the border has too few neighbours left, and leaves."""
    world = World.of(SIZE)
    choice = derive_graph(SIZE, 0.1, 1)
    plan = world.plan(threshold=choice.threshold, graph=NeighbourGraph(choice.degree, choice.threshold, 1))
    inside, order = arcs(plan)
    run = Attempt(world, plan, random_vectors(plan, 1)).until(AGREE)
    arc, left = tuple(sorted(inside)), set()
    for member in arc:
        genuine = wire.Survivors.decode(run.pending[member], plan, tuple(range(SIZE)), member)
        kept = dict(zip(plan.neighbour_indices(member), genuine.confirmations, strict=True))
        near = tuple(kept[peer] for peer in plan.neighbours_among(member, arc))
        try:
            run.clients[member].receive(wire.Survivors(arc, near).encode(plan, tuple(range(SIZE))))
        except SecAggAbort:
            left.add(member)
    assert {order[0], order[SIZE // 2 - 1]} <= left
    for member in (order[0], order[SIZE // 2 - 1]):  # nobody can put its self mask together
        holders = set(plan.holders(member)) & inside - left
        assert len(holders) < plan.threshold
