"""A hospital signs the root of its receipts, once a round, and a device sees whether it did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from told_records import facts_of_honest

from chain.records import AccountTenure
from fl_core.secagg import Advertisement
from fl_core.signing import LocalSigner
from scripts.federation.channel_keys import read_channel_key
from scripts.federation.checks.line import Verdict
from scripts.federation.offline import OfflineAccounts, offline_run
from scripts.federation.receipt_signatures import check_signature, receipt_message
from scripts.federation.receipts import open_receipt
from scripts.federation.settings import RunSettings

SETTINGS = RunSettings(hospitals=3, devices=8, rounds=1, cohort_size=4, k_min=4, seed=3)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    run = offline_run(SETTINGS, "signed", folder, accounts=OfflineAccounts(bytes(32)))
    run.train()
    record = run.summaries[0].record
    part = record.hospitals[2]
    device = part.contributions[0].device
    key = read_channel_key(folder, 0, device)
    return record, part, open_receipt(key, part.receipts[device], round_number=1, hospital=2)


def test_every_receipt_carries_its_hospitals_signature_over_the_root(opened):
    record, part, receipt = opened
    line = check_signature(record, part, receipt, None)
    assert line.verdict is Verdict.OK
    assert line.findings == ()


def test_another_root_or_another_signer_is_named(opened):
    record, part, receipt = opened
    other = replace(receipt, root=bytes(32))
    assert len(check_signature(record, part, other, None).findings) == 1
    stranger = LocalSigner().sign(receipt_message(record, 2, receipt.root))
    (finding,) = check_signature(record, part, replace(receipt, signature=stranger), None).findings
    assert finding.expected == Advertisement.decode(part.keys).address.hex()
    cut = check_signature(record, part, replace(receipt, signature=receipt.signature[:9]), None)
    assert "nobody" in cut.findings[0].found


def test_a_receipt_that_nobody_signed_is_refused(opened):
    record, part, receipt = opened
    (finding,) = check_signature(record, part, replace(receipt, signature=b""), None).findings
    assert finding.found.startswith("nobody")


def test_with_a_ledger_the_signer_is_an_account_that_the_consortium_had_for_the_hospital_in_the_round(opened):
    record, part, receipt = opened
    facts, account = facts_of_honest(record), Advertisement.decode(part.keys).address
    assert check_signature(record, part, receipt, facts).verdict is Verdict.OK
    moved = (AccountTenure(account, 0, 50), AccountTenure(b"\7" * 20, 50, None))
    after = replace(facts, accounts={**facts.accounts, 2: moved}, opened_at=51, closed_at=90)
    (finding,) = check_signature(record, part, receipt, after).findings
    assert (finding.expected, finding.found) == ((b"\7" * 20).hex(), account.hex())
    within = replace(after, opened_at=50)
    assert check_signature(record, part, receipt, within).verdict is Verdict.OK
    early = replace(after, accounts={**facts.accounts, 2: (AccountTenure(account, 91, None),)})
    assert check_signature(record, part, receipt, early).verdict is Verdict.DIFFERS
