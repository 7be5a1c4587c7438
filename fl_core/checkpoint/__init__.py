"""Checkpoints of a simulated run: everything it holds between two rounds, durable and checked."""

from fl_core.checkpoint.account_image import account_from, account_snapshot
from fl_core.checkpoint.errors import CheckpointError
from fl_core.checkpoint.image import Checkpoint, state_digest
from fl_core.checkpoint.sealed_identity import open_identity, seal_identity
from fl_core.checkpoint.snapshot import Snapshot
from fl_core.checkpoint.store import CheckpointStore, Found

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointStore",
    "Found",
    "Snapshot",
    "account_from",
    "account_snapshot",
    "open_identity",
    "seal_identity",
    "state_digest",
]
