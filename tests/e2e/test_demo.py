"""The demo, as a newcomer runs it: one process, one JSON object at its end, no process left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from command_line import finish, start_fediomt

pytestmark = pytest.mark.node

PROMISED = {
    "rounds",
    "accuracy",
    "accuracy_centralised",
    "wire_bytes_up",
    "wire_bytes_down",
    "epsilon",
    "epsilon_edge",
    "epsilon_unmasked",
    "delta",
    "allocated",
    "claimed",
    "redeemed",
    "supply",
    "gas",
    "audit_ok",
    "honest_mean_tokens",
    "flipper_mean_tokens",
    "free_rider_tokens",
}


def children_of(process_id: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process_id)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, patience_s: float = 180.0):
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to pass in time")


def test_the_demo_tells_the_whole_story(tmp_path):
    outcome = finish(start_fediomt("demo", "--rounds", "6", "--json", cwd=tmp_path))
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert set(report) >= PROMISED
    assert report["rounds"] == 6
    assert report["audit_ok"] is True
    assert 7.9 < report["epsilon"] <= 8
    assert report["epsilon"] <= report["epsilon_edge"] <= report["epsilon_unmasked"]
    assert report["delta"] == 1e-5
    assert report["accuracy"] > 0.7
    assert report["detection_bound"] > 0.9
    exact = {name: int(value) for name, value in report["exact"].items()}
    assert exact["supply"] == exact["claimed"] - exact["burnt"]
    assert exact["claimed"] <= exact["allocated"] <= 6 * 10_000 * 10**18
    assert exact["redeemed"] > 0
    inflating = [line for line in report["hospitals"] if line["inflated"]]
    assert len(inflating) == 1
    assert inflating[0]["uncapped_share"] > inflating[0]["capacity"]
    assert inflating[0]["paid_share"] <= inflating[0]["capacity"]
    folder = tmp_path / "runs" / report["run"]
    for name in ("report.json", "report.md", "accuracy.png", "tokens.png", "quality.png", "run.json"):
        assert (folder / name).stat().st_size > 0
    assert json.loads((folder / "report.json").read_text()) == report
    assert len(list((folder / "rounds").iterdir())) == 6


def test_without_noise_the_demo_finds_the_flippers_and_says_what_can_be_reconstructed(tmp_path):
    outcome = finish(start_fediomt("demo", "--rounds", "6", "--epsilon", "inf", cwd=tmp_path))
    assert outcome.code == 0, outcome.err
    assert "mean updates can be reconstructed" in outcome.out
    (path,) = (tmp_path / "runs").glob("*/report.json")
    report = json.loads(path.read_text())
    assert report["epsilon"] is None
    assert report["accuracy"] > 0.9
    assert report["flipper_mean_tokens"] < report["honest_mean_tokens"]
    assert report["detection_auc"] > 0.9


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_mid_run_stops_the_node_and_leaves_nothing_half_written(tmp_path, stop):
    process = start_fediomt("demo", "--rounds", "200", cwd=tmp_path)
    node = wait_for(lambda: children_of(process.pid))[0]
    wait_for(lambda: list((tmp_path / "runs").glob("*/rounds/000002")))
    process.send_signal(stop)
    outcome = finish(process)
    assert outcome.code == 1
    assert "fediomt: interrupted" in outcome.err
    assert "Traceback" not in outcome.err + outcome.out
    wait_for(lambda: not is_running(node))
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_killed_demo_takes_its_node_along(tmp_path):
    process = start_fediomt("demo", "--rounds", "200", cwd=tmp_path)
    node = wait_for(lambda: children_of(process.pid))[0]
    process.kill()
    finish(process)
    wait_for(lambda: not is_running(node))


def test_ctrl_c_while_training_keeps_the_finished_rounds_and_the_next_run_goes_on(chain_folder, tmp_path):
    from command_line import fediomt

    url = json.loads(fediomt("chain", "status", "--json", cwd=chain_folder).out)["url"]
    assert fediomt("deploy", "--url", url, cwd=tmp_path).code == 0
    process = start_fediomt("train", "--url", url, "--rounds", "200", cwd=tmp_path)
    wait_for(lambda: list((tmp_path / "runs").glob("*/rounds/000003")))
    process.send_signal(signal.SIGINT)
    outcome = finish(process)
    assert outcome.code == 1
    assert "fediomt: interrupted" in outcome.err
    (folder,) = (tmp_path / "runs").iterdir()
    state = json.loads((folder / "run.json").read_text())
    assert state["status"] == "interrupted"
    assert len(state["rounds"]) >= 2
    audit = fediomt("audit", "--url", url, cwd=tmp_path)
    assert audit.code == 0, audit
    claim = json.loads(fediomt("claim", "--url", url, "--json", cwd=tmp_path).out)
    assert claim["minted"] > 0
