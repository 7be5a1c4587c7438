"""A hospital inflates a leaf that its treasury is paid for: audited, convicted, void, slashed, nobody else touched.

And one that did not: random leaves of it are demanded and opened, from the bundle alone, and it is paid.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import pytest
from command_line import assert_one_line_error, fediomt

from chain.anvil import find_anvil
from chain.clock import clock_for
from chain.connect import connect
from chain.deploy import DeployConfig
from chain.errors import EngineMissing
from chain.history import read_round
from chain.keys import Key, fund
from chain.keystore import save_key
from chain.node import AnvilNode
from chain.phases import CaseOutcome
from chain.signing import EthereumSigner
from incentives import DEFAULT_RULE, HospitalEntry, Node, parent
from scripts.federation import rounds
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.contributions import entry_of
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.receipt_signatures import receipt_message
from scripts.federation.run import Run
from scripts.federation.settings import RunSettings
from scripts.federation.signed_root import SignedRoot
from scripts.federation.story import run_on_chain

pytestmark = pytest.mark.node

CHAIN, LIAR, HONEST, CHALLENGER, SIGNED = 31337, 1, 2, 3, 4
LIED, TRUE = 1, 2


class Unread:
    """A hospital that attests whatever it is given."""

    def check(self, *_arguments):
        return []


def inflated(record, part) -> HospitalEntry:
    """The honest entry, but for one leaf of the liar's in round 1 that weighs twice what the rule gives it."""
    entry = entry_of(record, part)
    if (part.hospital, record.number) != (LIAR, LIED):
        return entry
    slot = min(entry.tree.real_slots)
    first = entry.tree.levels[0][slot]
    lanes = replace(first.lanes, weight_treasury=2 * first.lanes.weight_treasury)
    level = tuple(Node(n.hash, lanes) if s == slot else n for s, n in enumerate(entry.tree.levels[0]))
    levels = [level]
    while len(level) > 1:
        level = tuple(parent(level[k], level[k + 1]) for k in range(0, len(level), 2))
        levels.append(level)
    return replace(entry, tree=replace(entry.tree, levels=tuple(levels)))


@dataclass(frozen=True)
class Disputed:
    run: Run
    consortium: Consortium
    folder: Path
    url: str

    @property
    def contracts(self):
        return self.consortium.contracts

    def run_command(self, *arguments: str):
        where = ("--url", self.url, "--home", str(self.folder))
        return fediomt(*arguments, *where, cwd=self.folder)

    def ask(self, *arguments: str):
        outcome = self.run_command(*arguments, "--json")
        assert outcome.code == 0, outcome
        return json.loads(outcome.out)


@pytest.fixture(scope="module")
def disputed(tmp_path_factory) -> Iterator[Disputed]:
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    settings = RunSettings(devices=8, rounds=2, cohort_size=4, k_min=4, seed=5, own_payees=0.0)
    with AnvilNode(chain_id=CHAIN) as node:
        w3 = connect(node.url, chain_id=CHAIN)
        consortium = found_consortium(
            w3,
            DevelopmentKeyring(CHAIN),
            DeployConfig.local(k_min=4, rule=DEFAULT_RULE),
            capacities_bps=[2_500] * 4,
        )
        folder = tmp_path_factory.mktemp("disputed")
        consortium.contracts.deployment.save(folder / "deployments")
        with (
            mock.patch.object(rounds, "entry_of", inflated),
            mock.patch.object(rounds, "RoundChecker", Unread),
        ):
            run = run_on_chain(
                settings, consortium, run_id="told", folder=folder / "runs" / "told", clock=clock_for(w3)
            )
            run.train()
        yield Disputed(run, consortium, folder, node.url)


def test_a_lie_in_a_treasury_leaf_is_found_convicted_voided_and_slashed_and_nobody_else_pays(disputed):
    audit = disputed.run_command("audit", "--run", "told", "--round", str(LIED))
    assert audit.code == 1
    assert "hospital 1" in audit.out
    contracts = disputed.contracts
    bond = contracts.consortium.hospital(LIAR).bond
    before = {e.hospital: e.allocation for e in contracts.ledger.entries(LIED, [1, 2, 3, 4])}
    assert before[LIAR] > 0

    assert_one_line_error(
        disputed.run_command("dispute", "prove", str(LIED), str(HONEST), "--by", "3", "--run", "told"),
        "no leaf of hospital 2",
    )
    proved = disputed.ask("dispute", "prove", str(LIED), str(LIAR), "--by", "3", "--run", "told")
    assert proved == {
        "round": LIED,
        "hospital": LIAR,
        "fault": "wrong_lanes",
        "voided": True,
        "slashed": True,
    }
    slashed = contracts.court.slash_amount()
    assert contracts.consortium.hospital(LIAR).bond == bond - slashed
    assert contracts.settlement.balance_of(contracts.consortium.slash_recipient()) == slashed
    assert_one_line_error(
        disputed.run_command("dispute", "prove", str(LIED), str(LIAR), "--by", "3", "--run", "told"),
        "convicted over round 1 already",
    )
    after = {e.hospital: e.allocation for e in contracts.ledger.entries(LIED, [1, 2, 3, 4])}
    assert after == {**before, LIAR: 0}


