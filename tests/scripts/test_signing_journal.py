"""A hospital that began to sign in a round before it was killed signs no second version of that round."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from interrupted_runs import forked

from fl_core.errors import BundleError
from scripts.console.errors import CommandError
from scripts.federation.signing_journal import SigningJournal

LEDGER, GENESIS = bytes(20), bytes(32)


def journal(folder: Path, ledger: bytes = LEDGER, genesis: bytes = GENESIS) -> SigningJournal:
    return SigningJournal(folder, chain_id=31337, genesis=genesis, ledger=ledger)


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
    assert journal(tmp_path, genesis=b"\1" * 32).begin(7, [1]) == {1}
    assert journal(tmp_path).begin(7, [1]) == set()


def test_of_processes_that_begin_at_once_one_alone_signs_for_a_hospital(tmp_path):
    hospitals = range(1, 9)

    def begin_all(_: int) -> list[int]:
        def in_a_process() -> list[list[int]]:
            return [sorted(journal(tmp_path).begin(number, hospitals)) for number in range(1, 11)]

        code, begun = forked(in_a_process)
        assert code == 0
        return begun

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(begin_all, range(4)))
    for begun in zip(*found, strict=True):
        assert sorted(h for one in begun for h in one) == list(hospitals)


def test_a_journal_whose_folder_cannot_be_made_lets_nobody_sign(tmp_path):
    (tmp_path / "signed").write_bytes(b"")
    with pytest.raises(BundleError, match="cannot write"):
        journal(tmp_path / "signed").begin(7, [1])


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"1":"all"}', b'{"1":{}}', b'{"1":[true]}'])
def test_a_journal_that_cannot_be_read_lets_nobody_sign(tmp_path, content):
    path = journal(tmp_path).path
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(CommandError, match="nobody knows what the hospitals have signed"):
        journal(tmp_path).begin(7, [1])
