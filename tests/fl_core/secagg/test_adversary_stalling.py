"""Sides that fall silent: the server closes its stages without them, a device is free for the next round."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from adversary_attack import learnt_sums
from adversary_server import MaliciousServer
from secagg_world import FIRST_ROUND, STAGES, Attempt, World, assert_exact, random_vectors

import fl_core.secagg
from fl_core.secagg import SecAggAbort, SecAggError, SecAggServer, ServerStage

SIZE = 8
WAITING = {
    "time",
    "asyncio",
    "threading",
    "socket",
    "select",
    "selectors",
    "queue",
    "sched",
    "signal",
    "datetime",
}


def test_neither_side_reads_a_clock_or_waits_for_anything():
    """Every call returns; how long a stage lasts is for whoever drives the sides to say."""
    imported = set()
    for path in Path(fl_core.secagg.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    assert {"secrets", "numpy", "fl_core"} <= imported
    assert imported.isdisjoint(WAITING)


@pytest.mark.parametrize("stage", range(STAGES))
def test_the_server_says_whom_it_waits_for_and_closes_without_them(stage):
    world = World.of(SIZE)
    plan = world.plan()
    run = Attempt(world, plan, random_vectors(plan, 1), deaths={1: stage, 5: stage}).until(stage)
    awaited = []
    advance = run.server.advance

    def noted():
        awaited.append(run.server.awaited)
        return advance()

    run.server.advance = noted
    run.until(STAGES)
    assert awaited[0] == {plan.members[1], plan.members[5]}
    assert all(not later for later in awaited[1:])
    assert run.server.done
    assert run.server.awaited == frozenset()
    assert_exact(run, run.server.result, [m for m in range(SIZE) if stage > 2 or m not in {1, 5}])


@pytest.mark.parametrize("stage", range(STAGES))
def test_a_server_that_nobody_answers_any_more_is_dead_after_one_advance(stage):
    world = World.of(SIZE)
    plan = world.plan()
    run = Attempt(world, plan, random_vectors(plan, 1)).until(stage)
    with pytest.raises(SecAggAbort, match="0 members remain"):
        run.server.advance()
    assert run.server.stage is ServerStage.DEAD
    assert run.server.awaited == frozenset()
    for call in (lambda: run.server.receive(plan.members[0], b""), lambda: run.server.result):
        with pytest.raises(SecAggError):
            call()


@pytest.mark.parametrize("stage", range(1, STAGES))
def test_a_message_that_comes_after_its_stage_was_closed_changes_nothing(stage):
    world = World.of(SIZE)
    plan = world.plan()
    late = {}

    def hold_back(at, member, message):
        if (at, member) == (stage - 1, 3):
            late[at] = message
            return None
        if at == stage and late:
            with pytest.raises(SecAggError, match="not awaited"):
                run.server.receive(plan.members[3], late[stage - 1])
        return message

    run = Attempt(world, plan, random_vectors(plan, 1), up=hold_back)
    assert_exact(run, run.run(), [m for m in range(SIZE) if stage > 3 or m != 3])
    assert late


@pytest.mark.parametrize("stage", range(STAGES))
def test_devices_that_a_server_left_waiting_take_part_in_the_next_round(stage):
    world = World.of(SIZE)
    stalled = Attempt(world, world.plan(), random_vectors(world.plan(), 1)).until(stage)
    plan = world.plan(round=FIRST_ROUND + 1)
    run = Attempt(world, plan, random_vectors(plan, 2))
    assert_exact(run, run.run(), range(SIZE))
    # and when the stalled server speaks up at last, nobody masks in the round that has passed
    for member, message in stalled.pending.items():
        if message is None:
            continue
        client = stalled.clients[member]
        if stage <= 2:
            with pytest.raises(SecAggAbort):
                client.receive(message)
        assert not client.done


@pytest.mark.parametrize("stage", ["deposit", "survive", "agree"])
def test_a_server_that_stalls_after_any_stage_has_learnt_nothing(stage):
    """What it holds when it stops answering is what it would hold had it crashed."""
    world = World.of(SIZE)
    plan = world.plan()
    server = MaliciousServer(world, plan, random_vectors(plan, 1), colluders=(5, 6, 7)).start().advertise()
    steps = {"deposit": server.deposit, "survive": server.survive, "agree": server.agree}
    for name, step in steps.items():
        if name == stage:
            break
        step()
    assert not learnt_sums(server.view)


def test_many_attempts_that_a_server_leaves_hanging_keep_no_device_from_the_one_that_it_finishes():
    world = World.of(SIZE)
    vectors = random_vectors(world.plan(), 1)
    hanging = [Attempt(world, world.plan(attempt=a), vectors).until(a % 3) for a in range(9)]
    last = Attempt(world, world.plan(attempt=9), vectors)
    assert_exact(last, last.run(), range(SIZE))
    for attempt in hanging:
        with pytest.raises(SecAggAbort):
            attempt.run()
    assert all(isinstance(attempt.server, SecAggServer) for attempt in hanging)
