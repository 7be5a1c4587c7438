"""Torch or BLAS on one thread for a while: tiny work is faster so, and does not depend on the machine's threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread inside the block and restore the setting after it; nested, it costs nothing."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run what NumPy leaves to BLAS on one thread inside the block: matrices of some hundred rows gain nothing by two.

    On a busy machine two threads that wait for each other take many times as long.
    """
    with _pools().limit(limits=1, user_api="blas"):
        yield


@cache
def _pools() -> ThreadpoolController:
    """The libraries of this process with threads of their own: finding them takes longer than most that they do."""
    return ThreadpoolController()
