from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.events import RequestEnded
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
