from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from proxy.telemetry.loop_lag import EVERY_S, KEPT_S, LoopLag

if TYPE_CHECKING:
    from collections.abc import Callable


class ALoop:
    """A loop whose time tests set: it keeps the one timer that it was given last."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due_at: float | None = None
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_at(self, due_at: float, callback: Callable[..., None], *arguments: object) -> Any:
        self.due_at, self._due, self.made = due_at, partial(callback, *arguments), self.made + 1
        return self

    def cancel(self) -> None:
        self.due_at = None

    def run(self, *, late_s: float) -> None:
        """Call what is due, so much later than it should be."""
        assert self.due_at is not None
        self.now = self.due_at + late_s
        self._due()


def a_loop() -> Any:
    return ALoop()


class Watched:
    def __init__(self) -> None:
        self.observed: list[float] = []
        self.loop = a_loop()
        self.lag = LoopLag(self.observed.append)
        self.lag.start(self.loop)

    @property
    def worst_s(self) -> float:
        return self.lag.worst_s(self.loop.now)


def test_it_observes_how_late_it_is_called() -> None:
    watched = Watched()
    for late_s in (0.0, 0.5, 0.125):
        watched.loop.run(late_s=late_s)
    assert watched.observed == [0.0, 0.5, 0.125]


def test_a_loop_that_calls_early_was_not_late() -> None:
    watched = Watched()
    watched.loop.run(late_s=-0.125)
    assert watched.observed == [0.0]


def test_it_looks_four_times_a_second_however_late_it_was() -> None:
    watched = Watched()
    assert watched.loop.due_at == 1000.25
    watched.loop.run(late_s=2.0)
    assert watched.loop.due_at == 1002.5
    assert watched.observed == [2.0]


def test_the_worst_is_that_of_the_last_ten_seconds() -> None:
    watched = Watched()
    assert watched.worst_s == 0.0
    watched.loop.run(late_s=0.5)
    for _ in range(40):  # ten seconds
        watched.loop.run(late_s=0.0)
    assert watched.worst_s == 0.5
    watched.loop.run(late_s=0.0)
    assert watched.worst_s == 0.0


def test_what_was_long_ago_does_not_count_though_nothing_was_seen_since() -> None:
    watched = Watched()
    watched.loop.run(late_s=0.5)
    assert watched.lag.worst_s(watched.loop.now + KEPT_S) == 0.5
    assert watched.lag.worst_s(watched.loop.now + KEPT_S + 0.125) == 0.0


def test_it_remembers_no_more_than_it_needs() -> None:
    watched = Watched()
    for _ in range(1000):
        watched.loop.run(late_s=0.0)
    assert len(watched.lag._seen) == KEPT_S / EVERY_S + 1


def test_stopped_it_looks_no_more_and_what_it_saw_stays_known() -> None:
    watched = Watched()
    watched.loop.run(late_s=0.5)
    for _ in range(2):
        watched.lag.stop()
    assert watched.loop.due_at is None
    assert watched.worst_s == 0.5


def test_started_twice_it_has_one_timer() -> None:
    watched = Watched()
    other = a_loop()
    watched.lag.start(other)
    assert (watched.loop.due_at, other.due_at) == (None, 1000.25)


def test_an_observer_that_fails_does_not_end_it() -> None:
    def fail(_: float) -> None:
        raise RuntimeError("a bug")

    loop = a_loop()
    LoopLag(fail).start(loop)
    with pytest.raises(RuntimeError):
        loop.run(late_s=0.0)
    assert (loop.made, loop.due_at) == (2, 1000.5)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_call_that_blocks_a_real_loop_is_seen(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def blocked() -> float:
        seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        lag = LoopLag(lambda late_s: None if seen.done() else seen.set_result(late_s))
        lag.start(asyncio.get_running_loop())
        time.sleep(EVERY_S + 0.05)  # noqa: ASYNC251 - it blocks the loop on purpose, until 50 ms after the time to look
        late_s = await seen
        assert lag.worst_s(asyncio.get_running_loop().time()) == late_s
        lag.stop()
        return late_s

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(blocked()) >= 0.04
