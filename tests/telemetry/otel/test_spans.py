from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel.ended import CALLER, CALLERS_SPAN, CALLERS_TRACE, UNKNOWN, a_request, steps, tell
from otel.receiver import Receiver, as_dict
from proxy.core.model import Cause, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.events import RequestEnded
    from proxy.telemetry.otel.export import Otel

RETRIED = steps(
    a_request(attempts=2, waited_s=2.5),
    ("hold", 0.5, 2.0, "nylas_application_per_second"),
    ("attempt", 2.0, 2.25, "503"),
    ("backoff", 2.25, 3.25, "upstream_unavailable"),
    ("attempt", 3.25, 3.75, "200"),
)
NAME = "POST /v3/grants/{}/messages/send"


@pytest.fixture
def exported(receiver: Receiver, started: Callable[[], Otel]) -> Callable[..., list[Span]]:
    """What arrives of these requests."""

    def export(*requests: RequestEnded) -> list[Span]:
        otel = started()
        tell(otel.takers(), *requests)
        otel.close()
        return [span for of in receiver.resource_spans() for scope in of.scope_spans for span in scope.spans]

    return export


def the_request(spans: list[Span]) -> Span:
    (found,) = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    return found


def the_attempt(spans: list[Span]) -> Span:
    (found,) = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    return found


def test_a_request_is_a_span_and_each_hold_attempt_and_backoff_a_span_in_it(exported: Callable[..., list[Span]]) -> None:
    spans = sorted(exported(RETRIED), key=lambda span: span.start_time_unix_nano)
    assert [span.name for span in spans] == [NAME, "hold", "attempt", "backoff", "attempt"]
    request, *parts = spans
    assert {span.trace_id for span in parts} == {request.trace_id}
    assert {span.parent_span_id for span in parts} == {request.span_id}
    assert request.parent_span_id == b""
    internal, client = Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CLIENT
    assert [span.kind for span in spans] == [Span.SPAN_KIND_SERVER, internal, client, internal, client]


def test_times_are_those_of_the_request_on_the_clock_of_the_day(exported: Callable[..., list[Span]]) -> None:
    before = time.time_ns()
    spans = sorted(exported(RETRIED), key=lambda span: span.start_time_unix_nano)
    began = spans[0].start_time_unix_nano
    told = [((span.start_time_unix_nano - began) / 1e9, (span.end_time_unix_nano - began) / 1e9) for span in spans]
    expected = [(0, 4), (0.5, 2), (2, 2.25), (2.25, 3.25), (3.25, 3.75)]
    assert [pytest.approx(pair, abs=1e-6) for pair in expected] == told
    an_hour = 3600 * 10**9
    assert before - an_hour < began < before


def test_a_callers_trace_is_continued(exported: Callable[..., list[Span]]) -> None:
    spans = exported(RETRIED._replace(traceparent=CALLER))
    assert {span.trace_id for span in spans} == {CALLERS_TRACE}
    assert the_request(spans).parent_span_id == CALLERS_SPAN


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "nonsense",
        CALLER.replace("00-", "ff-", 1),
        CALLER.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        CALLER.replace("b7ad6b7169203331", "0" * 16),
        CALLER.upper(),
        CALLER + "-more",
    ],
)
def test_a_traceparent_that_is_none_begins_a_new_trace(exported: Callable[..., list[Span]], broken: str) -> None:
    span = the_request(exported(a_request(traceparent=broken)))
    assert span.parent_span_id == b""
    assert span.trace_id not in (b"", bytes(16), CALLERS_TRACE)


def test_what_the_caller_does_not_sample_is_not_exported(exported: Callable[..., list[Span]]) -> None:
    sampled = a_request(traceparent=CALLER)
    spans = exported(RETRIED._replace(traceparent=CALLER.removesuffix("01") + "00"), sampled)
    assert [span.name for span in spans] == [NAME]


