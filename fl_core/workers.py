"""Jobs spread over forked processes: each inherits the world as it stands, and sends back what it made.

What a job changes in its process is lost unless it returns it. The processes are forked, so that nothing is copied on
the way in; torch and OpenMP stay on one thread in them, since threads do not survive a fork.
"""

from __future__ import annotations

import gc
import mmap
import multiprocessing
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from fl_core.errors import FlError

Made = TypeVar("Made")
Tell = Callable[[int], None]

_STOPPING = (signal.SIGINT, signal.SIGTERM)


class WorkerError(FlError):
    """A worker process ended without an answer."""


def shared_array(length: int, dtype: DTypeLike) -> NDArray[Any]:
    """Zeros (length,) in memory that processes forked later share with this one."""
    kind = np.dtype(dtype)
    return np.frombuffer(mmap.mmap(-1, max(1, length * kind.itemsize)), dtype=kind, count=length)


def in_workers(
    jobs: Sequence[Callable[[Tell], Made]], workers: int, progress: Tell = lambda _: None
) -> list[Made]:
    """Run each job in one of several processes; what they give, in the order of the jobs.

    Args:
        jobs: each is called with a function that reports progress. What it returns or raises must be picklable.
        workers: processes; job k runs in process k mod workers.
        progress: called in this process with each number that a job reports.

    Raises:
        WorkerError: a process was killed, or what a job made cannot be sent.
        BaseException: what the first failing job raised; the other processes are stopped then.
    """
    context = multiprocessing.get_context("fork")
    made: dict[int, Made] = {}
    running: dict[Any, BaseProcess] = {}
    try:
        for first in range(min(workers, len(jobs))):
            inbox, outbox = context.Pipe(duplex=False)
            share = range(first, len(jobs), workers)
            process: BaseProcess = context.Process(
                target=_work, args=(jobs, share, outbox, inbox), daemon=True
            )
            with _signals_afterwards(), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: see above
                process.start()
                outbox.close()
                running[inbox] = process
        while running:
            for inbox in wait(list(running)):  # type: ignore[assignment]  # of connections alone
                if not _take(inbox, running[inbox], made, progress):
                    running.pop(inbox).join()
                    inbox.close()
    finally:
        for inbox, process in running.items():
            process.kill()
            process.join()
            inbox.close()
    return [made[index] for index in range(len(jobs))]


@contextmanager
def _signals_afterwards() -> Iterator[None]:
    """Handle what asks this process to stop after the block: Python drops what is raised in the hooks of a fork."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread
        return
    came: list[int] = []
    handlers = {kind: signal.getsignal(kind) for kind in _STOPPING}
    for kind in _STOPPING:
        signal.signal(kind, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, signal.SIG_DFL if handler is None else handler)
    for number in came:
        signal.raise_signal(number)


def _take(inbox: Connection[Any, Any], process: BaseProcess, made: dict[int, Made], progress: Tell) -> bool:
    """Take one message of a process; whether more may come."""
    try:
        kind, content = inbox.recv()
    except EOFError:
        process.join()
        raise WorkerError(
            f"a worker process ended with exit code {process.exitcode} before its work was done: "
            "was it out of memory, or killed?"
        ) from None
    if kind == "raised":
        raise content
    if kind == "told":
        progress(content)
    elif kind == "made":
        made.update([content])
    return bool(kind != "finished")


def _work(
    jobs: Sequence[Callable[[Tell], object]],
    share: range,
    outbox: Connection[Any, Any],
    inbox: Connection[Any, Any],
) -> None:
    """What a process does: its share of the jobs, one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells every process: the parent ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    inbox.close()
    gc.freeze()  # what is inherited is not garbage: looking through it again and again would copy its pages
    torch.set_num_threads(1)
    try:
        for index in share:
            outbox.send(("made", (index, jobs[index](lambda count: outbox.send(("told", count))))))
        outbox.send(("finished", None))
    except BrokenPipeError:
        pass  # nobody listens any more
    except BaseException as error:
        outbox.send(("raised", error))
