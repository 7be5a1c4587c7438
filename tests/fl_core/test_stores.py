"""Whatever store a run's files lie in: whole or not there, verified when read, the same twice, one-line errors."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fl_core.bundle import bundle_digest, bundle_manifest
from fl_core.canonical import sha256
from fl_core.errors import BundleError
from fl_core.stores import FolderStore, ObjectStore, open_store, stored_runs
from fl_core.stores.run_store import RunStore

FILES = {"round.json": b"{}", "sums.bin": bytes(range(100)), "empty": b""}
_places = itertools.count()


def in_folder(tmp_path: Path) -> RunStore:
    return FolderStore(tmp_path / "run")


def in_memory(_tmp_path: Path) -> RunStore:
    return open_store(f"memory://stores/{next(_places)}", "run", Path("unused"))


def moved_into_place(tmp_path: Path) -> RunStore:
    """A store without atomic puts: objects are written aside and moved."""
    return ObjectStore(fsspec.filesystem("file"), f"{tmp_path}/kept/run", "file store")


@pytest.fixture(params=[in_folder, in_memory, moved_into_place])
def store(request, tmp_path) -> RunStore:
    return request.param(tmp_path)


def test_a_bundle_reads_back_under_the_digest_that_a_folder_would_give_it(store):
    assert store.bundles() == []
    digest = store.write_bundle(7, FILES)
    assert digest == bundle_digest(FILES)
    assert store.read_bundle(7) == store.read_bundle(7, digest) == store.as_found(7) == FILES
    store.write_bundle(12, {"round.json": b"[]"})
    assert store.bundles() == [7, 12]


def test_the_same_bundle_again_changes_nothing_and_another_is_refused(store):
    digest = store.write_bundle(1, FILES)
    assert store.write_bundle(1, FILES) == digest
    with pytest.raises(BundleError, match="expected"):
        store.write_bundle(1, {**FILES, "more": b""})
    assert store.read_bundle(1, digest) == FILES


def test_another_digest_than_the_recorded_one_and_a_round_that_is_not_there_are_refused(store):
    store.write_bundle(1, FILES)
    with pytest.raises(BundleError, match="has digest"):
        store.read_bundle(1, bytes(32))
    with pytest.raises(BundleError) as refusal:
        store.read_bundle(2)
    assert "\n" not in str(refusal.value)
    assert store.as_found(2) == {}


def test_sweeping_removes_all_rounds_but_those_to_keep(store):
    for number in (1, 2, 3):
        store.write_bundle(number, {**FILES, "round.json": b"%d" % number})
    assert store.sweep({2}) == [1, 3]
    assert store.bundles() == [2]
    assert store.read_bundle(2)["sums.bin"] == FILES["sums.bin"]
    store.write_bundle(3, FILES)
    assert store.read_bundle(3) == FILES


def test_sweeping_leaves_transcripts_alone_until_it_is_told_which_ones_are_named(store):
    for sealed in (b"named", b"left by a writer that died"):
        store.keep_transcript(sealed)
    store.sweep(set())
    assert len(store.transcripts()) == 2
    store.sweep(set(), {sha256(b"named"), sha256(b"not there")})
    assert store.transcripts() == [sha256(b"named")]
    store.sweep(set(), set())
    assert store.transcripts() == []


def test_transcripts_go_by_their_digest(store):
    assert store.transcripts() == []
    for sealed in (b"one", b"two", b"one"):
        store.keep_transcript(sealed)
    assert store.transcripts() == sorted([sha256(b"one"), sha256(b"two")])
    assert store.transcript(sha256(b"two")) == b"two"
    store.remove_transcript(sha256(b"two"))
    store.remove_transcript(sha256(b"two"))
    assert store.transcripts() == [sha256(b"one")]
    with pytest.raises(BundleError) as refusal:
        store.transcript(sha256(b"two"))
    assert "\n" not in str(refusal.value)


def test_documents_are_replaced_and_absent_ones_are_none(store):
    assert store.document("run.json") is None
    store.write_document("run.json", b"1")
    store.write_document("run.json", b"2")
    assert store.document("run.json") == b"2"


def test_an_altered_object_is_named_by_its_file():
    store = in_memory(Path())
    assert isinstance(store, ObjectStore)
    store.write_bundle(1, FILES)
    path = f"{store.root}/objects/{sha256(FILES['sums.bin']).hex()}"
    store.files.pipe_file(path, b"other")
    with pytest.raises(BundleError, match=r"sums\.bin .* was altered"):
        store.read_bundle(1)
    assert store.as_found(1)["sums.bin"] == b"other"
    store.files.rm_file(path)
    with pytest.raises(BundleError, match="no such object"):
        store.read_bundle(1)


def test_an_altered_transcript_is_refused():
    store = in_memory(Path())
    assert isinstance(store, ObjectStore)
    store.keep_transcript(b"one")
    store.files.pipe_file(f"{store.root}/transcripts/{sha256(b'one').hex()}", b"other")
    with pytest.raises(BundleError, match="was altered"):
        store.transcript(sha256(b"one"))


@pytest.mark.parametrize("puts", [0, 1, 2, 3])
def test_a_store_that_fills_up_shows_no_round_until_the_next_writer_is_through(monkeypatch, puts):
    """Data come first and the manifest last, so that a writer that dies in between leaves nothing that counts."""
    store, real = in_memory(Path()), MemoryFileSystem.pipe_file
    done = itertools.count()

    def fails(self, path, value, **options):
        if next(done) == puts:
            real(
                self, path, value[: len(value) // 2], **options
            )  # what a store without atomic puts might keep
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, path, value, **options)

    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "pipe_file", fails)
        with pytest.raises(BundleError, match="No space left") as refusal:
            store.write_bundle(1, FILES)
        assert "\n" not in str(refusal.value)
    if puts < len(FILES):
        assert store.bundles() == []
    else:
        with pytest.raises(BundleError, match="malformed"):
            store.read_bundle(1)
    assert store.write_bundle(1, FILES) == bundle_digest(FILES)
    assert store.read_bundle(1) == FILES


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_a_move_that_copies_half_a_manifest_shows_no_round_that_can_be_read(monkeypatch, tmp_path, cut):
    """Moving is copying in many stores: what is torn is refused, and put right by the next writer."""
    store = moved_into_place(tmp_path)
    assert isinstance(store, ObjectStore)
    move = type(store.files).mv

    def tears(files, source, target, **options):
        if "rounds/" not in target:
            return move(files, source, target, **options)
        files.pipe_file(target, files.cat_file(source)[:cut])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(type(store.files), "mv", tears)
        with pytest.raises(BundleError, match="cannot write"):
            store.write_bundle(1, FILES)
    with pytest.raises(BundleError, match="malformed"):
        store.read_bundle(1)
    store.write_bundle(1, FILES)
    assert store.read_bundle(1) == FILES


@pytest.mark.parametrize("written", range(len(FILES) + 1))
def test_a_writer_that_dies_at_any_file_leaves_no_folder(monkeypatch, tmp_path, written):
    """In a folder the files are written aside: it is there whole, manifest included, or not at all."""
    store, real, done = FolderStore(tmp_path / "run"), os.fsync, itertools.count()

    def dies(descriptor):
        if next(done) == written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", dies)
        with pytest.raises(BundleError, match="cannot write"):
            store.write_bundle(1, FILES)
    assert store.bundles() == []
    assert store.as_found(1) == {}
    store.write_bundle(1, FILES)
    assert store.read_bundle(1) == FILES


def test_a_move_that_fails_leaves_no_round(monkeypatch, tmp_path):
    store = moved_into_place(tmp_path)
    assert isinstance(store, ObjectStore)

    def fail(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(store.files, "mv", fail)
        with pytest.raises(BundleError, match="cannot write"):
            store.write_bundle(1, FILES)
    assert store.bundles() == []
    store.write_bundle(1, FILES)
    assert store.read_bundle(1) == FILES


def test_equal_files_of_two_rounds_are_kept_once():
    store = in_memory(Path())
    assert isinstance(store, ObjectStore)
    store.write_bundle(1, FILES)
    store.write_bundle(2, FILES)
    assert len(store.files.ls(f"{store.root}/objects", detail=False)) == len(set(FILES.values()))


def test_a_path_and_a_file_url_are_folders_of_runs(tmp_path):
    for url in (str(tmp_path), f"file://{tmp_path}"):
        assert open_store(url, "run", Path("unused")) == FolderStore(tmp_path / "run")
    assert open_store(None, "run", tmp_path) == FolderStore(tmp_path)


def test_runs_under_a_url_are_listed(tmp_path):
    for url in (f"memory://listed/{next(_places)}", str(tmp_path / "kept")):
        assert stored_runs(url) == []
        for run in ("b", "a"):
            open_store(url, run, tmp_path).write_document("run.json", b"{}")
        assert stored_runs(url) == ["a", "b"]


def test_a_store_that_needs_a_client_says_which_one_to_install(monkeypatch):
    def missing(_url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(BundleError, match=r"pip install 'fediomt\[s3\]'"):
        open_store("s3://bucket/runs", "run", Path("unused"))


def test_an_unknown_kind_of_store_is_named():
    with pytest.raises(BundleError, match="teapot"):
        open_store("teapot://here", "run", Path("unused"))


@pytest.mark.parametrize("url", ["memory://key:s3cret@bucket/x", "memory://bucket/x?token=s3cret"])
def test_a_url_that_holds_a_secret_is_refused_and_not_repeated(url, tmp_path):
    with pytest.raises(BundleError, match="without user") as refused:
        open_store(url, "run", tmp_path)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["1", "000001x", "0000001", "00000١", "+00001", "000001.json.json", "copy"])
def test_only_a_number_in_its_one_form_is_a_round_and_other_names_are_told(store, name):
    store.write_bundle(2, FILES)
    if isinstance(store, FolderStore):
        (store.folder / "rounds" / name).mkdir()
    else:
        assert isinstance(store, ObjectStore)
        name = f"{name}.json"
        store.files.pipe_file(f"{store.root}/rounds/{name}", b"{}")
    assert store.bundles() == [2]
    assert store.strangers() == [name]
    store.sweep({2})
    assert store.bundles() == [2]


def test_a_round_beyond_a_million_keeps_its_place(store):
    store.write_bundle(1_234_567, FILES)
    assert store.bundles() == [1_234_567]
    assert store.strangers() == []


def left_by_a_killed_writer(store: RunStore) -> list[str]:
    """Put what a killed writer leaves beside rounds and transcripts; where the store's unfinished files are."""
    if isinstance(store, FolderStore):
        for folder in ("rounds/.000001.abcd1234", "transcripts"):
            (store.folder / folder).mkdir(parents=True)
        (store.folder / "rounds" / ".000001.abcd1234" / "round.json").write_bytes(b"half")
        (store.folder / "rounds" / ".000001.json.7.tmp").write_bytes(b"half")
        (store.folder / "transcripts" / f".{'0' * 64}.7.tmp").write_bytes(b"half")
        return [str(store.folder)]
    assert isinstance(store, ObjectStore)
    for name in ("rounds/000001.json", f"transcripts/{'0' * 64}", f"objects/{'0' * 64}"):
        store.files.makedirs(f"{store.root}/{name.split('/')[0]}", exist_ok=True)
        store.files.pipe_file(f"{store.root}/{name}.abcd1234.tmp", b"half")
    return [store.root]


