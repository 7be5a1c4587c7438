"""Each file in scripts/ also runs by itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command_line import ROOT

from scripts import __main__

FILES = sorted(path.name for path in (ROOT / "scripts").glob("*.py") if not path.name.startswith("__"))


@pytest.mark.parametrize("name", FILES)
def test_a_script_runs_by_itself(name, tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_every_script_is_a_command():
    assert sorted(f"{file}.py" for file in __main__.COMMANDS.values()) == FILES
