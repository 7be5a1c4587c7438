"""`fediomt deploy --verify` says whether the chain runs these sources; exit code 1 where it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import assert_one_line_error, fediomt

from chain.compile import artifact_names, load_artifact
from chain.connect import connect
from chain.errors import EngineMissing
from chain.node import AnvilNode
from chain.rpc import request
from scripts.console.session import open_deployment

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """A folder with a deployment, and the URL of its node."""
    folder = tmp_path_factory.mktemp("verified")
    try:
        with AnvilNode() as node:
            outcome = fediomt("deploy", "--url", node.url, cwd=folder)
            assert outcome.code == 0, outcome
            yield folder, node.url
    except EngineMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packaged artifacts, which tests/chain/test_compile.py compares with the compiler's output."""
    monkeypatch.setattr(
        "scripts.deploy.compile_sources", lambda sources: [load_artifact(name) for name in artifact_names()]
    )


def change_one_byte(folder: Path, url: str, contract: str) -> tuple[str, str]:
    """Its address and its code as it was."""
    address = json.loads((folder / ".fediomt/deployments/31337.json").read_text())[contract]
    w3 = connect(url)
    code = request(w3, "eth_getCode", address, "latest")
    last = f"{int(code[-1], 16) ^ 1:x}"
    request(w3, "anvil_setCode", address, code[:-1] + last)
    return address, code


@pytest.mark.usefixtures("compiled")
def test_a_true_deployment_verifies_and_a_changed_byte_is_named(place: tuple[Path, str]):
    folder, url = place
    good = fediomt("deploy", "--verify", "--url", url, "--json", cwd=folder)
    assert good.code == 0, good
    assert json.loads(good.out)["same"] is True
    address, code = change_one_byte(folder, url, "court")
    bad = fediomt("deploy", "--verify", "--url", url, "--json", cwd=folder)
    assert_one_line_error(bad, "the court contract", address, "is not DisputeCourt as the sources have it")
    told = json.loads(bad.out)
    assert told["same"] is False
    assert [check["field"] for check in told["contracts"] if check["problem"]] == ["court"]
    request(connect(url), "anvil_setCode", address, code)
    assert (
        "DisputeCourt, as the sources have it" in fediomt("deploy", "--verify", "--url", url, cwd=folder).out
    )


@pytest.mark.usefixtures("compiled")
def test_nothing_is_deployed_by_verifying(place: tuple[Path, str], tmp_path: Path):
    _, url = place
    before = request(connect(url), "eth_blockNumber")
    assert_one_line_error(
        fediomt("deploy", "--verify", "--url", url, cwd=tmp_path), "no contracts are recorded"
    )
    assert request(connect(url), "eth_blockNumber") == before


def test_court_and_council_are_chosen_and_what_does_not_work_is_refused(
    place: tuple[Path, str], tmp_path: Path
):
    _, url = place
    for arguments, words in (
        (["--case-hours", "17"], ["16 hours at most", "--case-hours"]),
        (["--slash", "-1"], ["slash amount", "choose 0 or more"]),
        (["--delay-hours", "nan"], ["council delay seconds", "choose 0 or more"]),
        (["--openings", "0"], ["openings is out of range"]),
        (["--delay-hours", "23"], ["arbitration_seconds of 86400", "up to 86400 s"]),
        (["--arbitration-hours", "1"], ["arbitration_seconds of 3600", "up to 3600 s"]),
        (["--case-hours", "12"], ["exit_seconds of 86400", "its last entry can be disputed for"]),
    ):
        assert_one_line_error(fediomt("deploy", *arguments, "--url", url, cwd=tmp_path), *words)
    chosen = "--challenge-bond 7.5 --slash 20 --case-hours 0.5 --openings 3 --voting-hours 2 --delay-hours 1"
    chosen += " --arbitration-hours 5"
    outcome = fediomt("deploy", *chosen.split(), "--url", url, cwd=tmp_path)
    assert outcome.code == 0, outcome
    contracts = open_deployment(tmp_path / ".fediomt", url, None)
    assert contracts.court.call("challengeBond") == 75 * 10**17
    assert contracts.court.call("slashAmount") == 20 * 10**18
    assert contracts.court.call("caseSeconds") == 1_800
    assert contracts.court.call("openings") == 3
    assert contracts.council.call("votingSeconds") == 7_200
    assert contracts.desk.call("arbitrationSeconds") == 18_000
    assert contracts.council.execution_delay() == 3_600


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "node_modules" / "solc").is_dir(), reason="npm packages are not installed")
def test_the_sources_are_compiled_anew(place: tuple[Path, str]):
    folder, url = place
    outcome = fediomt("deploy", "--verify", "--url", url, "--json", cwd=folder)
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out)["same"] is True