def test_what_killed_writers_left_is_no_round_no_stranger_and_is_swept(store):
    (root,) = left_by_a_killed_writer(store)
    assert store.bundles() == []
    assert store.strangers() == []
    store.write_bundle(3, FILES)
    store.sweep({3})
    files = fsspec.filesystem("file") if isinstance(store, FolderStore) else store.files
    files.invalidate_cache()
    assert [name for name in files.find(root) if "abcd1234" in name or name.endswith(".tmp")] == []
    assert store.read_bundle(3) == FILES


def test_a_second_writer_of_another_bundle_is_told_by_reading_its_manifest_back(monkeypatch):
    """Both found no such round; the other's manifest came in between."""
    store, real = in_memory(Path()), MemoryFileSystem.pipe_file
    other = bundle_manifest({"round.json": b"[]"})

    def overtaken(self, path, value, **options):
        real(self, path, value, **options)
        if "/rounds/" in path:
            real(self, path, other, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", overtaken)
    with pytest.raises(BundleError, match="another writer's by now: let one process write a run"):
        store.write_bundle(1, FILES)


def test_a_torn_manifest_of_a_round_to_keep_does_not_stop_the_sweep_nor_cost_an_object():
    store = in_memory(Path())
    assert isinstance(store, ObjectStore)
    for number in (1, 2, 3):
        store.write_bundle(number, {**FILES, "round.json": b"%d" % number})
    store.files.pipe_file(f"{store.root}/rounds/000002.json", b'{"round.js')
    assert store.sweep({1, 2}) == [3]
    assert store.bundles() == [1, 2]
    store.files.pipe_file(f"{store.root}/rounds/000002.json", bundle_manifest({**FILES, "round.json": b"2"}))
    assert store.read_bundle(2)["round.json"] == b"2"
