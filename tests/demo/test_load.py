from __future__ import annotations

import threading

import pytest

from proxy.demo.load import at_once


def test_jobs_run_at_the_same_time_and_their_results_come_in_order() -> None:
    meeting = threading.Barrier(2, timeout=60)

    def meet(name: str) -> str:
        meeting.wait()
        return name

    assert at_once([lambda: meet("a"), lambda: meet("b")]) == ["a", "b"]


def test_a_job_that_hangs_does_not_keep_the_program_alive() -> None:
    assert at_once([lambda: threading.current_thread().daemon]) == [True]


def test_what_a_job_raises_is_raised_where_the_results_are_asked_for() -> None:
    def fail() -> None:
        raise LookupError("a job of its own thread")

    with pytest.raises(LookupError, match="a job of its own thread"):
        at_once([fail])
