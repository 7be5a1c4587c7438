"""Which options and genesis items Besu's documentation knows: data of this package, with its source."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from chain.errors import ChainError

OPTIONS_FILE = Path(__file__).parent / "options.json"


@dataclass(frozen=True)
class DocumentedBesu:
    """Names that Besu documents.

    Attributes:
        options: of the command line and of the configuration file, without the leading dashes.
        genesis_config: items of a genesis file's `config`.
        qbft: items of `config.qbft`.
        genesis_block: items of a genesis file beside `config`.
        permissions: items of a permissions file.
        rpc_apis: groups of JSON-RPC methods.
    """

    options: frozenset[str]
    genesis_config: frozenset[str]
    qbft: frozenset[str]
    genesis_block: frozenset[str]
    permissions: frozenset[str]
    rpc_apis: frozenset[str]


@cache
def documented_besu() -> DocumentedBesu:
    """The names kept in `options.json`."""
    kept = json.loads(OPTIONS_FILE.read_text(encoding="utf-8"))
    return DocumentedBesu(
        options=frozenset(kept["options"]) | frozenset(kept["private_options"]),
        genesis_config=frozenset(kept["genesis_config"]),
        qbft=frozenset(kept["qbft"]),
        genesis_block=frozenset(kept["genesis_block"]),
        permissions=frozenset(kept["permissions"]),
        rpc_apis=frozenset(kept["rpc_apis"]),
    )


def require_documented(what: str, names: Iterable[str], known: frozenset[str]) -> None:
    """Make sure that Besu knows every name.

    Raises:
        ChainError: it does not document one; Besu refuses to start with an option that it does not know.
    """
    unknown = sorted(set(names) - known)
    if unknown:
        raise ChainError(
            f"Besu documents no {what} {unknown[0]}: correct it, or bring options.json up to date"
        )
