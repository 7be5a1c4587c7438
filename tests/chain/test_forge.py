"""The contracts' own tests: unit, fuzz and invariants, run by forge; gas is what the committed snapshot says."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "arm64": "arm64", "aarch64": "arm64"}


def find_forge() -> Path:
    name = f"forge-{platform.system().lower()}-{MACHINES.get(platform.machine(), platform.machine())}"
    return ROOT / "node_modules" / "@foundry-rs" / name / "bin" / "forge"


def test_every_forge_test_passes():
    forge = find_forge()
    if not forge.is_file():
        pytest.skip("forge is not installed: npm ci --ignore-scripts")
    snapshots = ["--gas-snapshot-check", "true", "--gas-snapshot-emit", "false"]
    done = subprocess.run(
        [str(forge), "test", *snapshots], cwd=ROOT, capture_output=True, text=True, timeout=1_800, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4_000:]
    passed = re.search(r"(\d+) tests passed, 0 failed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 100


def test_the_page_on_gas_shows_the_snapshot():
    snapshot = json.loads((ROOT / "contracts" / "test" / "snapshots" / "gas.json").read_text())
    rows = re.findall(
        r"^\| `([^`]+)` \| ([\d,]+) \|", (ROOT / "docs" / "contracts" / "gas.md").read_text(), re.M
    )
    assert {name: value.replace(",", "") for name, value in rows} == snapshot
