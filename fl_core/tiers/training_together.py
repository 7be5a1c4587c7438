"""Training simulated devices in batches: what each would have trained alone, to 1e-5, in a fraction of the time."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fl_core.batched import Recycled, train_in_chunks
from fl_core.tiers.task import Task

Key = TypeVar("Key", bound=Hashable)


def train_together(
    tasks: Mapping[Key, Task],
    *,
    threads: int | None = 1,
    device: str = "cpu",
    memory: Recycled | None = None,
) -> Iterator[tuple[Key, NDArray[np.float32]]]:
    """Train tasks of one plan chunk by chunk.

    A batch depends on who is in it in the last bits, so that the same tasks in the same order give the same updates.

    Args:
        tasks: of the same plan, in the order in which they are batched.
        threads: chunks that are trained at once; None for as many as torch is set to use.
        device: where torch computes.
        memory: what chunks are held in on the CPU, to be used again by the next call.

    Yields:
        Key and update, float32 (d,), of each task; all NaN where training diverged.
    """
    trained = [key for key, task in tasks.items() if task.trains]
    for key, task in tasks.items():
        if not task.trains:
            yield key, np.zeros(task.plan.spec.dim, dtype=np.float32)
    if not trained:
        return
    plan = tasks[trained[0]].plan
    for where, deltas in train_in_chunks(
        plan.spec.model,
        plan.model,
        [tasks[key].features for key in trained],
        [tasks[key].labels for key in trained],
        plan.spec.training,
        [tasks[key].seed for key in trained],
        device=device,
        threads=threads,
        memory=memory,
    ):
        yield from zip(trained[where], deltas, strict=True)
