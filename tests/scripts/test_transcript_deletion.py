"""What a note of deleted transcripts excuses and what it does not, and what deleting leaves behind: nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from command_line import assert_one_line_error, fediomt
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from lying_world import LIAR, SETTINGS, LyingWorld, MemoryTranscripts
from told_records import with_cohort, with_release

from chain.phases import Phase
from fl_core.errors import BundleError
from fl_core.stores import FolderStore
from scripts.console.errors import CommandError
from scripts.federation.auditor_key import SealedTranscripts
from scripts.federation.checks.transcribed import recorded_transcripts
from scripts.federation.offline import offline_run
from scripts.federation.resume import resume_offline
from scripts.federation.settings import RunSettings
from scripts.federation.transcript_deletion import (
    DELETED_FILE,
    delete_all_transcripts,
    delete_transcripts,
    deleted_rounds,
    excused_rounds,
    require_undisputable,
)
from scripts.federation.verify import RoundChecker

CLOSED = SimpleNamespace(phase=Phase.CLOSED, paid=True, claimable_at=100, active=frozenset((1, 2)))
OPEN = SimpleNamespace(phase=Phase.ATTEST, paid=False, claimable_at=0, active=frozenset((1, 2)))
LATER, DURING = 100, 99


@dataclass(frozen=True)
class Ledger:
    """The three views that a deletion looks at."""

    views: dict
    frozen: frozenset = frozenset()

    def current_round(self):
        return len(self.views)

    def rounds(self, numbers):
        return [SimpleNamespace(round=number, **vars(self.views[number])) for number in numbers]

    def entries(self, number, hospitals):
        return [SimpleNamespace(hospital=h, frozen=(number, h) in self.frozen) for h in hospitals]


def deployed(*views, frozen=()):
    return SimpleNamespace(ledger=Ledger(dict(enumerate(views, 1)), frozenset(frozen)))


def noted(folder, data: bytes = b"[1]") -> FolderStore:
    store = FolderStore(folder)
    store.write_document(DELETED_FILE, data)
    return store


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> LyingWorld:
    settings = replace(SETTINGS, profile="accountable", edge_epsilon=None, rounds=1, dropout=0.0)
    return LyingWorld.of(tmp_path_factory.mktemp("runs") / "told", settings)


@pytest.fixture(scope="module")
def private(tmp_path_factory) -> LyingWorld:
    settings = replace(SETTINGS, profile="private", edge_epsilon=None, rounds=1, dropout=0.0)
    return LyingWorld.of(tmp_path_factory.mktemp("runs") / "told", settings)


def line_of(world, record, sealed, deleted=frozenset((1,))):
    checker = RoundChecker(MemoryTranscripts(world.auditor, sealed, deleted))
    return next(line for line in checker.lines(record) if line.check == "transcripts")


def test_a_noted_round_whose_transcripts_are_all_gone_is_skipped(world):
    line = line_of(world, world.records[0], {})
    assert line.verdict.value == "skipped"
    assert "noted as deleted" in line.skipped


def test_the_note_changes_nothing_about_transcripts_that_are_there(world):
    record = world.records[0]
    assert line_of(world, record, world.sealed).verdict.value == "ok"
    total = record.hospitals[LIAR].releases[0].total.copy()
    total[5] -= 2
    told = with_release(record, LIAR, 0, total=total)
    (finding,) = line_of(world, told, world.sealed).findings
    assert f"hospital {LIAR}, cohort 0, released sum, entry 5" in finding.subject


def test_what_is_left_of_a_noted_round_is_checked_and_the_line_says_how_much_is_not(world):
    record = world.records[0]
    gone = record.hospitals[LIAR].cohorts[1].transcript_hash
    left = {digest: sealed for digest, sealed in world.sealed.items() if digest != gone}
    line = line_of(world, record, left)
    assert line.verdict.value == "ok"
    assert "1 of its transcripts are noted as deleted" in line.what
    total = record.hospitals[LIAR].releases[0].total + 1
    assert line_of(world, with_release(record, LIAR, 0, total=total), left).findings


def test_the_sum_over_hospitals_is_held_against_their_own_where_its_transcript_is_deleted(private):
    record = private.records[0]
    left = {d: sealed for d, sealed in private.sealed.items() if d != record.joint.transcript_hash}
    assert line_of(private, record, left).verdict.value == "ok"
    told = replace(record, total=replace(record.total, total=record.total.total + 1))
    (finding,) = line_of(private, told, left).findings
    assert finding.subject.startswith("sum over hospitals, of what each had to put in")


def test_the_sum_over_hospitals_is_done_again_where_a_hospitals_transcripts_are_deleted(private):
    record = private.records[0]
    gone = record.hospitals[LIAR].cohorts[0].transcript_hash
    left = {digest: sealed for digest, sealed in private.sealed.items() if digest != gone}
    assert line_of(private, record, left).verdict.value == "ok"
    told = replace(record, total=replace(record.total, total=record.total.total + 1))
    (finding,) = line_of(private, told, left).findings
    assert finding.subject.startswith("sum over hospitals, as the cloud saw it")


def test_a_sum_that_names_no_transcript_is_excused_by_no_note(world):
    told = with_cohort(world.records[0], LIAR, 0, transcript_hash=b"")
    assert line_of(world, told, {}).findings


def test_an_altered_transcript_is_a_finding_even_in_a_noted_round(world, tmp_path):
    store, record = noted(tmp_path), world.records[0]
    for sealed in world.sealed.values():
        store.keep_transcript(sealed)
    victim = record.hospitals[LIAR].cohorts[0].transcript_hash
    (tmp_path / "transcripts" / victim.hex()).write_bytes(b"another")
    held = SealedTranscripts(store, world.auditor, excused_rounds(store, deployed(CLOSED), LATER))
    line = next(line for line in RoundChecker(held).lines(record) if line.check == "transcripts")
    assert [finding.subject for finding in line.findings] == [f"hospital {LIAR}, cohort 0, secure sum"]
    assert "was altered" in line.findings[0].found


@pytest.mark.parametrize(
    ("contracts", "now"),
    [
        (deployed(OPEN), LATER),
        (deployed(CLOSED), DURING),
        (deployed(CLOSED, frozen=[(1, 2)]), LATER),
        (deployed(), LATER),
    ],
    ids=["open", "in its window", "frozen", "unknown to the ledger"],
)
def test_a_missing_transcript_is_a_finding_while_its_round_can_be_disputed_whatever_is_noted(
    world, tmp_path, contracts, now
):
    store = noted(tmp_path)
    assert excused_rounds(store, contracts, now) == frozenset()
    held = SealedTranscripts(store, world.auditor, excused_rounds(store, contracts, now))
    line = next(line for line in RoundChecker(held).lines(world.records[0]) if line.check == "transcripts")
    assert line.verdict.value == "DIFFERS"
    with pytest.raises(CommandError, match="round 1"):
        require_undisputable(contracts, [1], now)


def test_only_rounds_past_dispute_are_excused(tmp_path):
    store = noted(tmp_path, b"[-1,0,1,2,3,4,9007199254740991]")
    contracts = deployed(CLOSED, OPEN, CLOSED, frozen=[(3, 1)])
    assert excused_rounds(store, contracts, LATER) == {1}
    assert excused_rounds(store, None, 0) == {-1, 0, 1, 2, 3, 4, 9007199254740991}
    require_undisputable(contracts, [1], LATER)


@pytest.mark.parametrize("data", [b"", b"junk", b"\xff", b"{}", b'["1"]', b"[true]", b"[1.5]", b"[" * 99])
def test_a_malformed_note_is_named(tmp_path, data):
    with pytest.raises(BundleError, match=f"{DELETED_FILE} is malformed") as refusal:
        deleted_rounds(noted(tmp_path, data))
    assert "\n" not in str(refusal.value)


class Kill(BaseException):
    """Ends the process from within."""


@pytest.fixture(scope="module")
def abandoned(tmp_path_factory):
    """A run that died in its second round, after it kept that round's transcripts and before it wrote the bundle."""
    folder = tmp_path_factory.mktemp("abandoned") / "runs" / "run"
    public = X25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    settings = RunSettings(
        hospitals=2,
        devices=5,
        rounds=3,
        cohort_size=5,
        k_min=5,
        epochs=1,
        seed=3,
        epsilon=8.0,
        auditor=public,
    )
    run, honest = offline_run(settings, "run", folder), FolderStore.write_bundle

    def dies(self, number, files):
        if number == 2:
            raise Kill
        return honest(self, number, files)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FolderStore, "write_bundle", dies)
        with pytest.raises(Kill):
            run.train()
    return folder


