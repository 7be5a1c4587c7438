"""A ledger that is set back to before its first round is used by two runs: its honest hospitals cannot be convicted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import assert_one_line_error, fediomt

from chain.connect import connect
from chain.contracts import open_contracts
from chain.deployments import load_deployment
from chain.errors import EngineMissing
from chain.node import AnvilNode
from chain.rpc import request
from scripts.federation.run import RunState

pytestmark = [pytest.mark.node, pytest.mark.slow]

HOSPITALS = (1, 2, 3)
DEPLOY = ("deploy", "--hospitals", "3", "--k-min", "3")
TRAIN = (
    "train",
    "--hospitals",
    "3",
    "--devices",
    "6",
    "--cohort-size",
    "4",
    "--k-min",
    "3",
    "--epsilon",
    "inf",
)


@pytest.fixture
def url() -> Iterator[str]:
    try:
        with AnvilNode() as node:
            yield node.url
    except EngineMissing as error:
        pytest.skip(str(error))


def done(*arguments: str, cwd: Path) -> str:
    outcome = fediomt(*arguments, cwd=cwd)
    assert outcome.code == 0, outcome
    return outcome.out


def test_what_a_hospital_signed_in_one_run_it_does_not_sign_in_another_and_no_receipt_convicts_it(
    tmp_path: Path, url: str
):
    done(*DEPLOY, "--url", url, cwd=tmp_path)
    w3 = connect(url)
    contracts = open_contracts(w3, load_deployment(tmp_path / ".fediomt" / "deployments", w3))
    bonds = [contracts.consortium.hospital(hospital).bond for hospital in HOSPITALS]
    mark = request(w3, "evm_snapshot")
    done(*TRAIN, "--rounds", "1", "--seed", "3", "--url", url, cwd=tmp_path)
    assert all(entry.submitted for entry in contracts.ledger.entries(1, HOSPITALS))
    (first,) = (tmp_path / "runs").iterdir()
    record, _ = RunState.read(first).read_round(first, 1)
    assert request(w3, "evm_revert", mark)

    done(*TRAIN, "--rounds", "2", "--seed", "4", "--url", url, "--runs", "later", cwd=tmp_path)
    assert not any(entry.submitted for entry in contracts.ledger.entries(1, HOSPITALS))
    assert all(entry.allocation > 0 for entry in contracts.ledger.entries(2, HOSPITALS))
    for hospital in HOSPITALS:
        saved, device = f"{hospital}.json", f"0x{record.hospitals[hospital].contributions[0].device.hex()}"
        receipt = ("ledger", "receipt", "--round", "1", "--device", device, "--save", saved)
        done(*receipt, "--no-chain", cwd=tmp_path)
        prove = ("dispute", "prove-receipt", saved, "--by", "2", "--url", url)
        assert_one_line_error(fediomt(*prove, cwd=tmp_path), f"hospital {hospital} has no entry in round 1")
    assert [contracts.consortium.hospital(hospital).bond for hospital in HOSPITALS] == bonds
