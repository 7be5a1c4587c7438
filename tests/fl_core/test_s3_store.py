"""Bundles in S3, on a server of the test's own: written whole, read back verified, and shown by nobody half-written.

Takes s3fs (the `s3` extra) and moto's server; without them there is nothing to test against.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from fl_core.bundle import bundle_digest
from fl_core.canonical import sha256
from fl_core.errors import BundleError
from fl_core.stores import ObjectStore, open_store, stored_runs

s3fs = pytest.importorskip("s3fs", reason="needs the s3 extra: pip install 'fediomt[s3]'")
moto_server = pytest.importorskip("moto.server", reason="needs a local S3 server: pip install 'moto[server]'")

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of the client and of the server, not ours

FILES = {"round.json": b"{}", "sums.bin": bytes(range(200)), "empty": b""}
URL = "s3://bundles/fediomt"


@pytest.fixture(scope="module")
def endpoint():
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint, monkeypatch):
    """An empty bucket, with the client set up as a user sets it up: by the environment."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("bundles")
    yield files
    files.rm("bundles", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def store_of(run: str = "run") -> ObjectStore:
    store = open_store(URL, run, Path("unused"))
    assert isinstance(store, ObjectStore)
    return store


def test_a_bundle_reads_back_and_the_same_again_changes_nothing(bucket):
    store = store_of()
    assert store.bundles() == []
    digest = store.write_bundle(7, FILES)
    assert digest == bundle_digest(FILES) == store.write_bundle(7, FILES)
    assert store.read_bundle(7, digest) == store.as_found(7) == FILES
    assert (store.bundles(), stored_runs(URL)) == ([7], ["run"])
    with pytest.raises(BundleError, match="expected"):
        store.write_bundle(7, {**FILES, "more": b""})


def test_another_process_sees_what_was_written_and_removed(bucket):
    """Listings are cached by the client: what another one wrote in the meantime has to be seen."""
    ours = store_of()
    assert ours.bundles() == []
    s3fs.S3FileSystem.clear_instance_cache()
    theirs = store_of()
    theirs.write_bundle(1, FILES)
    theirs.keep_transcript(b"sealed")
    assert ours.bundles() == [1]
    assert ours.transcript(sha256(b"sealed")) == b"sealed"
    theirs.sweep(set(), set())
    assert (ours.bundles(), ours.transcripts()) == ([], [])


def test_documents_and_transcripts_are_kept_and_replaced(bucket):
    store = store_of()
    assert store.document("run.json") is None
    for data in (b"1", b"2"):
        store.write_document("run.json", data)
    assert store.document("run.json") == b"2"
    store.keep_transcript(b"one")
    store.remove_transcript(sha256(b"one"))
    assert store.transcripts() == []


@pytest.mark.parametrize("puts", range(len(FILES) + 1))
def test_a_put_that_fails_shows_no_round_until_the_next_writer_is_through(bucket, monkeypatch, puts):
    store, done = store_of(), itertools.count()
    real = store.files.pipe_file

    def fails(path, data, **options):
        if next(done) == puts:
            raise OSError("connection reset")
        return real(path, data, **options)

    with monkeypatch.context() as patched:
        patched.setattr(store.files, "pipe_file", fails)
        with pytest.raises(BundleError, match="cannot write") as refusal:
            store.write_bundle(1, FILES)
    assert "\n" not in str(refusal.value)
    assert store.bundles() == []
    with pytest.raises(BundleError, match="no such object"):
        store.read_bundle(1)
    store.write_bundle(1, FILES)
    assert store.read_bundle(1) == FILES


def test_an_altered_object_is_named(bucket):
    store = store_of()
    store.write_bundle(1, FILES)
    bucket.pipe_file(f"bundles/fediomt/run/objects/{sha256(FILES['sums.bin']).hex()}", b"other")
    with pytest.raises(BundleError, match=r"sums\.bin .* was altered"):
        store_of().read_bundle(1)


def test_a_bucket_that_is_not_there_is_one_line_and_is_not_made(bucket):
    store = open_store("s3://nowhere/fediomt", "run", Path("unused"))
    with pytest.raises(BundleError, match="cannot write") as refusal:
        store.write_document("run.json", b"{}")
    assert "\n" not in str(refusal.value)
    assert not bucket.exists("nowhere")
