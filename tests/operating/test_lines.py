"""What the log of a running proxy says: of requests, of windows, of bursts of refusals."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from wire.stream import lines

from operating.rig import AT_ONCE, Sidecar, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Event, Settings

    from operating.rig import Answer, Nylas

BURST = 9
SETTINGS: Settings = {
    "limits.overrides.v3_contacts": {"count": 1, "per_s": 600},
    "windows.default_s": {"exchange_throttle": 0.5},
    "retry": {"initial_s": 0.05, "budget_ratio": 1},
}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
OF_EVERY_REQUEST = {
    "event", "ts", "status", "method", "api", "route", "request_id", "ended", "attempts", "duration_ms", "waited_ms", "upstream_ms", "own_ms",
    "sent_bytes",
}  # fmt: skip
numbers = itertools.count()


@pytest.fixture(scope="module")
def sidecar(nylas: Nylas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """A proxy that has refused a burst of requests right after its start."""
    with Sidecar(nylas.url, tmp_path_factory.mktemp("lines"), SETTINGS) as running:
        refuse_a_burst(running)
        yield running


def refuse_a_burst(sidecar: Sidecar) -> None:
    statuses = Counter(sidecar.ask("/v3/grants/nylas-burst/contacts", fields=AT_ONCE).status for _ in range(1 + BURST))
    assert statuses == {200: 1, 429: BURST}


def line_of(sidecar: Sidecar, answer: Answer) -> Event:
    (found,) = sidecar.lines("request", at_least=1, request_id=answer.fields["X-Request-Id"])
    return found


def test_the_first_refusal_of_a_burst_is_told_at_once(sidecar: Sidecar) -> None:
    first = sidecar.lines("requests.refused", at_least=1)[0]
    refused = next(line for line in sidecar.lines("request", status=429))
    expected = {"times": 1, "cause": "rate_limit_nylas", "by": "limit", "limit": "v3_contacts", "scope": "grant", "route": "contacts"}
    assert {key: first[key] for key in expected} == expected
    assert first["grant"] == refused["grant"]
    assert 590 <= first["wait_s"] <= 630


def test_a_line_of_a_success_holds_what_there_is_to_say(sidecar: Sidecar) -> None:
    answer = sidecar.ask("/v3/grants/nylas-line/messages?limit=2")
    line = line_of(sidecar, answer)
    assert line.keys() == OF_EVERY_REQUEST | {"grant"}
    told = (line["status"], line["method"], line["api"], line["route"], line["ended"], line["attempts"], line["sent_bytes"])
    assert told == (200, "GET", "v3", "messages", "complete", 1, len(answer.raw))
    assert line["duration_ms"] >= line["upstream_ms"] > 0
    assert (line["waited_ms"], len(line["grant"])) == (0, 32)


def test_a_line_of_a_repeated_request_tells_how_often_and_how_long_it_waited(sidecar: Sidecar) -> None:
    line = line_of(sidecar, sidecar.ask("/v3/grants/nylas-line/messages", cue="status=503; html=1"))
    assert (line["status"], line["attempts"], line["cause"], line["origin"]) == (503, 3, "upstream_unavailable", "nylas")
    assert line["waited_ms"] > 0
    assert line.keys() == OF_EVERY_REQUEST | {"grant", "cause", "origin"}


def test_a_line_of_a_refusal_tells_what_the_proxy_said(sidecar: Sidecar) -> None:
    answer = sidecar.ask("/v3/grants/nylas-burst/contacts", fields=AT_ONCE)
    line = line_of(sidecar, answer)
    assert (line["status"], line["attempts"], line["cause"], line["origin"]) == (429, 0, "rate_limit_nylas", "proxy")
    assert line["detail"] in answer.json["message"]
    assert line["upstream_ms"] == 0


def test_a_request_that_cannot_be_understood_has_a_line(sidecar: Sidecar) -> None:
    with contextlib.closing(sidecar.process.dial()) as asking:
        asking.send(lines(b"GET /messages HTTP/1.1"))
        answer = asking.response()
    (line,) = sidecar.lines("request", at_least=1, request_id=(answer.value(b"x-request-id") or b"").decode())
    told = (line["status"], line["method"], line["api"], line["route"], line["cause"], line["origin"], line["attempts"])
    assert told == (400, "-", "-", "-", "request_malformed", "proxy", 0)


def test_the_callers_trace_and_id_cross_unchanged_and_the_trace_stands_in_the_line(sidecar: Sidecar, nylas: Nylas) -> None:
    own = {"traceparent": TRACEPARENT, "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "X-Request-Id": "callers-own-id-1"}
    answer = sidecar.ask("/v3/grants/nylas-trace/messages", fields=own)
    (arrival,) = nylas.arrivals("/nylas-trace/")
    assert own.items() <= dict(arrival["fields"]).items()
    assert line_of(sidecar, answer)["trace_id"] == TRACE_ID


def test_an_answer_of_the_proxy_itself_carries_the_callers_id(sidecar: Sidecar) -> None:
    refused = sidecar.ask("/v3/grants/nylas-burst/contacts", fields={**AT_ONCE, "X-Request-Id": "callers-own-id-2"})
    assert (refused.status, refused.fields["X-Request-Id"], refused.json["request_id"]) == (429, "callers-own-id-2", "callers-own-id-2")
    assert line_of(sidecar, refused)["status"] == 429


@pytest.mark.parametrize(("cue", "source"), [("throttle_s=1", "retry_after"), ("throttle_s=0.4; retry_after=0", "default")])
def test_a_window_is_told_once_when_it_opens_and_once_when_it_is_over(sidecar: Sidecar, cue: str, source: str) -> None:
    path = f"/v3/grants/ews-line{next(numbers)}/messages"
    throttled = sidecar.ask(path, cue=cue, fields=AT_ONCE)
    grant = line_of(sidecar, throttled)["grant"]
    for _ in range(3):
        assert sidecar.ask(path, fields=AT_ONCE).status == 429
    held = [sidecar.ask(path, fields={"X-Nylas-Proxy-Patience": "30"}) for _ in range(2)]
    assert [answer.status for answer in held] == [200, 200]
    (closed,) = sidecar.lines("window.closed", at_least=1, grant=grant)
    sidecar.wait_for_lines()
    (opened,) = sidecar.lines("window.opened", grant=grant)
    assert (opened["scope"], opened["cause"], opened["source"], opened["level"]) == ("grant", "exchange_throttle", source, "warning")
    assert opened["closed_s"] >= 0.5
    assert (closed["scope"], closed["cause"], closed["level"]) == ("grant", "exchange_throttle", "info")
    assert closed["lasted_s"] >= 0.5
    assert len(sidecar.lines("window.closed", grant=grant)) == 1


def test_a_failed_probe_makes_the_window_longer_and_tells_no_second_one(sidecar: Sidecar) -> None:
    path = f"/v3/grants/ews-line{next(numbers)}/messages"
    cue = "throttle_s=0.4; retry_after=0"
    grant = line_of(sidecar, sidecar.ask(path, cue=cue, fields=AT_ONCE))["grant"]
    until(lambda: sidecar.ask(path, cue=cue, fields=AT_ONCE).fields["X-Nylas-Proxy-Attempts"] == "1")
    (window,) = [window for window in sidecar.status()["windows"] if window["grant"] == grant]
    assert window["length_s"] >= 1
    assert sidecar.ask(path, fields={"X-Nylas-Proxy-Patience": "30"}).status == 200
    sidecar.lines("window.closed", at_least=1, grant=grant)
    sidecar.wait_for_lines()
    assert [len(sidecar.lines(name, grant=grant)) for name in ("window.opened", "window.closed")] == [1, 1]


@pytest.fixture(scope="module")
def sampling(nylas: Nylas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    settings: Settings = {"log": {"format": "json", "level": "info", "successes": 0.25}}
    with Sidecar(nylas.url, tmp_path_factory.mktemp("sampling"), settings) as running:
        yield running


def test_of_successes_the_share_that_is_asked_for_is_written_and_of_errors_all(sampling: Sidecar) -> None:
    asking = sampling.caller()
    for number in range(40):
        assert asking.ask(f"/v3/grants/nylas-sample{number % 7}/messages").status == 200
    for _ in range(8):
        assert asking.ask("/v3/grants/nylas-sample/messages", cue="status=404").status == 404
    sampling.wait_for_lines()
    assert Counter(line["status"] for line in sampling.lines("request")) == {200: 10, 404: 8, 400: 1}


def refused_times(sidecar: Sidecar) -> list[Any]:
    return [line["times"] for line in sidecar.lines("requests.refused", limit="v3_contacts")]


def test_what_a_burst_has_added_is_told_before_the_end(nylas: Nylas, tmp_path: Path) -> None:
    with Sidecar(nylas.url, tmp_path, SETTINGS) as sidecar:
        refuse_a_burst(sidecar)
        sidecar.process.terminate()
        assert sidecar.process.exit_status() == 0
        assert sum(refused_times(sidecar)) == BURST


def test_what_the_burst_added_is_told_later_with_a_count(sidecar: Sidecar) -> None:
    """The last one of this module: that takes ten seconds from the first refusal on."""
    until(lambda: len(refused_times(sidecar)) > 1)
    times = refused_times(sidecar)
    sidecar.wait_for_lines()
    assert sum(times) == len(sidecar.lines("request", status=429, cause="rate_limit_nylas"))
    assert (times[0], len(times)) == (1, 2)
    for name in ("window.opened", "window.closed"):  # long after they were told
        assert set(Counter(line["grant"] for line in sidecar.lines(name)).values()) == {1}
