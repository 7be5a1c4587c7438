"""The compiler's syntax trees: JSON, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]


def walk(node: object) -> Iterator[Node]:
    """A tree's nodes, a parent before its children."""
    if isinstance(node, list):
        for item in node:
            yield from walk(item)
    elif isinstance(node, dict):
        yield node
        for value in node.values():
            if isinstance(value, (dict, list)):
                yield from walk(value)


def span(node: Node) -> tuple[int, int]:
    """Start and end of a node in its source, in bytes."""
    start, length, _ = str(node["src"]).split(":")
    return int(start), int(start) + int(length)


def type_of(node: Node) -> str:
    """The type of an expression or a declaration, as the compiler says it; empty if it has none."""
    return str(node.get("typeDescriptions", {}).get("typeString", ""))


def is_number(node: Node) -> bool:
    """Whether an expression is made of literals alone, and a whole number."""
    return type_of(node).startswith("int_const")
