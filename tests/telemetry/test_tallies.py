"""What is counted of every request: the same numbers as the client library would have, and bounds fine enough for percentiles."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from happened import EVENTS, MESSAGES, a_request, an_attempt, tell
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from proxy.core.model import Cause, Origin
from proxy.telemetry.metric_table import EVENTS as COUNTED
from proxy.telemetry.metric_table import PREFIX
from proxy.telemetry.tallies import OWN, REQUEST, TALLIED, Durations, Scale, Tallies, added, finer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.events import AttemptEnded, RequestEnded

BUCKETS = {metric.name: metric.buckets for metric in COUNTED}
LABELS = {metric.name: metric.labels for metric in COUNTED}
HELP = {metric.name: metric.help for metric in COUNTED}

bounds = [bound for name in ("request_seconds", "overhead_seconds") for bound in BUCKETS[name]]
lasted_s = st.one_of(st.sampled_from([0.0, *bounds]), st.floats(0.0, 200.0), st.floats(0.0, 0.002))
faults = st.sampled_from(
    [(200, None, None), (0, None, None), (429, Cause.RATE_LIMIT_NYLAS, Origin.NYLAS), (502, Cause.UPSTREAM_BROKE_OFF, Origin.NETWORK)]
)


@st.composite
def requests(draw: st.DrawFn) -> RequestEnded:
    status, cause, origin = draw(faults)
    route, method = draw(st.sampled_from([MESSAGES, EVENTS, None])), draw(st.sampled_from(["GET", "POST", "-"]))
    lasts = {"duration_s": draw(lasted_s), "own_s": draw(lasted_s)}
    return a_request(route=route, method=method, status=status, cause=cause, origin=origin, **lasts)


attempts = st.builds(
    lambda route, answer, upstream_s: an_attempt(answer[0], route=route, failure=answer[1], upstream_s=upstream_s),
    st.sampled_from([MESSAGES, EVENTS]),
    st.sampled_from([(200, None), (429, None), (0, Cause.RESPONSE_TIMEOUT), (0, "caller_left")]),
    lasted_s,
)


class ByTheLibrary:
    """The same counts as objects of the client library."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counters, histograms = TALLIED[:2], TALLIED[2:]
        self._counters = {name: Counter(PREFIX + name, HELP[name], LABELS[name], registry=self.registry) for name in counters}
        self._histograms = {
            name: Histogram(PREFIX + name, HELP[name], LABELS[name], buckets=BUCKETS[name], registry=self.registry) for name in histograms
        }

    def request(self, ended: RequestEnded) -> None:
        api, name = (ended.route.api, ended.route.name) if ended.route is not None else ("-", "-")
        method = ended.method if ended.method != "-" else "other"
        self._counters["requests_total"].labels(api, name, method, str(ended.status), ended.cause or "none", ended.origin or "none").inc()
        self._histograms["request_seconds"].labels(api, name).observe(ended.duration_s)
        if ended.own_s:
            self._histograms["overhead_seconds"].labels(api).observe(ended.own_s)

    def attempt(self, attempt: AttemptEnded) -> None:
        api, name = attempt.route.api, attempt.route.name
        self._counters["upstream_attempts_total"].labels(api, name, attempt.failure or str(attempt.status)).inc()
        if attempt.status:
            self._histograms["upstream_seconds"].labels(api, name).observe(attempt.upstream_s)


def samples(registry: CollectorRegistry) -> dict[tuple[object, ...], float]:
    """What is there, but for what is 0."""
    found = (sample for family in registry.collect() for sample in family.samples if not sample.name.endswith("_created"))
    return {(sample.name, *sorted(sample.labels.items())): round(sample.value, 6) for sample in found if sample.value}


@settings(deadline=None)
@given(st.lists(requests(), max_size=12), st.lists(attempts, max_size=12))
def test_what_is_shown_is_what_the_library_itself_would_have_counted(ended: list[RequestEnded], asked: list[AttemptEnded]) -> None:
    registry, library = CollectorRegistry(), ByTheLibrary()
    tell(Tallies(registry).takers(), *ended, *asked)
    for request in ended:
        library.request(request)
    for attempt in asked:
        library.attempt(attempt)
    assert samples(registry) == samples(library.registry)


def test_a_second_look_shows_the_same_and_what_came_since() -> None:
    registry = CollectorRegistry()
    takers = Tallies(registry).takers()
    tell(takers, a_request(), an_attempt())
    first = samples(registry)
    assert samples(registry) == first
    tell(takers, a_request(), an_attempt())
    assert samples(registry) == {name: value * 2 for name, value in first.items()}


@pytest.mark.parametrize(("fine", "name"), [(OWN, "overhead_seconds"), (REQUEST, "request_seconds"), (REQUEST, "upstream_seconds")])
def test_the_bounds_of_a_metric_are_among_the_finer_ones_exactly(fine: Scale, name: str) -> None:
    assert tuple(fine.bounds_s[end] for end in fine.ends) == BUCKETS[name]
    assert all(lower < upper for lower, upper in pairwise(fine.bounds_s))


def test_finer_bounds_rise_in_steps_of_15_percent_at_most_from_far_below_to_far_above() -> None:
    fine = finer((1.0, 16.0)).bounds_s
    assert max(upper / lower for lower, upper in pairwise(fine)) <= 1.15
    assert (fine[0] < 1 / 13, fine[-1]) == (True, 256.0)


def noted(seconds: Iterable[float]) -> Durations:
    durations = Durations(finer((1.0, 16.0)))
    for each in seconds:
        durations.note(each)
    return durations


def test_a_bucket_holds_what_took_as_long_as_its_bound_and_all_that_took_less() -> None:
    assert noted([0.5, 1.0, 1.5, 16.0, 17.0]).buckets() == [("1.0", 2), ("16.0", 4), ("+Inf", 5)]


def test_several_are_added_place_by_place() -> None:
    one, two = noted([1.0, 3.0]), noted([1.0, 99.0])
    total = added([one, two])
    assert dict(total) == {one.counts.index(1): 2, noted([3.0]).counts.index(1): 1, noted([99.0]).counts.index(1): 1}
    assert added([]) == {}
