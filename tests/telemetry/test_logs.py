from __future__ import annotations

import itertools
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.events import RequestEnded, Step
from proxy.core.model import Api, Cause, Origin, Route
from proxy.telemetry.logs import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MESSAGES = Route("messages", Api.V3, frozenset(), "", "messages", {})
ENDED = RequestEnded(
    request_id='id-"1"',
    route=MESSAGES,
    method="GET",
    status=429,
    cause=Cause.RATE_LIMIT_NYLAS,
    origin=Origin.NYLAS,
    detail="what we said",
    advice="what we advised",
    ended="complete",
    normalised=True,
    grant="6f2c",
    provider=None,
    attempts=1,
    duration_s=0.0123456,
    waited_s=0.0021,
    would_hold_s=1.5,
    upstream_s=0.01,
    own_s=0.0002,
    sent_bytes=12,
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    traceparent=None,
    ended_at=5.0,
)
SUCCEEDED = ENDED._replace(status=200, cause=None, origin=None, detail=None, advice=None, normalised=False)


@pytest.fixture
def written() -> Iterator[tuple[int, Callable[[], bytes]]]:
    reader, writer = os.pipe()
    yield writer, lambda: os.read(reader, 65536)
    os.close(reader)
    os.close(writer)


def test_a_request_is_one_json_object_on_one_line(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0])
    log.request(ENDED)
    log.writer.close()
    line = written[1]()
    assert line.count(b"\n") == 1
    record: dict[str, Any] = json.loads(line)
    assert record.pop("ts") > 1_700_000_000
    assert record == {
        "event": "request",
        "request_id": 'id-"1"',
        "api": "v3",
        "route": "messages",
        "method": "GET",
        "status": 429,
        "cause": "rate_limit_nylas",
        "origin": "nylas",
        "detail": "what we said",
        "advice": "what we advised",
        "ended": "complete",
        "attempts": 1,
        "duration_ms": 12.345,
        "waited_ms": 2.1,
        "would_hold_ms": 1500.0,
        "upstream_ms": 10.0,
        "own_ms": 0.2,
        "grant": "6f2c",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "sent_bytes": 12,
    }


def test_an_event_carries_its_facts_and_its_level(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0])
    log.event("proxy.listening", port=8700)
    log.warning("settings.warning", message="look")
    log.writer.close()
    first, second = (json.loads(line) for line in written[1]().splitlines())
    assert (first["event"], first["level"], first["port"]) == ("proxy.listening", "info", 8700)
    assert (second["event"], second["level"], second["message"]) == ("settings.warning", "warning", "look")


def test_requests_and_events_below_the_level_are_not_written(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "warning", written[0])
    log.request(ENDED)
    log.event("proxy.listening")
    log.warning("kept")
    log.writer.close()
    assert [json.loads(line)["event"] for line in written[1]().splitlines()] == ["kept"]


def test_a_bug_is_told_by_its_place_and_never_by_its_values(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0])
    with pytest.raises(ValueError, match="Bearer") as caught:
        int("Bearer s3cret")
    log.bug(caught.value, "id-1")
    log.writer.close()
    line = written[1]()
    record = json.loads(line)
    assert (record["event"], record["error"], record["request_id"]) == ("proxy.bug", "ValueError", "id-1")
    assert "test_logs.py" in record["where"][0]
    assert b"s3cret" not in line


