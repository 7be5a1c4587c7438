"""What a device has claimed, it finds again; what it did twice, it does not do."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from secagg_world import FIRST_ROUND, SESSION, Attempt, World, random_vectors

from fl_core.secagg import FileJournal, MemoryJournal, OpeningClaim, SecAggAbort, SecAggError

ATTEMPT, OTHER = bytes(32), b"\x01" * 32


def opening(round_number=5, attempt=ATTEMPT, survivors=b"\x07", dropped=b"\x08", session=SESSION):
    return OpeningClaim(session, round_number, attempt, survivors, dropped)


@pytest.fixture(params=["memory", "file"])
def journal(request, tmp_path):
    if request.param == "memory":
        yield MemoryJournal()
    else:
        with FileJournal(tmp_path / "journal") as opened:
            yield opened


def test_rounds_only_go_up_within_a_session(journal):
    assert journal.last_round(SESSION) is None
    journal.claim_round(SESSION, 5, ATTEMPT)
    for earlier in (5, 4, 0):
        with pytest.raises(SecAggAbort, match="masked input"):
            journal.claim_round(SESSION, earlier, OTHER)
    journal.claim_round(SESSION, 9, OTHER)
    journal.claim_round(bytes(32), 1, OTHER)
    assert (journal.last_round(SESSION), journal.last_round(bytes(32))) == (9, 1)


def test_an_attempt_is_opened_once_and_only_after_it_was_masked(journal):
    with pytest.raises(SecAggAbort, match="not the one"):
        journal.claim_openings(opening())
    journal.claim_round(SESSION, 5, ATTEMPT)
    for wrong in (opening(round_number=4), opening(attempt=OTHER), opening(session=bytes(32))):
        with pytest.raises(SecAggAbort, match="not the one"):
            journal.claim_openings(wrong)
    journal.claim_openings(opening())
    for again in (opening(), opening(survivors=b"\x0b", dropped=b"\x04")):
        with pytest.raises(SecAggAbort, match="second time"):
            journal.claim_openings(again)


def test_both_secrets_of_one_device_are_never_claimed():
    with pytest.raises(SecAggAbort, match="both secrets"):
        opening(survivors=b"\x07", dropped=b"\x04")
    with pytest.raises(SecAggError, match="lengths"):
        opening(survivors=b"\x07\x00")


def test_a_file_is_found_again_as_it_was_left(tmp_path):
    path = tmp_path / "journal"
    with FileJournal(path) as journal:
        journal.claim_round(SESSION, 5, ATTEMPT)
    with FileJournal(path) as journal:
        assert journal.last_round(SESSION) == 5
        with pytest.raises(SecAggAbort):
            journal.claim_round(SESSION, 5, OTHER)
        journal.claim_openings(opening())
    with FileJournal(path) as journal:
        with pytest.raises(SecAggAbort, match="second time"):
            journal.claim_openings(opening())
        journal.claim_round(SESSION, 6, OTHER)
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_a_record_cut_short_by_a_crash_is_dropped_and_whole_ones_stay(tmp_path):
    path = tmp_path / "journal"
    with FileJournal(path) as journal:
        journal.claim_round(SESSION, 5, ATTEMPT)
        before = path.stat().st_size
        journal.claim_round(SESSION, 6, OTHER)
    whole = path.read_bytes()
    for length in range(before, len(whole)):
        path.write_bytes(whole[:length])
        with FileJournal(path) as journal:
            assert journal.last_round(SESSION) == 5
        assert path.stat().st_size == before
    for length in range(17):
        path.write_bytes(whole[: min(length, 16)])
        with FileJournal(path) as journal:
            assert journal.last_round(SESSION) is None


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_journal_does_not_open(tmp_path, data):
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    with FileJournal(path) as journal:
        journal.claim_round(SESSION, 5, ATTEMPT)
        journal.claim_openings(opening())
    damaged = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    with pytest.raises(SecAggError, match=r"damaged|not a journal"):
        FileJournal(path)
    assert path.read_bytes() == damaged


def test_a_tail_of_zeros_left_by_a_power_cut_is_dropped(tmp_path):
    path = tmp_path / "journal"
    with FileJournal(path) as journal:
        journal.claim_round(SESSION, 5, ATTEMPT)
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(93))
    with FileJournal(path) as journal:
        assert journal.last_round(SESSION) == 5
    assert path.read_bytes() == whole


def test_two_processes_do_not_share_a_journal(tmp_path):
    with FileJournal(tmp_path / "journal"), pytest.raises(SecAggError, match="in use"):
        FileJournal(tmp_path / "journal")


def copy_of_the_process(journal):
    """The same journal once more, with the same open file, as in a copy of the whole machine's memory."""
    other = object.__new__(FileJournal)
    vars(other).update({**vars(journal), "_claims": copy.deepcopy(journal._claims)})
    return other


def test_of_two_copies_of_a_process_one_claims_and_the_other_notices(tmp_path):
    with FileJournal(tmp_path / "journal") as journal:
        other = copy_of_the_process(journal)
        journal.claim_round(SESSION, 5, ATTEMPT)
        for number in (5, 6):
            with pytest.raises(SecAggError, match=r"another copy|open it again"):
                other.claim_round(SESSION, number, OTHER)
        journal.claim_openings(opening())
    with FileJournal(tmp_path / "journal") as journal:
        assert journal.last_round(SESSION) == 5


def test_of_two_copies_that_write_at_the_same_time_neither_believes_itself_alone(tmp_path, monkeypatch):
    with FileJournal(tmp_path / "journal") as journal:
        write = os.write

        def at_the_same_time(file, data):
            monkeypatch.setattr(os, "write", write)
            write(file, data)  # by the other one: both have found the length that they expected
            return write(file, data)

        monkeypatch.setattr(os, "write", at_the_same_time)
        with pytest.raises(SecAggError, match="another copy"):
            journal.claim_round(SESSION, 5, ATTEMPT)
        assert journal.last_round(SESSION) is None


