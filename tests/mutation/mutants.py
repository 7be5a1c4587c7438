"""The mutants of the contracts: every one a change in one place, or at every use of one constant.

They are numbered in the order of their places, so that the same sources have the same mutants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.mutation.finder import Draft, Finder, Place
from tests.mutation.syntax import Node, walk


@dataclass(frozen=True)
class Mutant:
    """One change of a source."""

    number: int
    path: str
    line: int
    function: str
    operator: str
    original: str
    replacement: str
    nth: int
    """Which of the same changes in the function it is, from 1."""

    @property
    def key(self) -> str:
        """Path, function, change: what finds it again when lines have moved."""
        return f"{self.path}:{self.function}: {self.original} -> {self.replacement} #{self.nth}"


def find_mutants(
    sources: Mapping[str, str], asts: Mapping[str, Node], *, without_assembly: frozenset[str] = frozenset()
) -> tuple[list[Mutant], list[tuple[int, Place]]]:
    """All mutants of `sources`, and the places where they apply, each with its mutant's number.

    Args:
        sources: path -> text, one byte a character (latin-1), as the compiler's offsets count.
        asts: path -> the compiler's syntax tree, of these paths and maybe others.
        without_assembly: paths whose assembly is left alone.
    """
    constants = {
        node["id"]: (path, node)
        for path in sources
        for node in walk(asts[path])
        if node.get("nodeType") == "VariableDeclaration" and node.get("constant")
    }
    drafts: list[Draft] = []
    uses: dict[tuple[int, int], Draft] = {}
    for path in sorted(sources):
        finder = Finder(path, sources, constants, drafts, uses, assembly=path not in without_assembly)
        finder.visit(asts[path], ())
    drafts.sort(key=lambda draft: (draft.path, draft.span, draft.operator, draft.replacement))
    mutants: list[Mutant] = []
    seen: dict[str, int] = {}
    for number, draft in enumerate(drafts, start=1):
        original, replacement = " ".join(draft.original.split()), " ".join(draft.replacement.split())
        name = f"{draft.path}:{draft.function}:{original}:{replacement}"
        nth = seen[name] = seen.get(name, 0) + 1
        line = sources[draft.path].count("\n", 0, draft.span[0]) + 1
        mutants.append(
            Mutant(number, draft.path, line, draft.function, draft.operator, original, replacement, nth)
        )
    return mutants, [
        (number, place) for number, draft in enumerate(drafts, start=1) for place in draft.places
    ]
