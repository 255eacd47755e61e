"""The export of spans and metrics over OpenTelemetry, as the standard variables of the environment say."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from proxy.core.events import RequestEnded
from proxy.telemetry.otel.choice import choose
from proxy.telemetry.otel.conversion import Origin
from proxy.telemetry.otel.problems import Problems
from proxy.telemetry.otel.push import Push
from proxy.telemetry.otel.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

CLOSING_MAX_S: Final = 2.0
_AFTER_GIVING_UP_S: Final = 0.2
_Part = TypeVar("_Part")


class Otel:
    """What is exported.

    Args:
        traces: Of requests, or None.
        push: Of metrics, or None.
        problems: Told of failures until this is closed.

    Attributes:
        keeps_steps: Traces are made, for which requests have to keep their steps.
    """

    def __init__(self, traces: Traces | None, push: Push | None, problems: Problems) -> None:
        self._traces = traces
        self._parts = [part for part in (traces, push) if part is not None]
        self._problems = problems
        self.keeps_steps = traces is not None

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {} if self._traces is None else {RequestEnded: self._traces.take}

    def close(self) -> None:
        """Export what is left, for about two seconds at most. Blocks so long; never raises. Afterwards nothing is told any more."""
        finishing = [(part, threading.Thread(target=part.finish, name="otel-finish", daemon=True)) for part in self._parts]
        for _, thread in finishing:
            thread.start()
        ends_at = time.monotonic() + CLOSING_MAX_S
        for _, thread in finishing:
            thread.join(max(0.0, ends_at - time.monotonic()))
        late = [(part, thread) for part, thread in finishing if thread.is_alive()]
        for part, _ in late:
            part.give_up()
        for _, thread in late:
            thread.join(_AFTER_GIVING_UP_S)
        self._problems.silence()


def start(registry: CollectorRegistry, version: str, on_problem: Callable[[str], None]) -> Otel:
    """Begin to export.

    What cannot be set up is told and left out: nothing is raised.

    Args:
        registry: Where the metrics are kept that /metrics shows.
        version: Of the proxy.
        on_problem: Told what goes wrong, one sentence; called in any thread.
    """
    problems = Problems(on_problem)
    problems.take_log()
    choice = choose(os.environ)
    for complaint in choice.complaints:
        problems.tell(complaint)
    resource = _resource(version)
    origin = Origin(resource, InstrumentationScope("nylas-proxy", version))
    traces = _made("Spans", lambda: Traces(choice.traces, resource, version, problems), problems) if choice.traces else None
    push = _made("Metrics", lambda: Push(choice.metrics, registry, origin, choice.interval_s, problems), problems) if choice.metrics else None
    return Otel(traces, push, problems)


def _resource(version: str) -> Resource:
    # What the environment says wins over what stands here, a name of the service above all; `create` alone would have it the other way round.
    return Resource.create({SERVICE_NAME: "nylas-proxy", SERVICE_VERSION: version}).merge(OTELResourceDetector().detect())


def _made(what: str, make: Callable[[], _Part], problems: Problems) -> _Part | None:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - requests are served all the same
        problems.tell(f"{what} are not exported: a variable OTEL_* does not fit ({type(error).__name__}).")
        return None
