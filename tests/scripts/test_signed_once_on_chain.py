"""A round is done twice under one number where its chain is set back: whoever signed in it before signs no more."""

from __future__ import annotations

from collections import defaultdict
from unittest import mock

import pytest

from chain.anvil import find_anvil
from chain.clock import clock_for
from chain.connect import connect
from chain.deploy import DeployConfig
from chain.errors import EngineMissing
from chain.ledger import LedgerClient
from chain.node import AnvilNode
from chain.rpc import request
from incentives import DEFAULT_RULE
from scripts.federation import rounds
from scripts.federation.auditing import audit_run
from scripts.federation.consortium import found_consortium
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.receipt_signatures import receipt_message
from scripts.federation.resume_chain import resume_on_chain
from scripts.federation.settings import RunSettings
from scripts.federation.story import run_on_chain

pytestmark = [pytest.mark.node, pytest.mark.slow]

CHAIN, HOSPITALS = 31337, 3
SETTINGS = RunSettings(rounds=2, hospitals=HOSPITALS, devices=6, cohort_size=4, k_min=3, seed=3)


class Killed(BaseException):
    """The process ends here."""


def test_no_hospital_signs_two_roots_of_one_round_though_its_chain_was_set_back(tmp_path):
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    signed: defaultdict[tuple[int, int], set[bytes]] = defaultdict(set)
    marks: list[str] = []
    open_round = LedgerClient.open_round

    def noted(record, hospital, root):
        signed[record.number, hospital].add(root)
        return receipt_message(record, hospital, root)

    def opened(ledger, *arguments, **named):
        if not marks:
            marks.append(request(ledger.w3, "evm_snapshot"))
        return open_round(ledger, *arguments, **named)

    with AnvilNode(chain_id=CHAIN) as node, mock.patch.object(rounds, "receipt_message", noted):
        w3 = connect(node.url, chain_id=CHAIN)
        consortium = found_consortium(
            w3,
            DevelopmentKeyring(CHAIN),
            DeployConfig.local(k_min=3, rule=DEFAULT_RULE),
            capacities_bps=[3_333] * HOSPITALS,
        )
        folder, clock = tmp_path / "run", clock_for(w3)
        run = run_on_chain(SETTINGS, consortium, run_id="run", folder=folder, clock=clock)
        with (
            mock.patch.object(LedgerClient, "open_round", opened),
            mock.patch.object(LedgerClient, "submit_entry", side_effect=Killed),
            pytest.raises(Killed),
        ):
            run.train()
        assert set(signed) == {(1, hospital) for hospital in range(1, HOSPITALS + 1)}
        assert request(w3, "evm_revert", marks[0])

        resumed = resume_on_chain(folder, consortium, clock).run
        resumed.train()
        assert all(len(roots) == 1 for roots in signed.values())
        assert set(signed) == {(number, h) for number in (1, 2) for h in range(1, HOSPITALS + 1)}
        ledger = consortium.contracts.ledger
        assert not any(entry.submitted for entry in ledger.entries(1, [1, 2, 3]))
        assert all(entry.allocation > 0 for entry in ledger.entries(2, [1, 2, 3]))
        lines = audit_run(resumed.store, resumed.state, consortium.contracts)
        assert [str(finding) for line in lines for finding in line.findings] == []
