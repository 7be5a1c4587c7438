"""A folder that somebody else laid out is read without waiting, without leaving it, and within bounds."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from fl_core import bundle as bundles
from fl_core.bundle import MANIFEST, bundle_manifest, read_bundle, write_bundle
from fl_core.canonical import sha256
from fl_core.errors import BundleError
from fl_core.plain_files import read_plain
from fl_core.stores import FolderStore, folder

FILES = {"round.json": b"{}", "sums.bin": bytes(range(100))}
SEALED = b"sealed"


@pytest.fixture(autouse=True)
def _no_waiting():
    """Whatever waits for more than a few seconds is interrupted, and fails."""

    def stop(*_):
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def store(tmp_path) -> FolderStore:
    made = FolderStore(tmp_path / "run")
    made.write_bundle(1, FILES)
    made.keep_transcript(SEALED)
    made.write_document("run.json", b"{}")
    return made


def places(store: FolderStore) -> dict[str, Path]:
    return {
        "manifest": store.bundle_folder(1) / MANIFEST,
        "file": store.bundle_folder(1) / "round.json",
        "transcript": store.folder / "transcripts" / sha256(SEALED).hex(),
        "document": store.folder / "run.json",
    }


def read(store: FolderStore, what: str) -> object:
    if what == "transcript":
        return store.transcript(sha256(SEALED))
    return store.document("run.json") if what == "document" else store.read_bundle(1)


WHATS = ("manifest", "file", "transcript", "document")


@pytest.mark.parametrize("what", WHATS)
def test_a_pipe_without_a_writer_is_refused_and_not_waited_for(store, what):
    place = places(store)[what]
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(BundleError, match="no regular file"):
        read(store, what)


@pytest.mark.parametrize("target", ["/dev/zero", "inside", "outside", "nowhere"])
@pytest.mark.parametrize("what", WHATS)
def test_a_link_is_refused_wherever_it_leads_and_nothing_of_its_target_is_said(store, tmp_path, what, target):
    place = places(store)[what]
    secret = b"somebody's own"
    (tmp_path / "outside").write_bytes(secret)
    (store.folder / "inside").write_bytes(secret)
    place.unlink()
    leads = {"inside": store.folder / "inside", "outside": tmp_path / "outside"}.get(target, Path(target))
    place.symlink_to(leads)
    with pytest.raises(BundleError, match="is a link") as refusal:
        read(store, what)
    assert sha256(secret).hex() not in str(refusal.value)


@pytest.mark.parametrize("what", ["rounds", "rounds/000001", "transcripts"])
def test_a_folder_that_is_a_link_is_refused(store, tmp_path, what):
    place = store.folder / what
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="is a link"):
        read(store, "transcript" if what == "transcripts" else "file")
    if what != "transcripts":
        with pytest.raises(BundleError, match="is a link"):
            store.as_found(1)


@pytest.mark.parametrize("what", WHATS)
def test_a_file_of_a_terabyte_is_refused_before_it_is_read(store, what):
    os.truncate(places(store)[what], 1 << 40)
    with pytest.raises(BundleError, match=r"is larger than the [\d,]+ bytes"):
        read(store, what)


def test_the_files_of_a_bundle_are_bounded_together_when_read_as_when_written(tmp_path, monkeypatch):
    write_bundle(tmp_path / "two", {"a": bytes(60), "b": bytes(60)})
    monkeypatch.setattr(bundles, "MAX_BUNDLE_BYTES", 100)
    monkeypatch.setattr(folder, "MAX_BUNDLE_BYTES", 100)
    with pytest.raises(BundleError, match="b is larger than the 40 bytes"):
        read_bundle(tmp_path / "two")
    with pytest.raises(BundleError, match="2 files and 120 bytes is more than is read"):
        write_bundle(tmp_path / "again", {"a": bytes(60), "b": bytes(60)})
    assert write_bundle(tmp_path / "small", {"a": bytes(100)}) == sha256(bundle_manifest({"a": bytes(100)}))


def test_what_is_found_of_an_altered_bundle_holds_neither_links_nor_pipes(store):
    bundle = store.bundle_folder(1)
    (bundle / "link").symlink_to("/etc/hostname")
    os.mkfifo(bundle / "pipe")
    assert store.as_found(1) == FILES


def test_a_socket_and_a_folder_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(BundleError, match="no regular file"):
            read_plain(Path("socket"), 10)
    with pytest.raises(BundleError, match="no regular file"):
        read_plain(tmp_path, 10)


def test_a_file_of_just_the_limit_is_read_and_one_byte_more_is_not(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_plain(tmp_path / "a", 5) == b"12345"
    with pytest.raises(BundleError, match="larger than the 4 bytes"):
        read_plain(tmp_path / "a", 4)


def test_a_sweep_removes_links_and_files_among_the_rounds_and_leaves_what_they_lead_to(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"")
    (store.folder / "rounds" / "link").symlink_to(outside)
    (store.folder / "rounds" / "file").write_bytes(b"")
    assert store.strangers() == ["file", "link"]
    store.sweep({1})
    assert store.strangers() == []
    assert (outside / "kept").exists()
    assert store.read_bundle(1) == FILES
