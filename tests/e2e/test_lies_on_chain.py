"""A hospital that submits its lies, and a consortium that attests them unread: the audit and the devices find them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chain.anvil import find_anvil
from chain.clock import clock_for
from chain.connect import connect
from chain.deploy import DeployConfig
from chain.errors import EngineMissing
from chain.history import read_round
from chain.node import AnvilNode
from incentives import DEFAULT_RULE
from scripts.console.errors import CommandError
from scripts.federation import rounds
from scripts.federation.auditing import AuditLine, audit_run
from scripts.federation.auditor_key import SealedTranscripts
from scripts.federation.channel_keys import read_channel_key
from scripts.federation.claims import claim_all
from scripts.federation.consortium import Consortium, found_consortium
from scripts.federation.contributions import contributions_of
from scripts.federation.held_rounds import rounds_of_epoch
from scripts.federation.keyring import DevelopmentKeyring
from scripts.federation.own_receipt import ReceiptCheck, check_own_receipt
from scripts.federation.run import Run
from scripts.federation.settings import RunSettings
from scripts.federation.story import run_on_chain
from scripts.federation.transcript_deletion import (
    delete_transcripts,
    excused_rounds,
    require_undisputable,
)

pytestmark = pytest.mark.node

CHAIN, LIAR = 31337, 1


class Unread:
    """A hospital that attests whatever it is given."""

    def check(self, *_arguments):
        return []


def lying(record, part, *told):
    """The honest contributions, but of the liar: another lie each round, entered, sealed and attested as if true."""
    items = contributions_of(record, part, *told)
    if part.hospital != LIAR:
        return items
    first, *others = items
    return {
        1: (replace(first, quality=abs(first.quality - 500)), *others),
        2: (replace(first, volume=first.volume + 7), *others),
        3: tuple(others),
    }[record.number]


@dataclass(frozen=True)
class Lied:
    run: Run
    consortium: Consortium
    auditor: X25519PrivateKey
    refused_before: str
    lines: list[AuditLine]

    def of(self, number: int, check: str) -> list:
        (line,) = [item for item in self.lines if (item.round_number, item.line.check) == (number, check)]
        return list(line.findings)

    def receipt(self, number: int, hospital: int, index: int, rows: int | None = None) -> ReceiptCheck:
        """What a device finds that checks its own pay."""
        accounts = {place[:2]: account for account, place in self.run.state.devices().items()}
        account = accounts[hospital, index]
        held, missing = rounds_of_epoch(
            self.run.store, self.consortium.contracts, number, run=self.run.state.run
        )
        key = read_channel_key(self.run.folder, 0, account)
        return check_own_receipt(account, key, held, said=hospital, rows=rows, missing=missing)


@pytest.fixture(scope="module")
def lied(tmp_path_factory) -> Iterator[Lied]:
    try:
        find_anvil()
    except EngineMissing as error:
        pytest.skip(str(error))
    auditor = X25519PrivateKey.generate()
    settings = RunSettings(
        devices=8,
        rounds=3,
        cohort_size=4,
        k_min=4,
        seed=5,
        own_payees=1.0,
        auditor=auditor.public_key().public_bytes_raw().hex(),
    )
    with AnvilNode(chain_id=CHAIN) as node:
        w3 = connect(node.url, chain_id=CHAIN)
        consortium = found_consortium(
            w3,
            DevelopmentKeyring(CHAIN),
            DeployConfig.local(k_min=4, rule=DEFAULT_RULE),
            capacities_bps=[2_500] * 4,
        )
        folder, clock = tmp_path_factory.mktemp("runs") / "lied", clock_for(w3)
        with (
            mock.patch.object(rounds, "contributions_of", lying),
            mock.patch.object(rounds, "RoundChecker", Unread),
        ):
            run = run_on_chain(settings, consortium, run_id="lied", folder=folder, clock=clock)
            run.train()
        try:
            require_undisputable(consortium.contracts, [1, 2, 3], clock.now())
            refused = ""
        except CommandError as error:
            refused = str(error)
        claim_all(consortium, [s.record for s in run.summaries], run.state.devices(), clock)
        held = SealedTranscripts(run.store, auditor)
        lines = audit_run(run.store, run.state, consortium.contracts, transcripts=held)
        yield Lied(run, consortium, auditor, refused, lines)


def test_each_lie_that_was_entered_attested_and_paid_is_named(lied):
    for number, words in ((1, ", quality"), (2, ", volume"), (3, "")):
        found = lied.of(number, "leaves")
        assert found
        assert all(finding.subject.startswith("hospital 1") for finding in found)
        assert words in found[0].subject


def test_everything_else_of_these_rounds_holds_on_a_real_chain_transcripts_included(lied):
    for line in lied.lines:
        if line.line.check not in ("leaves", "claims"):
            assert line.ok, line
    transcribed = [line for line in lied.lines if line.line.check == "transcripts"]
    assert [line.line.verdict.value for line in transcribed] == ["ok"] * 3


def test_the_lie_is_what_was_claimed_so_the_payment_itself_holds_against_the_leaf(lied):
    for number in (1, 2, 3):
        assert lied.of(number, "claims") == []


def device_of_the_lie(lied: Lied, number: int) -> int:
    """The liar's device whose leaf was changed."""
    part = lied.run.summaries[number - 1].record.hospitals[LIAR]
    slots = {slot: account for account, slot in part.slots.items()}
    return lied.run.state.devices()[slots[min(slots)]][1]


def test_a_device_finds_that_its_own_leaf_was_changed_without_asking_its_hospital(lied):
    for number, field in ((1, "quality"), (2, "volume")):
        found = lied.receipt(number, LIAR, device_of_the_lie(lied, number))
        assert not found.ok
        findings = [finding for line in found.lines for finding in line.findings]
        assert [finding.subject for finding in findings] == [f"its {field}"]


def test_a_device_that_was_left_out_of_the_leaves_misses_its_receipt(lied):
    found = lied.receipt(3, LIAR, device_of_the_lie(lied, 3))
    assert [line.check for line in found.lines if line.findings] == ["receipt"]


def test_a_device_of_an_honest_hospital_sees_its_pay_hold_and_what_is_due(lied):
    for number in (1, 2, 3):
        found = lied.receipt(number, 2, 3)
        assert found.ok
        claims = read_round(lied.consortium.contracts, number).claims
        (own,) = [c for c in claims if (c.hospital, c.slot) == (2, found.receipt.leaf.slot)]
        assert found.due == own.amount > 0


def test_a_device_that_declared_other_rows_than_the_list_shows_sees_it(lied):
    record = lied.run.summaries[0].record
    accounts = {place[:2]: account for account, place in lied.run.state.devices().items()}
    rows = {line.address: line.rows for line in record.hospitals[2].ready}[accounts[2, 3]]
    assert lied.receipt(1, 2, 3, rows=rows).ok
    wrong = lied.receipt(1, 2, 3, rows=rows + 1)
    assert [line.check for line in wrong.lines if line.findings] == ["declared"]


def test_transcripts_are_kept_while_their_round_can_be_disputed_and_deleted_afterwards(lied):
    assert "can be disputed for" in lied.refused_before
    contracts = lied.consortium.contracts
    require_undisputable(contracts, [1, 2, 3], clock_for(contracts.w3).now())
    assert delete_transcripts(lied.run.store, [2]) == 8
    assert len(lied.run.store.transcripts()) == 16
    later = clock_for(contracts.w3).now()
    closed_at = contracts.ledger.round(2).closed_at
    assert excused_rounds(lied.run.store, contracts, later) == {2}
    assert excused_rounds(lied.run.store, contracts, closed_at) == frozenset()