def test_a_forked_process_claims_nothing_and_leaves_the_journal_to_its_opener(tmp_path):
    program = """
        import os, sys
        from fl_core.secagg import FileJournal, SecAggError
        journal = FileJournal(sys.argv[1])
        child = os.fork()
        try:
            journal.claim_round(bytes(32), 5 if child == 0 else 6, bytes(32))
        except SecAggError as error:
            os._exit(7 if child == 0 and "forked" in str(error) else 1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 1)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), tmp_path / "journal"], check=False)
    assert done.returncode == 7
    with FileJournal(tmp_path / "journal") as journal:
        assert journal.last_round(bytes(32)) == 6


def test_a_journal_on_disk_is_neither_copied_nor_sent(tmp_path):
    with FileJournal(tmp_path / "journal") as journal:
        for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(SecAggError, match="not copied"):
                duplicate(journal)


def test_opening_takes_time_in_proportion_to_the_claims(tmp_path):
    def seconds(claims):
        path, chain = tmp_path / str(claims), b"FedIoMT.Journal\x01"
        data = bytearray(chain)
        for number in range(claims):
            body = b"\x01" + SESSION + number.to_bytes(8, "big") + ATTEMPT
            chain = hashlib.sha256(chain + body).digest()[:16]
            data += len(body).to_bytes(2, "big") + (len(body) ^ 0xFFFF).to_bytes(2, "big") + body + chain
        path.write_bytes(data)
        started = time.process_time()
        with FileJournal(path) as journal:
            assert journal.last_round(SESSION) == claims - 1
        return time.process_time() - started

    assert min(seconds(48_000) for _ in range(2)) < 48 * min(seconds(3_000) for _ in range(3))


def test_unusable_paths_and_closed_journals_are_said_so(tmp_path):
    with pytest.raises(SecAggError, match="cannot be opened"):
        FileJournal(tmp_path / "nowhere" / "journal")
    (tmp_path / "text").write_text("something else entirely")
    with pytest.raises(SecAggError, match="not a journal"):
        FileJournal(tmp_path / "text")
    journal = FileJournal(tmp_path / "journal")
    journal.close()
    journal.close()
    with pytest.raises(SecAggError, match="closed"):
        journal.claim_round(SESSION, 1, ATTEMPT)


def test_after_a_failed_write_nothing_more_is_claimed(tmp_path, monkeypatch):
    with FileJournal(tmp_path / "journal") as journal:

        def full(_file):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(SecAggError, match="No space left"):
                journal.claim_round(SESSION, 1, ATTEMPT)
        assert journal.last_round(SESSION) is None
        with pytest.raises(SecAggError, match="open it again"):
            journal.claim_round(SESSION, 2, ATTEMPT)


def test_a_claim_outlives_a_killed_process(tmp_path):
    program = """
        import os, signal, sys
        from fl_core.secagg import FileJournal
        FileJournal(sys.argv[1]).claim_round(bytes(range(32)), 5, bytes(32))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), tmp_path / "journal"], check=False)
    assert done.returncode == -9
    with FileJournal(tmp_path / "journal") as journal:
        assert journal.last_round(SESSION) == 5


def test_a_restarted_device_does_not_mask_the_round_again(tmp_path):
    world = World.of(6)
    with FileJournal(tmp_path / "journal") as journal:
        world.journals[0] = journal
        run = Attempt(world, world.plan(), random_vectors(world.plan(), 1)).until(2)
        run.step()
    with FileJournal(tmp_path / "journal") as journal:
        world.journals[0] = journal
        with pytest.raises(SecAggAbort, match="masked an input"):
            world.client(0, world.plan(attempt=1), run.vectors[0])


def test_a_device_restored_from_an_old_disk_image_gets_no_second_sum_out_of_its_peers(tmp_path):
    """The image's journal knows nothing of the round; every peer's does."""
    world = World.of(6)
    path, image = tmp_path / "journal", tmp_path / "image"
    FileJournal(path).close()
    shutil.copy(path, image)
    with FileJournal(path) as journal:
        world.journals[0] = journal
        Attempt(world, world.plan(), random_vectors(world.plan(), 1)).run()
    restored = World.of(6)  # keys as they were before the round, as on the image
    world.identities, world.roster = restored.identities, restored.roster
    with FileJournal(image) as journal:
        world.journals[0] = journal
        plan = world.plan(attempt=1)
        device = world.client(0, plan, random_vectors(plan, 1)[0])
        for peer in range(1, 6):
            with pytest.raises(SecAggAbort, match="masked an input"):
                world.client(peer, plan, random_vectors(plan, 1)[peer])
        server = world.server(plan)
        server.receive(plan.members[0], device.start())
        with pytest.raises(SecAggAbort, match="are needed"):
            server.advance()


def test_the_rounds_claim_is_on_disk_before_the_masked_input_exists(tmp_path):
    """Killed between the claim and the sending, a device stays silent for the round."""
    world = World.of(4)

    class Killed(BaseException):
        pass

    class DyingJournal(MemoryJournal):
        def claim_round(self, session, round_number, attempt):
            super().claim_round(session, round_number, attempt)
            raise Killed

    world.journals[0] = DyingJournal()
    run = Attempt(world, world.plan(threshold=3), random_vectors(world.plan(), 1))
    with pytest.raises(Killed):
        run.until(3)
    assert (2, 0) not in run.sent
    assert world.journals[0].last_round(SESSION) == FIRST_ROUND
    with pytest.raises(SecAggAbort, match="dead"):
        run.clients[0].receive(b"")
