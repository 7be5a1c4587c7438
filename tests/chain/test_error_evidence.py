"""Every custom error of the contracts is thrown somewhere, and a forge test expects exactly it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chain.abi import abi_of
from chain.compile import artifact_names, collect_sources

ROOT = Path(__file__).resolve().parents[2]

DECLARATION = re.compile(
    r"^(?:abstract )?(?:contract|interface|library) (\w+)|^ {4}error (\w+)\(", re.MULTILINE
)
# Kept in a variable or handed on, an expectation is used: an unused one is a warning, which forge refuses.
EXPECTATION = re.compile(
    r"(?:expectRevert\(|encodeWithSelector\(|bytes4 \w+ =)\s*(?:abi\.encodeWithSelector\(\s*)?(\w+)\.(\w+)\.selector"
)


def declared_errors(sources: dict[str, str]) -> set[tuple[str, str]]:
    """(contract, error) of every declaration."""
    found = set()
    for text in sources.values():
        owner = ""
        for contract, error in DECLARATION.findall(text):
            owner = contract or owner
            if error:
                found.add((owner, error))
    return found


SOURCES = collect_sources()
OURS = {
    name: text
    for name, text in SOURCES.items()
    if name.startswith("contracts/") and not name.startswith("contracts/test/")
}
ERRORS = sorted(declared_errors(OURS))
FORGE_TESTS = {path: path.read_text() for path in sorted((ROOT / "contracts" / "test").rglob("*.sol"))}


def test_the_declarations_found_are_those_of_the_compiled_contracts():
    compiled = {member.name for name in artifact_names() for member in abi_of(name).errors.values()}
    imported = declared_errors({name: text for name, text in SOURCES.items() if name not in OURS})
    assert compiled - {error for _, error in imported} <= {error for _, error in ERRORS}
    assert compiled >= {error for _, error in ERRORS}


@pytest.mark.parametrize(("owner", "error"), ERRORS)
def test_every_declared_error_is_thrown_somewhere(owner: str, error: str):
    thrown = re.compile(rf"\brevert (?:{owner}\.)?{error}\(|\b{error}\.selector")
    assert any(thrown.search(text) for text in OURS.values())


@pytest.mark.parametrize(("owner", "error"), ERRORS)
def test_every_declared_error_is_expected_by_a_forge_test(owner: str, error: str):
    assert any((owner, error) in EXPECTATION.findall(text) for text in FORGE_TESTS.values())