def test_the_console_shows_a_request_on_one_readable_line(written: tuple[int, Callable[[], bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    log = Log("console", "info", written[0])
    log.request(ENDED)
    log.event("proxy.listening", port=8700)
    log.writer.close()
    request, event = written[1]().decode().splitlines()
    assert "status=429" in request
    assert "cause=rate_limit_nylas" in request
    assert "port=8700" in event
    assert "\x1b" not in request + event


def lines_of(written: tuple[int, Callable[[], bytes]], log: Log) -> list[dict[str, Any]]:
    log.writer.close()
    os.write(written[0], b"\n")  # or nobody could read that nothing was written
    return [json.loads(line) for line in written[1]().splitlines() if line]


@pytest.mark.parametrize(("share", "kept"), [(1.0, 100), (0.5, 50), (0.375, 37), (0.25, 25), (0.02, 2), (0.0, 0)])
def test_of_successes_the_share_that_is_asked_for_is_written_evenly(written: tuple[int, Callable[[], bytes]], share: float, kept: int) -> None:
    log = Log("json", "info", written[0], successes=share)
    for number in range(100):
        log.request(SUCCEEDED._replace(attempts=number))
    numbers = [line["attempts"] for line in lines_of(written, log)]
    assert len(numbers) == kept
    assert all(abs((later - earlier) * share - 1) < share for earlier, later in itertools.pairwise(numbers))


@pytest.mark.parametrize("other", [{"cause": Cause.AUTH, "status": 401}, {"status": 0}, {"ended": "cut"}, {"ended": "caller_left"}])
def test_what_is_no_success_is_always_written(written: tuple[int, Callable[[], bytes]], other: dict[str, Any]) -> None:
    log = Log("json", "info", written[0], successes=0.0)
    log.request(SUCCEEDED)
    log.request(SUCCEEDED._replace(**other))
    assert len(lines_of(written, log)) == 1


def test_the_share_of_successes_may_be_changed_at_any_time(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0], successes=0.0)
    log.request(SUCCEEDED)
    log.successes = 1.0
    log.request(SUCCEEDED)
    log.successes = 0.0
    log.request(SUCCEEDED)
    assert len(lines_of(written, log)) == 1


def test_an_error_between_successes_takes_nothing_of_their_share(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0], successes=0.5)
    for request in (SUCCEEDED, ENDED, ENDED, SUCCEEDED, SUCCEEDED, SUCCEEDED):
        log.request(request)
    assert [line["status"] for line in lines_of(written, log)] == [429, 429, 200, 200]


@pytest.mark.parametrize(("level", "kept"), [("debug", ["detail", "event", "request", "warned"]), ("info", ["event", "request", "warned"])])
def test_a_detail_is_for_who_looks_for_it(written: tuple[int, Callable[[], bytes]], level: str, kept: list[str]) -> None:
    log = Log("json", level, written[0])
    log.detail("detail", why=1)
    log.event("event")
    log.request(SUCCEEDED)
    log.warning("warned")
    assert [line["event"] for line in lines_of(written, log)] == kept


def test_another_level_holds_from_then_on_for_events_and_requests(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0])
    for level in ("error", "debug", "warning"):
        log.set_level(level)
        assert log.level == level
        log.detail("detail", at=level)
        log.request(SUCCEEDED)
        log.warning("warned", at=level)
    kept = [("detail", "debug"), ("request", None), ("warned", "debug"), ("warned", "warning")]
    assert [(line["event"], line.get("at")) for line in lines_of(written, log)] == kept


def test_what_there_is_nothing_to_say_of_is_left_out(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0])
    log.request(SUCCEEDED._replace(grant="", trace_id=None, would_hold_s=0.0))
    (line,) = lines_of(written, log)
    assert set(line) == {
        "event", "ts", "request_id", "api", "route", "method", "status", "ended", "attempts", "duration_ms", "waited_ms", "upstream_ms", "own_ms",
        "sent_bytes",
    }  # fmt: skip


def test_a_request_that_was_not_understood_has_no_route_and_no_grant(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0])
    log.request(ENDED._replace(route=None, method="-", grant=""))
    (line,) = lines_of(written, log)
    assert (line["api"], line["route"], line["method"], "grant" in line) == ("-", "-", "-", False)


def test_neither_the_whole_traceparent_nor_steps_are_written(written: tuple[int, Callable[[], bytes]]) -> None:
    log = Log("json", "info", written[0])
    log.request(ENDED._replace(traceparent="00-4bf9-b7ad6b7169203331-01", steps=(Step("attempt", 1.0, 2.0, "of a step"),)))
    log.writer.close()
    line = written[1]()
    assert b"b7ad6b7169203331" not in line
    assert b"of a step" not in line
