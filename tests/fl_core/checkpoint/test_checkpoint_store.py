"""A checkpoint is there whole or not at all, the one before it stays until it is, and damage is told."""

from __future__ import annotations

import os
import resource
import signal
import stat
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.checkpoint import Checkpoint, CheckpointError, CheckpointStore, Snapshot, state_digest

SECRET = b"\xa5 a key that nobody else may see \x5a"


def state_of(number=1, secret=SECRET):
    device = Snapshot(
        arrays={"residual": np.arange(6, dtype=np.float32) * number},
        secrets={"identity": secret, "journal": b""},
    )
    return Snapshot(
        values={"rounds": [number, 2], "name": "run", "ratio": 0.1, "none": None},
        arrays={"model": np.full((2, 3), number, np.float64)},
        parts={"device-1": device, "device-2": replace(device, arrays={}), "empty": Snapshot()},
    )


def checkpoint_of(number=1, **changes):
    return Checkpoint(run="run", rounds_done=number, state=state_of(number, **changes))


def files_of(folder):
    return sorted(path for path in folder.iterdir() if path.suffix == ".checkpoint")


def test_what_was_written_is_read_back(tmp_path):
    with CheckpointStore(tmp_path / "checkpoint") as store:
        size = store.write(checkpoint_of(3))
        found = store.latest()
    (path,) = files_of(tmp_path / "checkpoint")
    assert path.stat().st_size == size
    assert (found.checkpoint.run, found.checkpoint.rounds_done, found.refused) == ("run", 3, ())
    state, written = found.checkpoint.state, state_of(3)
    assert state.values == written.values
    assert state_digest(state) == state_digest(written)
    device = state.part("device-1")
    assert device.secret("identity") == SECRET
    assert device.secret("journal") == b""
    assert np.array_equal(
        device.array("residual", np.float32, (6,)), written.part("device-1").arrays["residual"]
    )
    assert state.part("empty").values == {}


def test_the_digest_of_a_state_sees_values_and_arrays_and_no_secret():
    assert state_digest(state_of(1, b"one")) == state_digest(state_of(1, b"another"))
    assert state_digest(state_of(1)) != state_digest(state_of(2))
    other = replace(state_of(1), values={**state_of(1).values, "ratio": np.nextafter(0.1, 1)})
    assert state_digest(other) != state_digest(state_of(1))


def test_what_is_missing_or_of_another_shape_is_named():
    state = state_of()
    for ask, match in (
        (lambda: state.value("x"), "no value 'x'"),
        (lambda: state.secret("x"), "no secret 'x'"),
        (lambda: state.part("x"), "no part 'x'"),
        (lambda: state.array("x", np.float32, (1,)), "no array 'x'"),
        (lambda: state.array("model", np.float32, (2, 3)), "float64"),
        (lambda: state.array("model", np.float64, (3, 2)), "another run"),
    ):
        with pytest.raises(CheckpointError, match=match):
            ask()


def test_a_value_that_json_cannot_hold_exactly_is_refused_and_nothing_is_written(tmp_path):
    with CheckpointStore(tmp_path) as store:
        for bad in (float("nan"), 1 << 60, b"bytes"):
            with pytest.raises(CheckpointError, match="cannot be written down"):
                store.write(Checkpoint("run", 1, Snapshot(values={"bad": bad})))
        for name in ("a/b", "ä"):
            with pytest.raises(CheckpointError, match="name"):
                store.write(Checkpoint("run", 1, Snapshot(secrets={name: b""})))
    assert files_of(tmp_path) == []


def test_only_the_owner_can_read_it_and_the_first_line_says_what_it_is(tmp_path):
    folder = tmp_path / "checkpoint"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        with CheckpointStore(folder) as store:
            store.write(checkpoint_of())
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    line = files_of(folder)[0].read_bytes().split(b"\n", 1)[0]
    assert b"SIMULATION" in line
    assert b"secret" in line


def test_nothing_secret_shows_in_a_repr():
    assert "key that nobody" not in repr(checkpoint_of())


