"""The machine runs out of disk for the journal, or of descriptors: what needs none goes on, and all of it once there is some again."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from faults.caller import End
from faults.case import Ask, answers, asks_and_reads, begin
from faults.hostile_cases import LIMITED, NOW, error, told
from faults.stand import CASE_WITHIN_S, SETTLES_WITHIN_S, Stand, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wire.process import Settings

    from faults.caller import Answer
    from faults.case import Call
    from faults.peer import Act, Visit

CROWD = 20
SPARE, PLENTY = 5, 4096
OUTCOMES = {(End.WHOLE, 200, ""), (End.NONE, 0, ""), (End.WHOLE, 502, "upstream_unreachable"), (End.WHOLE, 504, "response_timeout")}
THROTTLED = error(LIMITED, told("rate_limit_error"), b"Retry-After: 60")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journal") / "kept"
    folder.mkdir()
    return folder / "windows.json"


@pytest.fixture(scope="module")
def keeping(journal: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A stand whose proxy keeps a journal."""
    with standing(tmp_path_factory.mktemp("keeping"), {"windows": {"journal": str(journal)}}) as stand:
        yield stand


def _full(stand: Stand, _journal: Path) -> None:
    """No file may grow any more: to the process that is what a full disk is."""
    resource.prlimit(stand.proxy.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def _gone(_stand: Stand, journal: Path) -> None:
    shutil.rmtree(journal.parent)


def _in_the_way(_stand: Stand, journal: Path) -> None:
    journal.unlink(missing_ok=True)
    journal.mkdir()


def _heal(stand: Stand, journal: Path) -> None:
    resource.prlimit(stand.proxy.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.parent.mkdir(exist_ok=True)
    if journal.is_dir():
        journal.rmdir()


def _throttle(stand: Stand) -> Answer:
    """Open a window."""
    return stand.run(asks_and_reads(begin(stand, Ask.CHANGE, (THROTTLED,), fields=NOW)))


def _windows_in(journal: Path) -> int:
    try:
        return len(json.loads(journal.read_bytes())["windows"])
    except OSError:
        return 0


def _complaints(stand: Stand) -> int:
    return sum(event.get("event") == "windows.warning" and "cannot be written" in event["message"] for event in list(stand.proxy._events))


@pytest.mark.parametrize("harm", [_full, _gone, _in_the_way], ids=["the disk is full", "the folder is gone", "a folder of its name is in the way"])
def test_a_journal_that_cannot_be_written_is_told_once_and_costs_nobody_an_answer(
    keeping: Stand, journal: Path, harm: Callable[[Stand, Path], None]
) -> None:
    before = _complaints(keeping)
    harm(keeping, journal)
    try:
        assert [_throttle(keeping).status for _ in range(3)] == [429] * 3
        _wait_until(lambda: _complaints(keeping) > before)
        keeping.settle()
    finally:
        _heal(keeping, journal)
    assert _throttle(keeping).status == 429
    _wait_until(lambda: _windows_in(journal) > 0)
    keeping.settle()
    assert _complaints(keeping) == before + 1


@pytest.fixture(params=["uvloop", "asyncio"])
def short(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """A stand whose proxy will run short of descriptors."""
    settings: Settings = {"listen": {"event_loop": request.param}, "upstream": {"response_timeout_s": 5}}
    with standing(tmp_path, settings) as stand:
        yield stand


def _open_files(stand: Stand) -> list[int]:
    return [int(name) for name in os.listdir(f"/proc/{stand.proxy.pid}/fd")]  # noqa: PTH208 - the fastest look at them


def _allow(stand: Stand, count: int) -> None:
    _, hard = resource.prlimit(stand.proxy.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(stand.proxy.pid, resource.RLIMIT_NOFILE, (min(count, hard), hard))


async def _crowd(stand: Stand, act: Act) -> list[tuple[Call, Answer]]:
    calls = [begin(stand, ask, (act,)) for ask in (Ask.READ, Ask.CHANGE) * (CROWD // 2)]
    return list(zip(calls, await asyncio.gather(*(asks_and_reads(call) for call in calls)), strict=True))


def test_without_descriptors_callers_wait_or_are_told_and_later_all_is_well(short: Stand) -> None:
    """Whoever is in is served; who comes waits, or is hung up on; a call that can have no connection is told so, and went nowhere."""
    released = asyncio.Event()

    async def answers_when_released(visit: Visit) -> None:
        await visit.body()
        await released.wait()
        await visit.answer()

    most = max(_open_files(short)) + SPARE
    _allow(short, most)
    coming = asyncio.run_coroutine_threadsafe(_crowd(short, answers_when_released), short._loop)
    _wait_until(lambda: len(_open_files(short)) >= most)
    short._loop.call_soon_threadsafe(released.set)
    _allow(short, PLENTY)
    for call, answer in coming.result(CASE_WITHIN_S):
        assert (answer.end, answer.status, answer.cause) in OUTCOMES
        assert len(call.play.arrivals) == (answer.status == 200)
    assert {answer.status for _, answer in short.run(_crowd(short, answers))} == {200}
    short.settle()


def _wait_until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + SETTLES_WITHIN_S
    while not is_so():
        assert time.monotonic() < ends_at
