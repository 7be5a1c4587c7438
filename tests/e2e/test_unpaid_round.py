"""A round that too few attest is paid to nobody; its bundle is held against all that the ledger has of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chain.anvil import find_anvil
from chain.clock import clock_for
from chain.connect import connect
from chain.deploy import DeployConfig
from chain.errors import EngineMissing
from chain.node import AnvilNode
from fl_core.bundle import bundle_manifest
from incentives import DEFAULT_RULE
from scripts.federation.auditing import audit_run
from scripts.federation.chain_book import ChainBook
from scripts.federation.consortium import found_consortium
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.settings import RunSettings
from scripts.federation.story import run_on_chain

pytestmark = pytest.mark.node

CHAIN = 31337
SETTINGS = RunSettings(hospitals=3, devices=6, rounds=1, cohort_size=4, k_min=3, seed=5)


def findings(run, contracts) -> list[tuple[str, str]]:
    lines = audit_run(run.store, run.state, contracts)
    return [(line.line.check, found.subject) for line in lines for found in line.findings]


def test_the_bundle_of_a_round_without_quorum_is_held_against_what_was_recorded(tmp_path, monkeypatch):
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    honest = ChainBook.attest

    def first_alone(book, number, digests):
        honest(book, number, {1: digests[1]})
        book._clock.wait_until(book._ledger.round(number).phase_deadline)

    monkeypatch.setattr(ChainBook, "attest", first_alone)
    with AnvilNode(chain_id=CHAIN) as node:
        w3 = connect(node.url, chain_id=CHAIN)
        config = DeployConfig.local(k_min=3, rule=DEFAULT_RULE)
        consortium = found_consortium(
            w3, DevelopmentKeyring(CHAIN), config, capacities_bps=[3_000, 3_000, 4_000]
        )
        contracts = consortium.contracts
        run = run_on_chain(SETTINGS, consortium, run_id="run", folder=tmp_path / "run", clock=clock_for(w3))
        run.train()
        assert not contracts.ledger.round(1).paid
        lines = audit_run(run.store, run.state, contracts)
        assert [found for line in lines for found in line.findings] == []
        assert next(line.line.what for line in lines if line.line.check == "bundle").endswith("; unpaid")
        record = run.summaries[0].record
        said = replace(record.validators[2], salt=bytes(32))
        files = replace(record, validators={**record.validators, 2: said}).to_files()
        for name, data in {**files, "manifest.json": bundle_manifest(files)}.items():
            (run.folder / "rounds" / "000001" / name).write_bytes(data)
        assert findings(run, contracts) == [
            ("bundle", "digest that hospital 1 attested"),
            ("scores", "validator 2, commitment"),
        ]