def copied(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "runs" / "run")
    return tmp_path / "runs" / "run", FolderStore(tmp_path / "runs" / "run")


def test_deleting_a_runs_transcripts_leaves_none_of_an_abandoned_round(abandoned, tmp_path):
    _, store = copied(abandoned, tmp_path)
    assert (store.bundles(), len(store.transcripts())) == ([1], 4)
    outcome = fediomt("audit", "--delete-transcripts", "--json", cwd=tmp_path)
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out) == {"run": "run", "rounds": [1], "deleted": 4}
    assert store.transcripts() == []
    assert deleted_rounds(store) == {1}


def test_deleting_one_rounds_transcripts_leaves_all_others(abandoned, tmp_path):
    _, store = copied(abandoned, tmp_path)
    assert delete_transcripts(store, [1]) == 2
    assert len(store.transcripts()) == 2
    assert delete_all_transcripts(store, [1]) == 2


def test_resuming_removes_the_transcripts_that_no_kept_bundle_names(abandoned, tmp_path):
    folder, store = copied(abandoned, tmp_path)
    resumed = resume_offline(folder)
    (summary,) = resumed.run.summaries
    assert set(store.transcripts()) == recorded_transcripts(summary.record)
    assert len(store.transcripts()) == 2


def test_a_malformed_note_stops_a_deletion_with_one_line(abandoned, tmp_path):
    _, store = copied(abandoned, tmp_path)
    store.write_document(DELETED_FILE, b"junk")
    outcome = fediomt("audit", "--delete-transcripts", cwd=tmp_path)
    assert_one_line_error(outcome, f"{DELETED_FILE} is malformed")
    assert len(store.transcripts()) == 4
