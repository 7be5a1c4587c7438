"""A received run is held against the user's own ledger: it chooses neither that nor the contracts that one signs to."""

from __future__ import annotations

import json
import shutil

import pytest
from command_line import assert_one_line_error, fediomt

from scripts.federation.run_state import STATE_FILE, RunState

pytestmark = pytest.mark.node

OTHER = "0x000000000000000000000000000000000000dEaD"


@pytest.fixture
def received(recorded, tmp_path):
    """The run as somebody else would hand it on, where no deployment is recorded."""
    shutil.copytree(recorded.folder / "runs", tmp_path / "runs")
    return tmp_path / "runs" / str(recorded.run["run"])


@pytest.fixture(scope="module")
def url(recorded) -> str:
    return str(recorded.ask("chain", "status")["url"])


@pytest.fixture(scope="module")
def ledger(recorded) -> str:
    return str(RunState.read(recorded.run_folder).deployment["ledger"])


def rewrite(folder, **deployment) -> None:
    path = folder / STATE_FILE
    state = json.loads(path.read_bytes())
    path.write_text(json.dumps({**state, "deployment": {**state["deployment"], **deployment}}))


def device_of(recorded) -> str:
    return "0x" + next(iter(RunState.read(recorded.run_folder).devices())).hex()


def commands(recorded) -> list[tuple[str, ...]]:
    return [("audit",), ("claim",), ("ledger", "receipt", "--round", "2", "--device", device_of(recorded))]


def test_an_audit_says_which_ledger_it_held_the_run_against(recorded, ledger):
    assert recorded.ask("audit")["ledger"] == ledger
    assert f"nothing differs (held against the ledger {ledger})" in fediomt("audit", cwd=recorded.folder).out
    alone = json.loads(fediomt("audit", "--no-chain", "--json", cwd=recorded.folder).out)
    assert (alone["chain"], alone["ledger"]) == (False, None)


def test_without_a_recorded_deployment_a_run_does_not_choose_its_ledger(recorded, received, url, ledger):
    for command in commands(recorded):
        refused = fediomt(*command, "--url", url, cwd=received.parents[1])
        assert_one_line_error(refused, ledger, ".fediomt records none", "--home", "--ledger ADDRESS")


def test_a_ledger_that_is_named_stands_for_the_recorded_one(recorded, received, url, ledger):
    asked = ("--url", url, "--ledger", ledger)
    audit = fediomt("audit", "--json", *asked, cwd=received.parents[1])
    assert audit.code == 0, audit
    assert json.loads(audit.out)["ledger"] == ledger
    receipt = commands(recorded)[-1]
    assert fediomt(*receipt, *asked, cwd=received.parents[1]).code == 0
    wrong = ("--url", url, "--ledger", OTHER)
    for command in (("audit",), receipt):
        assert_one_line_error(fediomt(*command, *wrong, cwd=received.parents[1]), ledger, f"not on {OTHER}")
        assert_one_line_error(fediomt(*command, "--no-chain", *wrong, cwd=received.parents[1]), "--no-chain")


def test_events_before_the_block_that_a_received_run_names_are_read_all_the_same(received, url, ledger):
    rewrite(received, block=10**9)
    audit = fediomt("audit", "--json", "--url", url, "--ledger", ledger, cwd=received.parents[1])
    assert [line["verdict"] for line in json.loads(audit.out)["lines"] if line["check"] == "claims"] == [
        "ok"
    ] * 3


def test_a_run_that_names_other_contracts_is_refused_and_nothing_is_signed(recorded, received, url, ledger):
    token = RunState.read(received).deployment["token"]
    for name, says in (("ledger", f"records {ledger}"), ("distributor", "records other contracts around it")):
        shutil.copy(recorded.run_folder / STATE_FILE, received / STATE_FILE)
        rewrite(received, **{name: token})
        for command in commands(recorded):
            refused = fediomt(*command, "--runs", str(received.parent), cwd=recorded.folder)
            assert_one_line_error(refused, says)
    for name in ("consortium", "distributor", "token"):
        shutil.copy(recorded.run_folder / STATE_FILE, received / STATE_FILE)
        rewrite(received, **{name: RunState.read(received).deployment["desk"]})
        refused = fediomt("audit", "--url", url, "--ledger", ledger, cwd=received.parents[1])
        assert_one_line_error(refused)


def test_a_receipt_of_a_run_that_says_it_has_no_chain_does_not_hold_if_its_bundle_names_one(
    recorded, received
):
    state = json.loads((received / STATE_FILE).read_bytes())
    (received / STATE_FILE).write_text(json.dumps({**state, "deployment": None}))
    receipt = (*commands(recorded)[-1], "--runs", str(received.parent))
    found = fediomt(*receipt, "--json", cwd=recorded.folder)
    assert found.code == 1, found
    lines = {line["check"]: line for line in json.loads(found.out)["checks"]}
    assert "held against the ledger that it names" in lines["bundle"]["findings"][0]
    assert fediomt(*receipt, "--no-chain", cwd=recorded.folder).code == 0


def test_an_empty_folder_of_another_run_excuses_no_paid_bundle(recorded, received):
    bundle = received / "rounds" / "000003"
    other = received.parent / "aa"
    (other / "rounds").mkdir(parents=True)
    state = json.loads((received / STATE_FILE).read_bytes())
    (other / STATE_FILE).write_text(json.dumps({**state, "run": "aa"}))
    (received / STATE_FILE).write_text(json.dumps({**state, "rounds": [1, 2]}))
    shutil.move(bundle, received.parents[1] / "kept")
    (other / "rounds" / "000003").mkdir()
    asked = ("audit", "--run", received.name, "--runs", str(received.parent), "--json")
    found = fediomt(*asked, cwd=recorded.folder)
    assert found.code == 1, found
    assert "its bundle, since it is paid" in json.loads(found.out)["first_difference"]
    shutil.copytree(received.parents[1] / "kept", other / "rounds" / "000003", dirs_exist_ok=True)
    assert fediomt(*asked, cwd=recorded.folder).code == 0
