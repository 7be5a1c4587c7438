"""A hospital that began to sign in a round before it was killed signs no second version of that round."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from interrupted_runs import forked

from scripts.console.errors import CommandError
from scripts.federation.signing_journal import JOURNAL_FILE, SigningJournal

LEDGER = bytes(20)


def journal(folder: Path, ledger: bytes = LEDGER) -> SigningJournal:
    return SigningJournal(folder, chain_id=31337, ledger=ledger)


def begin_and_die(folder: Path) -> None:
    journal(folder).begin(7, [1, 2])
    os.kill(os.getpid(), signal.SIGKILL)


def test_who_was_killed_right_after_it_might_sign_signs_nothing_of_that_round_again(tmp_path):
    code, _ = forked(lambda: begin_and_die(tmp_path))
    assert code == -signal.SIGKILL
    assert journal(tmp_path).begin(7, [1, 2, 3]) == {3}
    assert journal(tmp_path).begin(7, [1, 2, 3]) == set()
    assert journal(tmp_path).begin(8, [1, 2, 3]) == {1, 2, 3}


def test_what_was_signed_for_another_ledger_binds_nobody_here(tmp_path):
    journal(tmp_path).begin(7, [1])
    assert journal(tmp_path, b"\1" * 20).begin(7, [1]) == {1}
    assert journal(tmp_path).begin(7, [1]) == set()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"x":[]}', b'{"x":{"1":"all"}}', b'{"x":{"1":[true]}}'])
def test_a_journal_that_cannot_be_read_lets_nobody_sign(tmp_path, content):
    (tmp_path / JOURNAL_FILE).write_bytes(content)
    with pytest.raises(CommandError, match="nobody knows what the hospitals have signed"):
        journal(tmp_path).begin(7, [1])
