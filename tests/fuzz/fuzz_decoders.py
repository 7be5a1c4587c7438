"""Fuzz one decoder with atheris (libFuzzer): python tests/fuzz/fuzz_decoders.py TARGET [--runs N] [--seconds S].

Ends with exit code 0 where nothing was found. A finding is printed with its input; `--corpus` keeps what was learnt.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_WITHIN = "FEDIOMT_FUZZ_WITHIN"  # set in the process that fuzzes: libFuzzer ends it without cleaning up
_PROJECT = Path(__file__).parents[2]


def main() -> int:
    """Read the options; fuzz in a process and a temporary folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--runs", type=int, default=-1, help="inputs to try; -1 is no limit")
    parser.add_argument("--seconds", type=int, default=0, help="time to spend; 0 is no limit")
    parser.add_argument("--max-bytes", type=int, default=2048, help="longest input")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer's mutations")
    parser.add_argument("--corpus", type=Path, help="folder that keeps inputs which reached something new")
    options = parser.parse_args()
    if _WITHIN in os.environ:
        fuzz(options, Path(os.environ[_WITHIN]))
    with tempfile.TemporaryDirectory() as scratch:
        paths = os.pathsep.join(filter(None, (str(_PROJECT), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, _WITHIN: scratch, "TMPDIR": scratch, "PYTHONPATH": paths}
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def fuzz(options: argparse.Namespace, scratch: Path) -> None:
    """Instrument, write the seeds, and run libFuzzer, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=["fl_core"]):
        from decoder_targets import TARGETS, without_sync

    if options.target not in TARGETS:
        sys.exit(f"no target {options.target!r}: choose one of {', '.join(sorted(TARGETS))}")
    target = TARGETS[options.target]
    corpus = options.corpus or scratch / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    without_sync()
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-runs={options.runs}",
        f"-max_total_time={options.seconds}",
        f"-max_len={options.max_bytes}",
        f"-seed={options.seed}",
        f"-artifact_prefix={scratch}/",
        "-print_final_stats=1",
        "-timeout=10",
        "-rss_limit_mb=2048",
    ]

    def one_input(data: bytes) -> None:
        target.accepts(data)

    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
