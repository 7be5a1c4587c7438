"""Errors of the index: one line each, saying what was wrong and what to do."""

# ruff: noqa: N818 - these say what happened

from __future__ import annotations

from chain.errors import ChainError


class IndexFault(ChainError):
    """The index's database does not answer, is full, damaged, or cannot be written."""


class IndexMismatch(IndexFault):
    """The database is the index of another chain or deployment, or was built by another version."""


class ChainMoves(IndexFault):
    """The chain was reorganised again and again while it was read."""