def test_an_honest_hospital_opens_the_leaves_that_are_drawn_and_keeps_its_entry_and_the_bond(disputed):
    contracts = disputed.contracts
    made = disputed.ask("dispute", "demand", str(TRUE), str(HONEST), "--by", str(CHALLENGER))
    assert made["outcome"] == "open"
    assert contracts.ledger.entry(TRUE, HONEST).frozen
    case = str(made["case"])
    (demand,) = disputed.ask("dispute", "show", case)["demands"]
    assert demand == {"challenge": demand["challenge"], "drawn": True, "leaves": 8, "answered": []}
    disputed.ask("dispute", "answer", str(TRUE), str(HONEST), "--run", "told")
    assert disputed.ask("dispute", "show", case)["demands"][0]["answered"] == list(range(8))
    assert disputed.ask("dispute", "show", case, "--no-index") == disputed.ask("dispute", "show", case)
    assert disputed.ask("dispute", "list", "--no-index") == disputed.ask("dispute", "list")
    held = contracts.settlement.balance_of(disputed.consortium.keyring.hospital(HONEST).address)
    ended = disputed.ask("dispute", "conclude", case, "--by", "4", "--wait")
    assert ended["outcome"] == "upheld"
    assert not contracts.ledger.entry(TRUE, HONEST).frozen
    paid = contracts.settlement.balance_of(disputed.consortium.keyring.hospital(HONEST).address) - held
    assert paid == contracts.court.challenge_bond()


def test_then_everybody_but_the_liar_is_paid_for_the_round_that_it_lied_in(disputed):
    contracts = disputed.contracts
    records = [summary.record for summary in disputed.run.summaries]
    claim_all(disputed.consortium, records, disputed.run.state.devices(), clock_for(contracts.w3))
    found = read_round(contracts, LIED)
    assert {claim.hospital for claim in found.treasury_claims} == {2, 3, 4}
    assert {case.outcome for case in contracts.court.cases()} == {CaseOutcome.UPHELD}


def test_a_device_has_its_hospital_convicted_by_a_receipt_that_contradicts_the_ledger(disputed):
    contracts, record = disputed.contracts, disputed.run.summaries[1].record
    device = f"0x{record.hospitals[SIGNED].contributions[0].device.hex()}"
    saved, other = disputed.folder / "own.json", disputed.folder / "other.json"
    ours = ("ledger", "receipt", "--round", str(TRUE), "--device", device, "--run", "told")
    assert disputed.ask(*ours, "--save", str(saved))["round"] == TRUE
    prove = ("dispute", "prove-receipt")
    assert_one_line_error(disputed.run_command(*prove, str(saved)), "--by", "--from")
    assert_one_line_error(disputed.run_command(*prove, str(saved), "--by", "3"), "there is no fault to prove")

    honest = SignedRoot.read(saved)
    assert honest.root == contracts.ledger.entry(TRUE, SIGNED).root
    message = receipt_message(record, SIGNED, bytes(32))
    for index, words in ((CHALLENGER, "was not the account of hospital 4"), (SIGNED, "")):
        key = disputed.consortium.keyring.hospital(index)
        replace(honest, root=bytes(32), signature=EthereumSigner(key).sign(message)).write(other)
        if words:
            assert_one_line_error(disputed.run_command(*prove, str(other), "--by", "3"), words)
    replace(honest, ledger=bytes(20)).write(saved)
    assert_one_line_error(disputed.run_command(*prove, str(saved), "--by", "3"), "--home")
    saved.write_text("{}")
    assert_one_line_error(disputed.run_command(*prove, str(saved), "--by", "3"), "is no signed root")

    advocate, password = Key.random(), disputed.folder / "password"
    fund(contracts.w3, [advocate.address], 10**18)
    password.write_text("a password\n")
    keystore = save_key(disputed.folder / "advocate.json", advocate, "a password", light=True)
    own = ("--from", str(keystore), "--password-file", str(password))
    proved = disputed.ask(*prove, str(other), *own)
    assert proved == {
        "round": TRUE,
        "hospital": SIGNED,
        "fault": "other_root",
        "voided": False,
        "slashed": True,
    }
    assert contracts.court.is_convicted(TRUE, SIGNED)