def test_the_sampler_is_the_one_that_the_variable_names(exported: Callable[..., list[Span]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    spans = exported(RETRIED, a_request(traceparent=CALLER))
    assert [span.trace_id for span in spans] == [CALLERS_TRACE]


def test_attributes_say_what_is_known_and_no_more(exported: Callable[..., list[Span]]) -> None:
    spans = {span.name: as_dict(span.attributes) for span in exported(RETRIED)}
    assert spans[NAME] == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v3/grants/{}/messages/send",
        "nylas_proxy.api": "v3",
        "nylas_proxy.attempts": 2,
        "nylas_proxy.ended": "complete",
        "nylas_proxy.grant": "a1b2c3",
        "nylas_proxy.own_s": 0.0005,
        "nylas_proxy.request_id": "id-1",
        "nylas_proxy.route": "messages_send",
        "nylas_proxy.waited_s": 2.5,
    }
    assert spans["hold"] == {"nylas_proxy.held_by": "nylas_application_per_second"}
    assert spans["backoff"] == {"nylas_proxy.cause": "upstream_unavailable"}
    assert spans["attempt"] == {"http.request.method": "POST", "http.response.status_code": 200, "http.request.resend_count": 1}


def test_an_error_says_its_cause_whose_fault_it_is_and_by_which_provider(exported: Callable[..., list[Span]]) -> None:
    ended = a_request(status=429, cause=Cause.EXCHANGE_THROTTLE, origin=Origin.PROVIDER, provider="microsoft")
    told = as_dict(the_request(exported(ended)).attributes)
    assert told["nylas_proxy.cause"] == "exchange_throttle"
    assert told["nylas_proxy.origin"] == "provider"
    assert told["nylas_proxy.provider"] == "microsoft"


@pytest.mark.parametrize(
    ("ended", "status", "error"),
    [
        (a_request(status=200), Status.STATUS_CODE_UNSET, None),
        (a_request(status=404, cause=Cause.NOT_FOUND), Status.STATUS_CODE_UNSET, None),
        (a_request(status=503, cause=Cause.OVERLOADED), Status.STATUS_CODE_ERROR, "overloaded"),
        (a_request(status=500), Status.STATUS_CODE_ERROR, "500"),
        (a_request(status=200, ended="cut"), Status.STATUS_CODE_ERROR, "cut"),
        (a_request(status=200, ended="cut", cause=Cause.UPSTREAM_BROKE_OFF), Status.STATUS_CODE_ERROR, "upstream_broke_off"),
        (a_request(status=0, ended="caller_left"), Status.STATUS_CODE_UNSET, None),
    ],
)
def test_a_request_failed_where_the_answer_is_5xx_or_was_cut(
    exported: Callable[..., list[Span]], ended: RequestEnded, status: int, error: str | None
) -> None:
    span = the_request(exported(ended))
    told = as_dict(span.attributes)
    assert (span.status.code, told.get("error.type"), told.get("http.response.status_code")) == (status, error, ended.status or None)
    assert span.status.message == ""


@pytest.mark.parametrize(
    ("says", "status", "code", "error"),
    [
        ("204", Status.STATUS_CODE_UNSET, 204, None),
        ("302", Status.STATUS_CODE_UNSET, 302, None),
        ("404", Status.STATUS_CODE_ERROR, 404, "404"),
        ("503", Status.STATUS_CODE_ERROR, 503, "503"),
        ("response_timeout", Status.STATUS_CODE_ERROR, None, "response_timeout"),
        ("", Status.STATUS_CODE_ERROR, None, "_OTHER"),
    ],
)
def test_an_attempt_failed_where_the_answer_is_4xx_or_5xx_or_there_is_none(
    exported: Callable[..., list[Span]], says: str, status: int, code: int | None, error: str | None
) -> None:
    span = the_attempt(exported(steps(a_request(), ("attempt", 1, 2, says))))
    told = as_dict(span.attributes)
    assert (span.status.code, told.get("http.response.status_code"), told.get("error.type")) == (status, code, error)


def test_the_name_is_never_a_path(exported: Callable[..., list[Span]]) -> None:
    unknown, not_understood = a_request(route=UNKNOWN), a_request(route=None, method="-", status=400)
    spans = {span.name: as_dict(span.attributes) for span in exported(unknown, not_understood)}
    assert set(spans) == {"POST other", "HTTP"}
    assert "http.route" not in spans["POST other"]
    assert spans["HTTP"]["http.request.method"] == "_OTHER"
    assert "nylas_proxy.route" not in spans["HTTP"]


@pytest.mark.parametrize(
    ("variables", "name", "version"),
    [
        ({}, "nylas-proxy", "1.2.3"),
        ({"OTEL_SERVICE_NAME": "mail"}, "mail", "1.2.3"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=mail,service.version=9"}, "mail", "9"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=post", "OTEL_SERVICE_NAME": "mail"}, "mail", "1.2.3"),
    ],
)
def test_the_service_is_named_by_the_environment_and_else_by_the_proxy(
    receiver: Receiver, started: Callable[[], Otel], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str, version: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    otel = started()
    tell(otel.takers(), a_request())
    otel.close()
    (of_resource,) = receiver.resource_spans()
    told = as_dict(of_resource.resource.attributes)
    assert (told["service.name"], told["service.version"]) == (name, version)
    assert told["service.instance.id"]


@pytest.mark.usefixtures("receiver")
def test_steps_are_asked_for_only_where_spans_are_made(started: Callable[[], Otel], monkeypatch: pytest.MonkeyPatch) -> None:
    assert started().keeps_steps
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    without = started()
    assert not without.keeps_steps
    assert without.takers() == {}
