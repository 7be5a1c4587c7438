import multiprocessing
import os
import signal
import time
from functools import partial

import numpy as np
import pytest

from fl_core.errors import SpecError
from fl_core.workers import WorkerError, in_workers, shared_array


def square(number, tell):
    tell(number)
    return number * number, os.getpid()


def test_jobs_run_in_as_many_processes_as_asked_and_give_their_results_in_order():
    told = []
    made = in_workers([partial(square, n) for n in range(7)], 3, told.append)
    assert [value for value, _ in made] == [n * n for n in range(7)]
    processes = [process for _, process in made]
    assert len(set(processes)) == 3
    assert os.getpid() not in processes
    assert processes[0] == processes[3] == processes[6]
    assert sorted(told) == list(range(7))


def test_what_a_job_changes_stays_in_its_process_but_for_shared_memory():
    private, shared = np.zeros(3), shared_array(3, np.float64)

    def job(_tell):
        private[:] = 1
        shared[:] = 2

    in_workers([job], 2)
    assert private.tolist() == [0, 0, 0]
    assert shared.tolist() == [2, 2, 2]


def test_shared_memory_starts_as_zeros_of_the_type_asked_for():
    array = shared_array(5, np.uint16)
    assert array.dtype == np.uint16
    assert array.tolist() == [0] * 5
    assert shared_array(0, np.float32).shape == (0,)


def test_what_a_job_raises_is_raised_here_and_the_others_are_stopped():
    def fails(_tell):
        raise SpecError("no such thing")

    def lasts(_tell):
        signal.pause()

    with pytest.raises(SpecError, match="no such thing"):
        in_workers([lasts, fails], 2)


def test_a_killed_process_is_an_error_and_no_silence():
    def killed(_tell):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerError, match="exit code -9"):
        in_workers([killed, partial(square, 2)], 2)


def test_what_cannot_be_sent_is_an_error():
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        in_workers([lambda _tell: lambda: None], 1)


def test_no_jobs_give_nothing():
    assert in_workers([], 4) == []


class Stopped(BaseException):
    """What a command's own handler of signals raises."""


def test_a_request_to_stop_that_comes_while_a_process_is_forked_is_not_lost(monkeypatch):
    """Python drops what is raised in the hooks of a fork."""

    def stop(_number, _frame):
        raise Stopped

    real, handler = os.fork, signal.signal(signal.SIGTERM, stop)

    def fork():
        child = real()
        if child:
            signal.raise_signal(signal.SIGTERM)
        return child

    monkeypatch.setattr(os, "fork", fork)
    try:
        with pytest.raises(Stopped):
            in_workers([lambda _tell: time.sleep(60)] * 2, 2)
        assert signal.getsignal(signal.SIGTERM) is stop
        assert multiprocessing.active_children() == []
    finally:
        signal.signal(signal.SIGTERM, handler)


def test_a_worker_hears_no_interrupt_from_the_terminal_and_ends_when_told_to():
    def handlers(_tell):
        return [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]

    assert in_workers([handlers], 1) == [[signal.SIG_IGN, signal.SIG_DFL]]
