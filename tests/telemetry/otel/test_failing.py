from __future__ import annotations

import io
import json
import logging
import socket
import threading
from collections import Counter as Counts
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Counter

from otel.ended import a_request, tell
from proxy.telemetry.otel import export
from proxy.telemetry.otel.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from otel.receiver import Receiver
    from proxy.telemetry.otel.export import Otel

    Batches = Callable[[str, int], AbstractContextManager[None]]


@pytest.fixture
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}/?key=s3cret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret")


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")  # less than the first backoff: it fails at once
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "5")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "5")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Batches:
    """At its end, waits until an exporter was asked so often since its beginning."""
    counts: Counts[str] = Counts()
    changed = threading.Condition()
    watch = Problems.watch

    def counted(problems: Problems, signal: str, do: Callable[[], bool]) -> bool:
        arrived = watch(problems, signal, do)
        with changed:
            counts[signal] += 1
            changed.notify_all()
        return arrived

    monkeypatch.setattr(Problems, "watch", counted)

    @contextmanager
    def wait(signal: str, times: int) -> Iterator[None]:
        goal = counts[signal] + times
        yield
        with changed:
            assert changed.wait_for(lambda: counts[signal] >= goal, timeout=60)

    return wait


@pytest.mark.usefixtures("_nobody_listens", "_impatient")
def test_a_collector_that_is_away_is_told_once_for_spans_and_once_for_metrics(
    started: Callable[[], Otel], problems: list[str], batches: Batches, registry: CollectorRegistry
) -> None:
    Counter("sent", "Mails.", registry=registry)
    otel = started()
    for _ in range(3):
        with batches("Spans to otlp", 1):
            tell(otel.takers(), a_request())
    with batches("Metrics to otlp", 3):
        pass
    otel.close()
    told = sorted(problems)
    assert [sentence.split(" cannot be exported")[0] for sentence in told] == ["Metrics to otlp", "Spans to otlp"]
    assert "s3cret" not in str(told)


@pytest.mark.usefixtures("_nobody_listens")
def test_closing_tells_what_it_could_not_deliver_and_returns(
    started: Callable[[], Otel], problems: list[str], monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    monkeypatch.setattr(export, "CLOSING_MAX_S", 0.2)
    monkeypatch.setattr(export, "_AFTER_GIVING_UP_S", 10.0)  # it ends as soon as it is given up; alone, it would try for half a minute
    Counter("sent", "Mails.", registry=registry)
    otel = started()
    tell(otel.takers(), a_request())
    otel.close()
    otel.close()
    sentence = "cannot be exported (ConnectionError). This is told once, until it works again."
    assert sorted(problems) == [f"Metrics to otlp {sentence}", f"Spans to otlp {sentence}"]


def test_closing_does_not_wait_for_a_collector_that_does_not_answer(
    receiver: Receiver, started: Callable[[], Otel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    monkeypatch.setattr(export, "CLOSING_MAX_S", 0.05)
    monkeypatch.setattr(export, "_AFTER_GIVING_UP_S", 0.05)
    receiver.stalled = True
    otel = started()
    tell(otel.takers(), a_request())
    otel.close()
    assert not receiver.answered.is_set()


@pytest.mark.usefixtures("_impatient")
def test_a_failure_after_it_has_worked_again_is_told_again(
    receiver: Receiver, started: Callable[[], Otel], problems: list[str], batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    receiver.answers = 400
    started()
    for answers in (400, 200, 400, 400):
        receiver.answers = answers
        with batches("Metrics to otlp", 3):  # the first of them may still have the answer before
            pass
    assert problems == ["Metrics to otlp cannot be exported (status 400). This is told once, until it works again."] * 2


def test_a_registry_that_fails_costs_an_export_and_not_the_next(
    receiver: Receiver,
    started: Callable[[], Otel],
    problems: list[str],
    registry: CollectorRegistry,
    monkeypatch: pytest.MonkeyPatch,
    batches: Batches,
) -> None:
    class Failing:
        fails = True

        def collect(self) -> Iterator[object]:
            if self.fails:
                raise ZeroDivisionError
            yield from ()

    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "5")
    failing = Failing()
    registry.register(failing)  # type: ignore[arg-type] # it has nothing to collect
    with batches("Metrics to otlp", 2):
        started()
    failing.fails = False
    receiver.metrics.get(timeout=60)
    assert problems == ["Metrics to otlp cannot be exported (ZeroDivisionError). This is told once, until it works again."]


def test_whoever_is_told_may_fail(receiver: Receiver, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise RuntimeError

    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "by_mood")
    otel = export.start(registry, "1", refuse)
    tell(otel.takers(), a_request())
    otel.close()
    assert not receiver.traces.empty()


def test_what_the_sdk_complains_of_is_told_without_values_and_never_on_standard_error(
    started: Callable[[], Otel], problems: list[str], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(root)])
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "by_mood")
    otel = started()
    logging.getLogger("opentelemetry.exporter").error("Header %r is wrong: %s", "authorization", "Bearer s3cret")
    logging.getLogger("opentelemetry.exporter").error("Header %r is wrong: %s", "authorization", "another")
    tell(otel.takers(), a_request())
    otel.close()
    assert problems == ["opentelemetry: Couldn't recognize sampler ….", "opentelemetry: Header … is wrong: …"]
    assert not receiver.traces.empty()
    logging.getLogger("opentelemetry.sdk").error("long after")
    assert len(problems) == 2
    assert root.getvalue() == ""


def test_a_variable_that_does_not_fit_is_told_and_the_rest_goes_on(
    started: Callable[[], Otel], problems: list[str], monkeypatch: pytest.MonkeyPatch, receiver: Receiver, registry: CollectorRegistry
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    Counter("sent", "Mails.", registry=registry)
    otel = started()
    assert not otel.keeps_steps
    otel.close()
    assert problems == ["Spans are not exported: a variable OTEL_* does not fit (ValueError)."]
    assert set(receiver.last_metrics()) == {"sent_total"}


def test_a_complaint_about_the_variables_is_told(started: Callable[[], Otel], problems: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    assert not started().keeps_steps
    assert [sentence.split()[0] for sentence in problems] == ["OTEL_TRACES_EXPORTER"]


def test_the_console_takes_both(
    started: Callable[[], Otel], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], registry: CollectorRegistry, problems: list[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    Counter("sent", "Mails.", registry=registry)
    otel = started()
    tell(otel.takers(), a_request())
    otel.close()
    shown, decoder = [], json.JSONDecoder()
    rest = capsys.readouterr().out.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        shown.append(document)
        rest = rest[end:].strip()
    assert sorted(next(iter(document)) for document in shown) == ["name", "resource_metrics"]
    assert problems == []
