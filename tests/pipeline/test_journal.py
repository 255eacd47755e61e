"""Throttle windows survive a restart: what the journal keeps, what becomes of a damaged one, and what its writer does about a disk that fails."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import Mock

import pytest
from builders import the_catalogue

from pipeline.asks import an_opening
from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, a_way, exchange_throttle
from proxy.core.book import Book
from proxy.core.window import REMEMBERED_US, Opening, ThrottleWindow
from proxy.gate import make_gate
from proxy.ledger import journal_writer
from proxy.ledger.journal import load, rows_of, save
from proxy.ledger.journal_writer import JournalWriter
from proxy.settings import Settings
from proxy.settings.pacing import Windows
from proxy.telemetry.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOW_S: Final = 1_800_000_000.0
WAS_US, NOW_US, S = 5_000_000, 777_000_000_000, 1_000_000
"""The ledger's clock before the restart and after it: they have nothing to do with each other."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "windows.json"


def a_window(wait_s: float = 8.0, *, probes: bool = True) -> Book:
    book = Book()
    book.open_window("grant:ada", an_opening(wait_s, probes=probes), WAS_US)
    return book


def restarted(path: Path, windows: Mapping[str, ThrottleWindow], after_s: float = 0.0) -> dict[str, ThrottleWindow]:
    save(path, rows_of(windows, NOW_S, WAS_US))
    found, complaint = load(path, NOW_S + after_s, NOW_US)
    assert complaint is None
    return found


def a_row(**changes: Any) -> dict[str, Any]:
    rows = rows_of(a_window().windows, NOW_S, WAS_US)
    return {**rows[0], **changes}


def written(path: Path, document: Any) -> tuple[dict[str, ThrottleWindow], str | None]:
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return load(path, NOW_S, NOW_US)


def test_no_journal_holds_nothing(path: Path) -> None:
    assert load(path, NOW_S, NOW_US) == ({}, None)


def test_a_closed_window_stays_closed_for_what_is_left(path: Path) -> None:
    (window,) = restarted(path, a_window(1200).windows, after_s=200).values()
    window.advance(NOW_US)
    assert (window.wait_us(), window.length_us, window.opening) == (1000 * S, 1200 * S, an_opening(1200))


def test_a_window_whose_time_is_over_waits_for_its_probe(path: Path) -> None:
    (window,) = restarted(path, a_window(8).windows, after_s=100).values()
    window.advance(NOW_US)
    assert (window.wait_us(), window.needs_probe()) == (0, True)


def test_a_failed_probe_after_the_restart_closes_for_longer(path: Path) -> None:
    book = Book()
    book.windows.update(restarted(path, a_window(8).windows, after_s=100))
    assert book.open_window("grant:ada", an_opening(8), NOW_US) == 16 * S


def test_a_window_that_needs_no_probe_is_forgotten_when_it_is_over(path: Path) -> None:
    assert restarted(path, a_window(8, probes=False).windows, after_s=8) == {}


def test_a_scope_that_had_reopened_is_still_paced(path: Path) -> None:
    book = a_window(8)
    window = book.windows["grant:ada"]
    window.advance(WAS_US + 8 * S)
    window.begin_probe("probe")
    window.end_probe("probe", succeeded=True)
    save(path, rows_of(book.windows, NOW_S, WAS_US + 8 * S))
    (found,) = load(path, NOW_S + 20, NOW_US)[0].values()
    assert found.reopened_at_us == NOW_US - 20 * S
    assert load(path, NOW_S + REMEMBERED_US / S, NOW_US) == ({}, None)


def test_a_probe_that_was_under_way_is_made_again(path: Path) -> None:
    book = a_window(8)
    book.windows["grant:ada"].advance(WAS_US + 8 * S)
    book.windows["grant:ada"].begin_probe("probe")
    (window,) = restarted(path, book.windows, after_s=9).values()
    assert (window.probe_id, window.wait_us(), window.needs_probe()) == ("", 0, True)


DAMAGED: Final[dict[str, Any]] = {
    "empty": b"",
    "truncated": json.dumps({"version": 1, "windows": [a_row()]}).encode()[:-20],
    "no text": b"\xff\x00\xfe",
    "nested": b"[" * 200_000,
    "a list": [],
    "a foreign version": {"version": 2, "windows": []},
    "no windows": {"version": 1},
    "windows of another type": {"version": 1, "windows": {}},
    "a row of another type": {"version": 1, "windows": ["grant:ada"]},
    "a row without a scope": {"version": 1, "windows": [{}]},
    "no time": {"version": 1, "windows": [a_row(closes_at_s=None)]},
    "not a number": b'{"version": 1, "windows": [' + json.dumps(a_row(closes_at_s="x")).replace('"x"', "NaN").encode() + b"]}",
    "a length in words": {"version": 1, "windows": [a_row(length_us="long")]},
    "an opening of another type": {"version": 1, "windows": [a_row(opening=[1, 2])]},
    "an opening in words": {"version": 1, "windows": [a_row(opening={**an_opening()._asdict(), "wait_us": "long"})]},
}
MISLEADING: Final[dict[str, Any]] = {
    "endless": b'{"version": 1, "windows": [' + json.dumps(a_row(closes_at_s="x")).replace('"x"', "1e999").encode() + b"]}",
    "an unknown cause": {"version": 1, "windows": [a_row(opening={**an_opening()._asdict(), "cause": "moon phase"})]},
}

