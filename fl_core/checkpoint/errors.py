"""Errors of checkpoints."""

from __future__ import annotations

from fl_core.errors import FlError


class CheckpointError(FlError):
    """A checkpoint is missing, damaged, of another run, or cannot be written."""
