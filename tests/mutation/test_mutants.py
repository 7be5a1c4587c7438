"""The mutants of a small contract: found, woven in, and turned on one at a time."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.mutation.__main__ import ACCEPTED, draw_sample
from tests.mutation.bench import PLAIN
from tests.mutation.mutants import find_mutants
from tests.mutation.weave import MAGIC, SWITCH, SWITCH_PATH, patch, weave_source

ROOT = Path(__file__).resolve().parents[2]
PATH = "contracts/Small.sol"
SOURCE = """// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;
contract Small {
    error Late();
    uint256 private constant LIMIT = 7;
    uint256 public sum;
    modifier early() { if (block.number > LIMIT) revert Late(); _; }
    function add(uint256 a, uint8 b) external early returns (uint256) {
        if (a == 0 || b < 2) return 0;
        sum += a * b;
        assembly ("memory-safe") { a := shl(1, a) }
        return sum + 3;
    }
}
"""

pytestmark = pytest.mark.skipif(
    not (ROOT / "node_modules" / "solc").is_dir(),
    reason="npm packages are not installed: npm ci --ignore-scripts",
)


def compile_(sources, wanted):
    request = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": {**PLAIN, "outputSelection": wanted},
    }
    done = subprocess.run(
        [str(ROOT / "chain" / "solc" / "solc"), "--standard-json"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    assert [report["message"] for report in result.get("errors", []) if report["severity"] == "error"] == []
    return result


@pytest.fixture(scope="module")
def found():
    tree = compile_({PATH: SOURCE}, {"*": {"": ["ast"]}})["sources"][PATH]["ast"]
    return find_mutants({PATH: SOURCE}, {PATH: tree})


def test_every_check_sum_constant_and_write_is_mutated(found):
    mutants, _ = found
    changes = {(mutant.operator, mutant.original, mutant.replacement) for mutant in mutants}
    assert changes == {
        ("constant + 1", "7", "7 + 1"),
        ("constant - 1", "7", "7 - 1"),
        ("drop modifier", "early", ""),
        ("> to >=", "block.number > LIMIT", "block.number >= LIMIT"),
        ("negate condition", "block.number > LIMIT", "!(block.number > LIMIT)"),
        ("remove check", "block.number > LIMIT", "false"),
        ("== to !=", "a == 0", "a != 0"),
        ("|| to &&", "a == 0 || b < 2", "a == 0 && b < 2"),
        ("< to <=", "b < 2", "b <= 2"),
        ("negate condition", "a == 0 || b < 2", "!(a == 0 || b < 2)"),
        ("remove check", "a == 0 || b < 2", "false"),
        ("constant + 1", "0", "0 + 1"),
        ("constant + 1", "2", "2 + 1"),
        ("constant - 1", "2", "2 - 1"),
        ("+= to -=", "sum += a * b", "sum -= a * b"),
        ("* to /", "a * b", "a / b"),
        ("delete statement", "sum += a * b;", ""),
        ("shl to shr(a, b)", "shl(1, a)", "shr(1, a)"),
        ("+ to -", "sum + 3", "sum - 3"),
        ("constant + 1", "3", "3 + 1"),
        ("constant - 1", "3", "3 - 1"),
    }


def test_mutants_have_keys_of_their_own(found):
    mutants, _ = found
    assert len({mutant.key for mutant in mutants}) == len(mutants)
    assert [mutant.number for mutant in mutants] == list(range(1, len(mutants) + 1))


def test_one_compilation_serves_all_mutants(found):
    mutants, places = found
    woven = {PATH: weave_source(PATH, SOURCE, places), SWITCH_PATH: SWITCH}
    contracts = compile_(woven, {PATH: {"Small": ["evm.deployedBytecode.object"]}})["contracts"]
    code = contracts[PATH]["Small"]["evm"]["deployedBytecode"]["object"]
    assert MAGIC.hex() in code
    turned = {patch(code, mutant.number) for mutant in mutants}
    assert len(turned) == len(mutants)
    assert all(len(other) == len(code) and MAGIC.hex() not in other for other in turned)


def test_a_sample_has_some_of_every_source_and_is_the_same_again(found):
    mutants, _ = found
    sample = draw_sample(mutants, 5, seed=3)
    assert sample == draw_sample(mutants, 5, seed=3)
    assert len(sample) == 5
    assert set(sample) < set(mutants)


@pytest.mark.parametrize("key", sorted(json.loads(ACCEPTED.read_text())))
def test_a_mutant_accepted_as_equivalent_is_still_there(key: str):
    path, _, change = key.split(":", 2)
    source = " ".join((ROOT / path).read_text().split())
    assert change.partition(" -> ")[0].strip() in source
