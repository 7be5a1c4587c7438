"""How many processes a run spreads its hospitals over where the user does not say."""

from __future__ import annotations

import os

LARGE = 512
"""Devices from which forking pays; the model is the same either way."""


def worker_count(asked: int | None, *, hospitals: int, devices: int, torch_device: str, threads: int) -> int:
    """As many as asked for; by default one, and for a large population as many as there are cores.

    Args:
        asked: what the user named, or None.
        hospitals: how many there are: a hospital is played in one process.
        devices: of each.
        torch_device: where training is computed: a GPU is not shared.
        threads: batches that are trained at once in one process; more than one says that processes are not wanted.
    """
    if asked is not None:
        return asked
    if hospitals * devices < LARGE or torch_device != "cpu" or threads > 1:
        return 1
    return max(1, min(hospitals, len(os.sched_getaffinity(0))))
