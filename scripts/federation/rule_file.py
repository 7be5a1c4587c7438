"""A reward rule as a JSON file, for hospitals to propose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from incentives import RewardRule
from scripts.console.errors import CommandError

_CAPS = ("volume_cap", "compute_cap")


def read_rule(path: Path) -> RewardRule:
    """The rule in a JSON file: an object with each number of `RewardRule` by name, caps as lists of four.

    Raises:
        CommandError: the file is not such an object.
        IncentivesError: a number is out of range, or weights do not sum to 10,000.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise CommandError(f"{path} is not JSON ({error}): write the rule as one JSON object") from error
    names = list(RewardRule.__dataclass_fields__)
    if not isinstance(content, dict) or set(content) != set(names):
        raise CommandError(f"{path} is no reward rule: it takes exactly {', '.join(names)}")
    return RewardRule(**{name: _numbers(path, name, content[name]) for name in names})


def _numbers(path: Path, name: str, value: Any) -> Any:  # noqa: ANN401 - a JSON value
    parts = value if name in _CAPS else [value]
    if not isinstance(parts, list) or any(type(part) is not int for part in parts):
        what = "a list of whole numbers" if name in _CAPS else "a whole number"
        raise CommandError(f"{path}: {name} is {json.dumps(value)}: it must be {what}")
    return tuple(parts) if name in _CAPS else value
