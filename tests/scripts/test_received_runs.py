"""A run's file that somebody else wrote names neither another run nor a place to ask with one's own credentials."""

from __future__ import annotations

import json
import shutil

import pytest
from command_line import assert_one_line_error, fediomt

from chain.deployments import CONTRACT_FIELDS
from fl_core.bundle import bundle_digest
from fl_core.stores import FolderStore
from scripts.console.errors import CommandError
from scripts.console.session import find_run, find_run_and_store, kept_elsewhere, runs_at_hand
from scripts.federation.offline import offline_run
from scripts.federation.run_state import STATE_FILE, RunState
from scripts.federation.settings import RunSettings

SMALL = RunSettings(rounds=1, hospitals=3, devices=6, cohort_size=4, k_min=3, seed=5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "own"
    offline_run(SMALL, "own", folder).train()
    return folder


@pytest.fixture
def runs(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs" / "own")
    return tmp_path / "runs"


def rewrite(folder, **changes) -> None:
    state = json.loads((folder / STATE_FILE).read_bytes())
    settings = {**state["settings"], **changes.pop("settings", {})}
    (folder / STATE_FILE).write_text(json.dumps({**state, **changes, "settings": settings}))


@pytest.mark.parametrize("command", [("audit",), ("audit", "--run", "own")])
def test_a_run_under_another_runs_name_is_refused(runs, command):
    rewrite(runs / "own", run="another")
    outcome = fediomt(*command, cwd=runs.parent)
    assert_one_line_error(outcome, "is of run another: keep it in a folder of that name")


@pytest.mark.parametrize("store", ["teapot://elsewhere", "memory://elsewhere", "/etc", "file:///etc"])
def test_where_a_received_file_says_that_bundles_are_is_not_followed(runs, store):
    rewrite(runs / "own", settings={"store": store})
    with pytest.raises(CommandError, match="name that place with --store if you trust it") as refusal:
        find_run_and_store(runs, None, None)
    assert store in str(refusal.value)


@pytest.mark.parametrize("command", ["audit", "ledger receipt", "claim"])
def test_every_command_that_reads_bundles_asks_for_the_place(runs, command):
    rewrite(runs / "own", settings={"store": "teapot://elsewhere"})
    account = next(iter(RunState.read(runs / "own").devices())).hex()
    which = ("--round", "1", "--device", f"0x{account}") if "receipt" in command else ()
    assert_one_line_error(fediomt(*command.split(), *which, cwd=runs.parent), "name that place with --store")


def test_a_place_that_is_named_is_read_and_its_run_has_to_be_the_one_of_that_name(runs, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(runs / "own", kept / "own")
    rewrite(kept / "own", settings={"store": "teapot://elsewhere"})
    store, state = find_run_and_store(tmp_path / "none", None, str(kept))
    assert (store, state.run) == (FolderStore(kept / "own"), "own")
    rewrite(kept / "own", run="another")
    with pytest.raises(CommandError, match="is of run another"):
        find_run_and_store(tmp_path / "none", None, str(kept))


def test_a_device_reads_its_receipt_from_a_store_that_is_named(trained, runs, tmp_path):
    shutil.copytree(trained, tmp_path / "kept" / "own")
    shutil.rmtree(runs / "own" / "rounds")
    account = next(iter(RunState.read(trained).devices())).hex()
    asked = ("ledger", "receipt", "--round", "1", "--device", f"0x{account}")
    assert fediomt(*asked, cwd=tmp_path).code == 1
    assert fediomt(*asked, "--store", "kept", cwd=tmp_path).code == 0


def test_no_received_file_excuses_a_bundle_that_is_nowhere(runs):
    deployment = dict.fromkeys(CONTRACT_FIELDS, "0x" + "11" * 20)
    deployment |= {"chain_id": 1, "block": 1, "genesis": "0x00", "deployer": "0x00"}
    for name in ("own", "other"):
        if name == "other":
            shutil.copytree(runs / "own", runs / "other")
        rewrite(runs / name, run=name, deployment=deployment, rounds=[1, 7])
    state = find_run(runs, "own")[1]
    digest = bundle_digest(FolderStore(runs / "other").read_bundle(1))
    assert kept_elsewhere(runs, state)(1, digest)
    assert not kept_elsewhere(runs, state)(1, bytes(32))
    (runs / "other" / "rounds" / "000007").mkdir()
    assert not kept_elsewhere(runs, state)(7, digest)
    shutil.rmtree(runs / "other" / "rounds" / "000001")
    (runs / "other" / "rounds" / "000001").mkdir()
    assert not kept_elsewhere(runs, state)(1, digest)
    shutil.copytree(
        runs / "own" / "rounds" / "000001", runs / "other" / "rounds" / "000001", dirs_exist_ok=True
    )
    assert kept_elsewhere(runs, state)(1, digest)
    rewrite(runs / "other", settings={"store": "teapot://elsewhere"})
    assert not kept_elsewhere(runs, state)(1, digest)
    rewrite(runs / "other", settings={"store": None}, run="a third")
    assert [found.run for _, found in runs_at_hand(runs, None)] == ["own"]
