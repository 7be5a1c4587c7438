"""TOML and YAML as far as configuration files need them: quoted text, numbers, lists and mappings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Plain: TypeAlias = "str | int | bool | Sequence[Plain] | Mapping[str, Plain]"


def toml(items: Mapping[str, Plain], *, note: str) -> str:
    """A flat TOML file; a value is written as in JSON, which TOML reads alike for ASCII text, numbers and lists."""
    lines = [f"{name}={json.dumps(value)}" for name, value in items.items()]
    return "\n".join([f"# {note}", *lines]) + "\n"


def yaml(items: Mapping[str, Plain], *, note: str) -> str:
    """A YAML file in block style; text is quoted, so that nothing is read as another type."""
    return "\n".join([f"# {note}", *_mapping(items, 0)]) + "\n"


def _mapping(items: Mapping[str, Plain], depth: int) -> list[str]:
    lines = []
    for name, value in items.items():
        key = "  " * depth + f"{name}:"
        lines += [key, *_block(value, depth + 1)] if _is_block(value) else [f"{key} {json.dumps(value)}"]
    return lines


def _block(value: Plain, depth: int) -> list[str]:
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    assert isinstance(value, Sequence)
    lines = []
    for item in value:
        if isinstance(item, Mapping):
            first, *rest = _mapping(item, depth + 1)
            lines += ["  " * depth + "- " + first.lstrip(), *rest]
        else:
            lines.append("  " * depth + f"- {json.dumps(item)}")
    return lines


def _is_block(value: Plain) -> bool:
    return isinstance(value, Mapping | list | tuple) and bool(value)
