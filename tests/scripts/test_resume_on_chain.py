"""A run on a chain that is killed anywhere goes on: what was attested is paid, what was under way is passed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chain.anvil import find_anvil
from chain.errors import EngineMissing
from chain.node import AnvilNode
from scripts.federation.settings import RunSettings

pytestmark = pytest.mark.node

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = RunSettings(rounds=2, hospitals=3, devices=6, cohort_size=4, k_min=3, seed=3)
KILLED = -signal.SIGKILL


def run_steps(tmp_path, steps):
    """What `interrupted_chain_runs.py` says of the steps, on a node of its own."""
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    program = Path(__file__).with_name("interrupted_chain_runs.py")
    with AnvilNode() as node:
        finished = subprocess.run(
            [sys.executable, program, tmp_path, node.url, json.dumps(SETTINGS.to_json()), json.dumps(steps)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=3_000,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def check(item, *, abandoned, rounds=(1, 2)):
    """The run was killed as planned, ended with two recorded and paid rounds, and nothing differs from the ledger."""
    assert item["codes"] == [KILLED] * len(item["step"]) + [0], item
    after = item["after"]
    assert "refused" not in after, after
    assert after["findings"] == []
    assert after["status"] == "complete"
    assert after["chained"]
    assert (after["rounds"], after["abandoned"]) == (list(rounds), list(abandoned))
    paid = [number for number, is_paid in after["ledger"] if is_paid]
    assert paid == list(rounds)
    assert [number for number, _ in after["ledger"]] == sorted([*rounds, *abandoned])
    assert after["treasury_claims"] == len(rounds) * SETTINGS.hospitals


def test_a_round_killed_before_its_checkpoint_is_passed_over_and_one_killed_after_it_is_finished(tmp_path):
    trained, half_attested = run_steps(tmp_path, [[["publish_model", 2]], [["attest", 4]]])
    check(trained, abandoned=[2], rounds=[1, 3])
    assert "round 2 was interrupted (phase commit)" in trained["after"]["notes"][0]
    check(half_attested, abandoned=[])


UNDER_WAY = [
    ["open_round", 1],
    ["submit_ready", 2],
    ["await_beacon", 1],
    ["publish_model", 1],
    ["commit_quality", 1],
    ["commit_quality", 3],
    ["reveal_quality", 2],
    ["reveal_quality", 3],
    ["submit_entry", 1],
    ["submit_entry", 3],
]
"""Calls of round 1 after which nothing of it is in a checkpoint."""

DONE = [["register_epoch", 2], ["attest", 1], ["attest", 2], ["attest", 3], ["close_round", 1]]
"""Calls after which all that was begun is in a checkpoint."""


def test_a_transaction_that_was_under_way_when_its_run_was_killed_counts_once(tmp_path):
    opened, attested = run_steps(tmp_path, [[["open_round", 2, "sent"]], [["attest", 5, "sent"]]])
    check(opened, abandoned=[2], rounds=[1, 3])
    assert "round 2 was interrupted (phase ready)" in opened["after"]["notes"][0]
    check(attested, abandoned=[])


@pytest.mark.slow
def test_a_run_killed_in_any_phase_goes_on(tmp_path):
    steps = [[step, [*step, "sent"]] for step in UNDER_WAY + DONE]
    found = run_steps(tmp_path, [[step] for both in steps for step in both])
    for item in found[: 2 * len(UNDER_WAY)]:
        check(item, abandoned=[1], rounds=[2, 3])
    for item in found[2 * len(UNDER_WAY) :]:
        check(item, abandoned=[])


@pytest.mark.slow
def test_a_resumption_that_is_killed_as_well_goes_on(tmp_path):
    first, second, third = run_steps(
        tmp_path,
        [
            [["reveal_quality", 2], ["advance", 1]],  # killed while the stalled round is moved on
            [["reveal_quality", 2], ["close_round", 1]],  # and right after it is closed
            [["attest", 2], ["attest", 1], ["open_round", 1]],  # and in the round after it
        ],
    )
    check(first, abandoned=[1], rounds=[2, 3])
    check(second, abandoned=[1], rounds=[2, 3])
    check(third, abandoned=[2], rounds=[1, 3])