@pytest.mark.parametrize("what", [*DAMAGED, *MISLEADING])
def test_a_damaged_journal_is_set_aside_with_a_warning(path: Path, what: str) -> None:
    windows, complaint = written(path, {**DAMAGED, **MISLEADING}[what])
    assert windows == {}
    assert complaint is not None
    assert "is damaged; it was set aside" in complaint
    assert not path.exists()
    assert path.with_name("windows.json.damaged").exists()


def test_a_wall_clock_that_was_set_back_closes_nothing_for_longer_than_its_window(path: Path) -> None:
    (window,) = restarted(path, a_window(8).windows, after_s=-86_400).values()
    window.advance(NOW_US)
    assert window.wait_us() <= 8 * S


def test_a_journal_that_cannot_be_read_is_no_reason_not_to_start(path: Path) -> None:
    path.mkdir()
    windows, complaint = load(path, NOW_S, NOW_US)
    assert windows == {}
    assert complaint is not None
    assert "cannot be read (Is a directory)" in complaint


def test_it_is_for_its_owner_alone_and_leaves_nothing_beside_it(path: Path) -> None:
    save(path, rows_of(a_window().windows, NOW_S, WAS_US))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, rows_of(a_window().windows, NOW_S, WAS_US))
    before = path.read_bytes()
    monkeypatch.setattr("proxy.ledger.journal.os.fsync", _disk_full)
    with pytest.raises(OSError, match="No space"):
        save(path, [])
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


def _disk_full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


async def test_what_changes_while_a_write_is_under_way_is_in_the_next_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, saved = threading.Event(), threading.Event(), []

    def slowly(_path: Path, rows: list[dict[str, object]]) -> None:
        begun.set()
        assert go_on.wait(10)
        saved.append(len(rows))

    monkeypatch.setattr(journal_writer, "save", slowly)
    windows: dict[str, ThrottleWindow] = {}
    writer = JournalWriter(path, windows, lambda: NOW_US, pytest.fail)
    writer.note_change()
    await asyncio.to_thread(begun.wait, 10)
    windows.update(a_window().windows)
    for _ in range(3):
        writer.note_change()
    go_on.set()
    await writer.flush()
    assert saved == [0, 1]


async def test_a_write_that_fails_is_complained_about_once_until_one_succeeds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[str] = []
    writer = JournalWriter(path, {}, lambda: NOW_US, complaints.append)
    for fails in (True, True, False, True):
        monkeypatch.setattr(journal_writer, "save", _disk_full if fails else save)
        writer.note_change()
        await writer.flush()
    assert len(complaints) == 2
    assert "cannot be written (No space left on device)" in complaints[0]


@fast_forwarded
async def test_a_closed_mailbox_stays_closed_over_a_restart(path: Path) -> None:
    settings = Settings(windows=Windows(journal=str(path)))
    async with a_way(exchange_throttle(), settings=settings) as way:
        await way.ask(READ)
        await way.gate.close()
        async with a_way(settings=settings) as after:
            heard = await after.ask(READ)
            assert (heard.status, heard.proxy["cause"], after.upstream.attempts) == (429, "exchange_throttle", [])
            assert (await after.ask(b"/v3/grants/bob/events")).status == 200


async def test_what_is_wrong_with_the_journal_stands_in_the_log(path: Path) -> None:
    save(path, [{}])
    log = Mock()
    make_gate(Settings(windows=Windows(journal=str(path))), the_catalogue(), Observers(log))
    ((event,), facts) = log.warning.call_args
    assert (event, "is damaged" in facts["message"]) == ("windows.warning", True)


async def test_an_identity_key_that_was_not_written_whole_is_made_anew(path: Path) -> None:
    path.with_name("windows.json.key").touch()
    make_gate(Settings(windows=Windows(journal=str(path))), the_catalogue(), Observers(Mock()))


def test_an_opening_survives_whole(path: Path) -> None:
    opening = Opening(3 * S, 60 * S, 150, "exchange_throttle", probes=False)
    book = Book()
    book.open_window("sends:ada", opening, WAS_US)
    assert restarted(path, book.windows)["sends:ada"].opening == opening
