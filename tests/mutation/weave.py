"""All mutants of a source woven into it: the number of the one that is on is a constant of the bytecode.

One compilation then serves every mutant. The constant is 32 odd bytes that are nobody's number: in the bytecode they
are found, and overwritten by the number of a mutant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.mutation.finder import YUL, Place
from tests.mutation.syntax import Node, span

MAGIC: Final = bytes.fromhex("d7b1c9a3e55f08426d9e17f3a4c07be2915d3caf68e4127bb0f6a9235ec8d417")
"""The number of no mutant."""

SWITCH_PATH: Final = "contracts/Mutant.sol"
SWITCH: Final = f"""// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.36;

function mutant_(uint256 which) pure returns (bool on) {{
    assembly ("memory-safe") {{
        on := eq(which, 0x{MAGIC.hex()})
    }}
}}
"""


@dataclass(frozen=True)
class _Site:
    """A place and all mutants there: number and text of each."""

    place: Place
    mutants: tuple[tuple[int, str], ...]

    @property
    def start(self) -> int:
        return self.place.start

    @property
    def end(self) -> int:
        return self.place.end


def weave_source(path: str, text: str, places: Iterable[tuple[int, Place]]) -> str:
    """The source with the mutants of all its places woven in; a place comes with its mutant's number."""
    grouped: dict[tuple[str, int, int], list[tuple[int, Place]]] = {}
    for number, place in places:
        grouped.setdefault((place.kind, place.start, place.end), []).append((number, place))
    sites = [
        _Site(max((place for _, place in group), key=lambda p: p.cast), tuple((n, p.text) for n, p in group))
        for group in grouped.values()
    ]
    woven = _Weaver(text, sorted(sites, key=lambda s: (s.start, -s.end, s.place.kind != "statement"))).all()
    up = "../" * (path.count("/") - SWITCH_PATH.count("/"))
    return f'import {{mutant_}} from "{up or "./"}Mutant.sol";\n{woven}'


def patch(bytecode: str, number: int) -> str:
    """Hex of the bytecode in which that mutant is on."""
    return bytecode.replace(MAGIC.hex(), number.to_bytes(32).hex())


class _Weaver:
    def __init__(self, text: str, sites: list[_Site]):
        self.text = text
        self.sites = sites
        self.blocks: dict[int, set[str]] = {}
        for site in sites:
            if site.place.kind == "yul":
                self.blocks.setdefault(site.place.node["block"][0], set()).add(
                    site.place.node["functionName"]["name"]
                )

    def all(self) -> str:
        return self._render(0, len(self.text), self.sites)

    def _render(self, start: int, end: int, sites: list[_Site]) -> str:
        """The text from `start` to `end`, in which `sites` lie."""
        parts: list[str] = []
        at, index = start, 0
        while index < len(sites):
            site = sites[index]
            inner = index + 1
            while inner < len(sites) and sites[inner].start < site.end:
                inner += 1
            parts.append(self._plain(at, site.start))
            parts.append(self._weave(site, sites[index + 1 : inner]))
            at, index = site.end, inner
        parts.append(self._plain(at, end))
        return "".join(parts)

    def _plain(self, start: int, end: int) -> str:
        """Text without sites, with the functions that assembly needs where a block begins."""
        text = self.text[start:end]
        for place in sorted((p for p in self.blocks if start <= p < end), reverse=True):
            helpers = "".join(_helper(name) for name in sorted(self.blocks[place]))
            brace = place - start + 1
            text = text[:brace] + helpers + text[brace:]
        return text

    def _weave(self, site: _Site, inner: list[_Site]) -> str:
        if site.place.kind == "function":
            return self._functions(site, inner)
        if site.place.kind == "yul":
            arguments = site.place.node["arguments"]
            texts = [
                self._render(*span(item), [s for s in inner if span(item)[0] <= s.start < span(item)[1]])
                for item in arguments
            ]
            (number, _), name = site.mutants[0], site.place.node["functionName"]["name"]
            return f"mutant_{name}({', '.join([str(number), *texts])})"
        text = self._render(site.start, site.end, inner)
        if site.place.kind == "statement":
            return f"{{ if (!mutant_({site.mutants[0][0]})) {{ {text} }} }}"
        for number, alternative in reversed(site.mutants):
            text = f"mutant_({number}) ? {alternative} : {text}"
        return f"{site.place.cast}({text})"

    def _functions(self, site: _Site, inner: list[_Site]) -> str:
        """A function as it is, one more for each modifier that it lacks, and the choice between them."""
        node: Node = site.place.node
        begin, end = span(node["body"])
        header = self.text[site.start : begin]
        body = self._render(begin, end, inner)
        names = ", ".join(item["name"] for item in node["parameters"]["parameters"])
        parameters, returned = self._of(node["parameters"]), node["returnParameters"]["parameters"]
        returns = f" returns {self._of(node['returnParameters'])}" if returned else ""
        mutability = "" if node["stateMutability"] == "nonpayable" else f" {node['stateMutability']}"
        back = "return " if returned else ""
        modifiers = [self._of(item) for item in node["modifiers"]]
        variants = [("kept", modifiers)]
        calls = ""
        for number, modifier in site.mutants:
            variants.append((f"without{number}", [other for other in modifiers if other != modifier]))
            calls += f"if (mutant_({number})) {{ {back}{node['name']}_without{number}({names}); }} else "
        for modifier in modifiers:
            header = header.replace(f" {modifier}", "", 1)
        text = f"{header}{{ {calls}{{ {back}{node['name']}_kept({names}); }} }}"
        for suffix, present in variants:
            own = "".join(f" {item}" for item in present)
            text += f"\nfunction {node['name']}_{suffix}{parameters} private{mutability}{own}{returns} {body}"
        return text

    def _of(self, node: Mapping[str, object]) -> str:
        start, end = span(node)
        return self.text[start:end]


def _helper(name: str) -> str:
    """An assembly function that is an instruction, or its mutant."""
    names = {"a": "left_", "b": "right_"}
    arguments = "left_" if name == "iszero" else "left_, right_"
    mutated = re.sub(r"\b[ab]\b", lambda match: names[match[0]], YUL[name])
    return (
        f" function mutant_{name}(which_, {arguments}) -> result_ {{ result_ := {name}({arguments})"
        f" if eq(which_, 0x{MAGIC.hex()}) {{ result_ := {mutated} }} }} "
    )
