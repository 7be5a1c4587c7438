"""Processes that measure side by side."""

from __future__ import annotations


def one_thread_each() -> None:
    """A process a core: more threads would only get in each other's way."""
    import torch  # noqa: PLC0415 - in the worker

    torch.set_num_threads(1)