def test_two_checkpoints_are_kept_and_older_ones_removed(tmp_path):
    with CheckpointStore(tmp_path) as store:
        for number in range(1, 6):
            store.write(checkpoint_of(number))
            assert store.latest().checkpoint.rounds_done == number
    assert [path.name for path in files_of(tmp_path)] == ["00000004.checkpoint", "00000005.checkpoint"]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_torn_or_altered_checkpoint_is_refused_and_the_one_before_it_used(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("torn")
    with CheckpointStore(folder) as store:
        store.write(checkpoint_of(1))
        store.write(checkpoint_of(2))
        newest = files_of(folder)[-1]
        whole = newest.read_bytes()
        position = data.draw(st.integers(0, len(whole) - 1))
        flipped = bytearray(whole)
        flipped[position] ^= data.draw(st.integers(1, 255))
        tail = whole[:position] + bytes(len(whole) - position)
        bad = data.draw(st.sampled_from([bytes(flipped), whole[:position], whole + b"\0", tail]))
        if bad == whole:
            return
        newest.write_bytes(bad)
        found = store.latest()
        assert found.checkpoint.rounds_done == 1
        assert len(found.refused) == 1
        assert str(newest) in found.refused[0]


def test_without_any_usable_checkpoint_the_error_says_what_is_wrong_with_each(tmp_path):
    with CheckpointStore(tmp_path) as store:
        with pytest.raises(CheckpointError, match="there is no checkpoint"):
            store.latest()
        store.write(checkpoint_of(1))
        store.write(checkpoint_of(2))
        first, second = files_of(tmp_path)
        first.write_bytes(first.read_bytes()[:-5])
        second.write_bytes(b"something else")
        with pytest.raises(CheckpointError, match="no checkpoint can be used") as caught:
            store.latest()
        assert "ends early" in str(caught.value)
        assert "this version reads" in str(caught.value)


def test_a_run_is_worked_on_by_one_process_at_a_time(tmp_path):
    with CheckpointStore(tmp_path), pytest.raises(CheckpointError, match="another process"):
        CheckpointStore(tmp_path)
    CheckpointStore(tmp_path).close()


def test_a_full_disk_leaves_the_last_checkpoint_usable_and_no_rest(tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with CheckpointStore(tmp_path) as store:
        size = store.write(checkpoint_of(1))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limit[1]))
            with pytest.raises(CheckpointError, match="cannot be written"):
                store.write(checkpoint_of(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, previous)
        assert store.latest().checkpoint.rounds_done == 1
        assert {path.name for path in tmp_path.iterdir()} == {"00000001.checkpoint", "lock"}
        store.write(checkpoint_of(3))
        assert store.latest().checkpoint.rounds_done == 3


def test_a_disk_that_refuses_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="file"):
        CheckpointStore(tmp_path / "file" / "checkpoint")


def write_and_die(folder, fatal):
    """In a process of its own: three writes, and SIGKILL before the file operation number `fatal`."""
    calls = 0

    def counted(call):
        def wrapper(*arguments, **named):
            nonlocal calls
            calls += 1
            if calls == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return wrapper

    child = os.fork()
    if child == 0:
        try:
            with CheckpointStore(folder) as store:
                for name in ("fsync", "unlink", "open", "rename"):
                    setattr(os, name, counted(getattr(os, name)))
                for number in range(2, 5):
                    store.write(checkpoint_of(number))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_writer_killed_at_any_point_leaves_a_checkpoint_that_can_be_used(tmp_path):
    seen, fatal, code = set(), 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        fatal += 1
        folder = tmp_path / f"{fatal}"
        with CheckpointStore(folder) as store:
            store.write(checkpoint_of(1))
        code = write_and_die(folder, fatal)
        with CheckpointStore(folder) as store:
            found = store.latest()
            assert found.refused == ()
            seen.add(found.checkpoint.rounds_done)
            store.write(checkpoint_of(9))
            assert store.latest().checkpoint.rounds_done == 9
        assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]
    assert code == 0
    assert fatal > 12
    assert seen == {1, 2, 3, 4}
