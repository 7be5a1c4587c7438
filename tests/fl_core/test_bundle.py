import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.bundle import (
    MANIFEST,
    bundle_digest,
    bundle_manifest,
    read_bundle,
    write_atomic,
    write_bundle,
)
from fl_core.canonical import sha256
from fl_core.errors import BundleError

FILES = {"round.json": b"{}", "sums.bin": bytes(range(100)), "empty": b""}

STOPPED_BEFORE_RENAME = """
import os, signal, sys
from pathlib import Path
from fl_core.bundle import write_atomic, write_bundle
def stop(*_):
    os.kill(os.getpid(), signal.SIGKILL)
Path.rename = Path.replace = stop
target = Path(sys.argv[2])
if sys.argv[1] == "bundle":
    write_bundle(target, {"round.json": b"new", "sums.bin": bytes(1000)})
else:
    write_atomic(target, b"new")
"""


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "rounds" / "000001"
    write_bundle(folder, FILES)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed(what, target):
    """A process of its own that gets SIGKILL between writing everything and the rename."""
    done = subprocess.run([sys.executable, "-c", STOPPED_BEFORE_RENAME, what, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_bundle_reads_back_and_is_addressed_by_its_digest(bundle):
    digest = bundle_digest(FILES)
    assert read_bundle(bundle) == read_bundle(bundle, digest) == FILES
    assert digest == sha256(bundle_manifest(FILES)) == sha256((bundle / MANIFEST).read_bytes())
    assert names(bundle.parent) == ["000001"]


@given(st.dictionaries(st.sampled_from("abcde"), st.binary(max_size=4)))
def test_two_bundles_share_a_digest_only_if_they_are_equal(files):
    for name in "abcde":
        changed = {**files, name: files.get(name, b"") + b"."}
        assert bundle_digest(changed) != bundle_digest(files)
    assert bundle_digest(dict(reversed(files.items()))) == bundle_digest(files)


def test_writing_the_same_bundle_again_changes_nothing(bundle):
    before = {path.name: path.stat().st_mtime_ns for path in bundle.iterdir()}
    assert write_bundle(bundle, FILES) == bundle_digest(FILES)
    assert {path.name: path.stat().st_mtime_ns for path in bundle.iterdir()} == before


def test_another_bundle_at_the_same_place_is_refused_and_the_first_stays(bundle):
    with pytest.raises(BundleError, match="expected"):
        write_bundle(bundle, {**FILES, "more": b""})
    assert read_bundle(bundle) == FILES


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file_is_named(bundle, name):
    (bundle / name).write_bytes(FILES[name] + b".")
    with pytest.raises(BundleError, match=f"{name} was altered"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: No such file"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["more.json", ".hidden", "sub"])
def test_a_file_that_the_manifest_does_not_name_is_named(bundle, name):
    if name == "sub":
        (bundle / name).mkdir()
    else:
        (bundle / name).write_bytes(b"")
    with pytest.raises(BundleError, match=f"{name} is not of this bundle"):
        read_bundle(bundle)


def test_a_bundle_with_another_digest_than_the_recorded_one_is_refused(bundle):
    with pytest.raises(BundleError, match="has digest"):
        read_bundle(bundle, bytes(32))


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"round.json": 3}',
        b'{"round.json": "abc"}',
        b'{"round.json": null}',
        b'{"../../etc/passwd": "' + b"00" * 32 + b'"}',
        b'{"/etc/passwd": "' + b"00" * 32 + b'"}',
        b'{"manifest.json": "' + b"00" * 32 + b'"}',
    ],
    ids=lambda manifest: repr(manifest[:20]),
)
def test_a_malformed_manifest_is_named_and_leads_nowhere_outside(bundle, manifest):
    for name in FILES:
        (bundle / name).unlink()
    (bundle / MANIFEST).write_bytes(manifest)
    with pytest.raises(BundleError, match=MANIFEST):
        read_bundle(bundle)


def test_a_manifest_that_says_the_same_in_other_bytes_is_refused(bundle):
    manifest = bundle / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b":", b": "))
    with pytest.raises(BundleError, match="not canonical"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "name",
    ["../x", "/x", "a/b", "", ".", "..", ".hidden", "a\\b", "a\nb", "x" * 101, MANIFEST, "a\x00b", "ä"],
)
def test_a_name_that_is_no_plain_file_name_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(BundleError, match="file name"):
        write_bundle(tmp_path / "new", {"good": b"", name: b""})
    with pytest.raises(BundleError, match="file name"):
        bundle_digest({name: b""})
    assert names(tmp_path) == []


def test_no_bundle_is_said_in_one_line(tmp_path):
    with pytest.raises(BundleError, match="no bundle at") as refusal:
        read_bundle(tmp_path / "none")
    assert "\n" not in str(refusal.value)


def test_a_writer_killed_before_the_rename_leaves_no_bundle_and_the_next_one_sweeps_up(tmp_path):
    folder = tmp_path / "000001"
    killed("bundle", folder)
    assert not folder.exists()
    assert [name for name in names(tmp_path) if not name.startswith(".000001.")] == []
    write_bundle(tmp_path / "000002", FILES)
    assert len(names(tmp_path)) == 2, "the leftovers of another bundle are not this one's to remove"
    write_bundle(folder, FILES)
    assert names(tmp_path) == ["000001", "000002"]
    assert read_bundle(folder) == FILES


def failing_with(code):
    def fail(*_args, **_options):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.rename", "os.fdopen", "tempfile.mkdtemp"])
def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path, monkeypatch, call):
    monkeypatch.setattr(call, failing_with(errno.ENOSPC))
    with pytest.raises(BundleError, match=r"cannot write bundle .*: No space left on device"):
        write_bundle(tmp_path / "000001", FILES)
    monkeypatch.undo()
    assert names(tmp_path) == []
    write_bundle(tmp_path / "000001", FILES)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_disk_full_after_some_files_leaves_nothing_behind(tmp_path, monkeypatch, number):
    synced, real = [], os.fsync

    def fsync(descriptor):
        synced.append(descriptor)
        if len(synced) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(BundleError, match="No space left"):
        write_bundle(tmp_path / "000001", FILES)
    assert names(tmp_path) == []


def test_ctrl_c_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / "000001", FILES)
    assert names(tmp_path) == []


@pytest.mark.parametrize("place", ["file/bundle", "x" * 300])
def test_a_place_that_cannot_be_is_said_in_one_line(tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match="cannot write bundle"):
        write_bundle(tmp_path / place, FILES)
    with pytest.raises(BundleError, match="cannot write"):
        write_atomic(tmp_path / place, b"")
    assert names(tmp_path) == ["file"]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "run.json"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["run.json"]


def test_a_writer_killed_before_the_rename_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.json"
    write_atomic(path, b"old")
    killed("file", path)
    assert path.read_bytes() == b"old"


def test_a_disk_that_refuses_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_atomic(path, b"old")
    monkeypatch.setattr(os, "fsync", failing_with(errno.ENOSPC))
    with pytest.raises(BundleError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["run.json"]
