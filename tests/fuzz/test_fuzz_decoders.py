"""Decoders take the one encoding of a value or refuse with their own error, whatever bytes they are given.

Here Hypothesis edits good messages, byte by byte; `fuzz_decoders.py` does the same for longer, led by coverage.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from decoder_targets import TARGETS, secagg_message, secagg_message_seeds, sweep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fl_core.secagg.messages import Kind

SCRIPT = Path(__file__).with_name("fuzz_decoders.py")
SMOKE_RUNS = 3_000


@pytest.fixture(autouse=True)
def in_memory(monkeypatch):
    """Journals are not synchronised to disk here: what they accept is in question, not the disk."""
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    yield
    sweep()


@st.composite
def edited(draw, seeds):
    """A seed with up to four stretches cut out, replaced or put in, or any bytes at all."""
    data = draw(st.sampled_from([*seeds, b""]))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = start + draw(st.sampled_from((0, 1, 1, 2, 4, 16)))
        data = data[:start] + draw(st.binary(max_size=8)) + data[stop:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_accepts_a_good_message(name):
    """Else it would test nothing but headers."""
    target = TARGETS[name]
    assert [target.accepts(seed) for seed in target.seeds()].count(True) >= 1


def test_every_kind_of_message_has_a_seed_that_is_accepted():
    """So that `NoncePath` or `MaskedBlock` are reached behind their headers, and not only the first kinds."""
    assert [secagg_message(seed) for seed in secagg_message_seeds()] == [True] * len(Kind)


@pytest.mark.parametrize("name", TARGETS)
def test_edited_messages_are_refused_cleanly_or_are_what_they_encode_to(name):
    target = TARGETS[name]

    @settings(
        max_examples=60 if name == "journal_file" else 150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(edited(target.seeds()))
    def case(data):
        target.accepts(data)

    case()


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_atheris_finds_nothing_in_a_short_run(name):
    """In a process of its own: atheris instruments what it imports, and libFuzzer ends the process."""
    pytest.importorskip("atheris")
    done = subprocess.run(
        [sys.executable, SCRIPT, name, "--runs", str(SMOKE_RUNS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Done {SMOKE_RUNS} runs" in done.stderr


@pytest.mark.slow
def test_a_fuzz_run_reports_what_breaks_a_promise(tmp_path):
    """The harness itself: a target that fails ends with another exit code and the input."""
    pytest.importorskip("atheris")
    (tmp_path / "decoder_targets.py").write_text(
        "from types import SimpleNamespace\n"
        "def fails(data):\n"
        "    assert data[:1] != b'x', 'found'\n"
        "TARGETS = {'broken': SimpleNamespace(accepts=fails, seeds=lambda: [b'a', b'x'])}\n"
        "def without_sync(): pass\n"
    )
    copied = tmp_path / SCRIPT.name
    copied.write_text(SCRIPT.read_text())
    done = subprocess.run(
        [sys.executable, copied, "broken", "--runs", "50"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode != 0
    assert "found" in done.stdout + done.stderr
