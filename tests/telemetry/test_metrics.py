"""What is counted when something happens, and under which labels."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from builders import the_catalogue
from happened import (
    EVENTS,
    MESSAGES,
    a_hold,
    a_refusal,
    a_repetition,
    a_request,
    a_throttle,
    an_attempt,
    an_error,
    one_of_each,
    tell,
)
from prometheus_client import CollectorRegistry, Counter, Histogram

from proxy.core.events import GmailSpent, LedgerAnswered, RequestEnded
from proxy.core.identify import identify
from proxy.core.model import Api, Cause, Origin
from proxy.telemetry.metric_table import EVENTS as COUNTED
from proxy.telemetry.metric_table import PREFIX
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.tallies import Tallies

if TYPE_CHECKING:
    from proxy.core.events import Event

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH")


class Counts:
    """Metrics, and what they show."""

    def __init__(self, *happened: Event) -> None:
        self.registry = CollectorRegistry()
        self.metrics, self.tallies = Metrics(self.registry), Tallies(self.registry)
        self._takers = (self.metrics.takers(), self.tallies.takers())
        self.tell(*happened)

    def tell(self, *happened: Event) -> None:
        for takers in self._takers:
            tell(takers, *happened)

    def of(self, name: str, /, **labels: str) -> float | None:
        return self.registry.get_sample_value(PREFIX + name, labels)

    def series(self, name: str = "") -> int:
        return sum(sample.name.startswith(PREFIX + name) for family in self.registry.collect() for sample in family.samples)


def test_a_request_counts_under_its_route_method_status_and_whose_fault_it_was() -> None:
    counts = Counts(a_request(), a_request(), an_error(method="POST", route=EVENTS))
    assert counts.of("requests_total", api="v3", route="messages", method="GET", status="200", cause="none", origin="none") == 2
    failed = {"status": "429", "cause": "rate_limit_nylas", "origin": "nylas"}
    assert counts.of("requests_total", api="v3", route="events", method="POST", **failed) == 1
    assert counts.series("requests_total") == 2


def test_requests_that_differ_in_one_label_alone_are_counted_apart() -> None:
    others = ({"method": "HEAD"}, {"status": 201}, {"cause": Cause.AUTH}, {"origin": Origin.PROXY}, {"route": EVENTS}, {"route": None})
    counts = Counts(a_request(), *(a_request(**other) for other in others))
    assert counts.series("requests_total") == 7
    assert counts.of("request_seconds_count", api="v3", route="messages") == 5


def test_its_time_is_measured_and_the_proxy_s_own_where_an_answer_began() -> None:
    counts = Counts(a_request(duration_s=2.0, own_s=0.0004), a_request(duration_s=4.0, own_s=0.0, status=0, ended="caller_left"))
    assert counts.of("request_seconds_sum", api="v3", route="messages") == 6.0
    assert counts.of("overhead_seconds_count", api="v3") == 1
    assert counts.of("overhead_seconds_sum", api="v3") == 0.0004
    assert (counts.of("overhead_seconds_bucket", api="v3", le="0.0003"), counts.of("overhead_seconds_bucket", api="v3", le="0.0005")) == (0, 1)


def test_a_request_that_was_not_understood_has_no_route() -> None:
    counts = Counts(a_request(route=None, method="-", status=400, cause=Cause.REQUEST_MALFORMED, origin=Origin.PROXY))
    labels = {"method": "other", "status": "400", "cause": "request_malformed", "origin": "proxy"}
    assert counts.of("requests_total", api="-", route="-", **labels) == 1


def test_methods_that_nobody_uses_are_counted_together() -> None:
    counts = Counts(*(a_request(method=method) for method in METHODS))
    assert counts.of("requests_total", api="v3", route="messages", method="other", status="200", cause="none", origin="none") == 3
    assert counts.series("requests_total") == 8


@pytest.mark.parametrize("ended", ["cut", "caller_left"])
def test_an_answer_that_did_not_arrive_whole_counts_as_such(ended: str) -> None:
    counts = Counts(a_request(), a_request(ended=ended), an_error(normalised=True))
    assert counts.of("requests_unfinished_total", api="v3", ended=ended) == 1
    assert counts.series("requests_unfinished") == 1


def test_an_error_in_the_one_shape_counts_by_what_it_means() -> None:
    counts = Counts(an_error(), an_error(normalised=True), a_request(ended="cut"))
    assert counts.of("errors_normalised_total", api="v3", cause="rate_limit_nylas") == 1
    assert counts.series("errors_normalised") == 1


def test_an_attempt_counts_by_its_status_or_by_why_it_has_none() -> None:
    counts = Counts(an_attempt(), an_attempt(503), an_attempt(0, failure=Cause.RESPONSE_TIMEOUT), an_attempt(0, failure="caller_left"))
    for status in ("200", "503", "response_timeout", "caller_left"):
        assert counts.of("upstream_attempts_total", api="v3", route="messages", status=status) == 1
    assert counts.of("upstream_seconds_count", api="v3", route="messages") == 2


def test_a_hold_and_what_would_have_been_one_are_counted_apart() -> None:
    counts = Counts(a_hold(wait_s=2.0), a_hold(wait_s=3.0, enforced=False), a_hold(by="window", name="exchange_throttle", level="sends"))
    for metric in ("holds_total", "would_holds_total"):
        assert counts.of(metric, by="limit", name="v3_messages", level="grant") == 1
    assert counts.of("holds_total", by="window", name="exchange_throttle", level="sends") == 1
    assert (counts.of("hold_seconds_sum", by="limit"), counts.of("would_hold_seconds_sum", by="limit")) == (2.0, 3.0)
    assert counts.of("would_hold_seconds_sum", by="window") is None


def test_a_throttling_answer_that_closes_nothing_has_no_length() -> None:
    counts = Counts(a_throttle(), a_throttle(scope="", level="-", source="-", closed_s=0.0, cause=Cause.RATE_LIMIT_NYLAS, origin=Origin.NYLAS))
    assert counts.of("throttles_total", cause="exchange_throttle", origin="provider", level="grant", source="default") == 1
    assert counts.of("throttles_total", cause="rate_limit_nylas", origin="nylas", level="-", source="-") == 1
    assert counts.of("window_seconds_sum", cause="exchange_throttle", level="grant") == 1200.0
    assert counts.of("window_seconds_count", cause="rate_limit_nylas", level="-") is None


def test_refusals_repetitions_units_and_round_trips_are_counted() -> None:
    counts = Counts(a_refusal(), a_refusal(by="room", name="-", level="-", cause=Cause.OVERLOADED), a_repetition(), GmailSpent(5), GmailSpent(100))
    counts.tell(LedgerAnswered(0.25), LedgerAnswered(0.5))
    assert counts.of("refusals_total", cause="rate_limit_nylas", by="limit", name="v3_messages", level="grant") == 1
    assert counts.of("refusals_total", cause="overloaded", by="room", name="-", level="-") == 1
    assert counts.of("retries_total", api="v3", cause="server_error") == 1
    assert counts.of("gmail_units_total") == 105
    assert counts.of("ledger_seconds_sum") == 0.75


def test_settings_that_were_refused_are_counted_apart_from_those_in_force() -> None:
    counts = Counts(*one_of_each())
    assert [counts.of("settings_reloads_total", result=result) for result in ("applied", "refused")] == [1, 1]


def test_every_metric_of_the_table_is_counted_by_some_event() -> None:
    counts = Counts(*one_of_each())
    counts.metrics.loop_lagged(0.003)
    counted = {sample.name.removeprefix(PREFIX) for family in counts.registry.collect() for sample in family.samples if sample.value}
    wanted = {metric.name + ("_count" if metric.kind == "histogram" else "") for metric in COUNTED}
    assert wanted - counted == set()


def test_what_counts_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[tuple[Any, ...]] = []
    for kind in (Counter, Histogram):
        labels = kind.labels

        def counted(family: Any, *values: str, labels: Any = labels) -> Any:
            looked_up.append(values)
            return labels(family, *values)

        monkeypatch.setattr(kind, "labels", counted)
    counts = Counts(*one_of_each())
    first = len(looked_up)
    counts.tell(*one_of_each())
    assert first > 5
    assert len(looked_up) == first


def test_a_hundred_thousand_grants_add_no_series() -> None:
    counts = Counts(*one_of_each(), a_request(), an_error())
    before = counts.series()
    for number in range(100_000):
        name = f"{number:032x}"
        counts.tell(a_request(grant=name, request_id=name))
        if not number % 10:
            counts.tell(an_error(grant=name, normalised=True, ended="cut"), a_refusal(grant=name), a_throttle(name))
    assert counts.series() == before


def test_five_thousand_random_paths_and_methods_add_no_series() -> None:
    dice, counts = random.Random(6), Counts()
    for api in Api:
        for method in METHODS:
            counts.tell(*_asked(_path(dice, api), method))
    before = counts.series()
    for _ in range(5_000):
        method = dice.choice([*METHODS, f"X{dice.randrange(10**9)}"])
        counts.tell(*_asked(_path(dice, dice.choice(list(Api))), method))
    assert counts.series() == before


def test_random_ids_in_known_paths_and_random_queries_add_no_series() -> None:
    dice, counts = random.Random(6), Counts()
    templates = [(route.template, method) for route in the_catalogue().routes for method in sorted(route.methods)]
    seen = []
    for times in (1, 3):
        for template, method in templates * times:
            path = template.replace("{}", dice.randbytes(12).hex()) + f"?q={dice.random()}"
            counts.tell(*_asked(path.encode(), method))
        seen.append(counts.series())
    assert seen[0] > 1000
    assert seen[1] == seen[0]


def _path(dice: random.Random, api: Api) -> bytes:
    """A path that no row describes."""
    words = "/".join(dice.randbytes(dice.randrange(1, 20)).hex() for _ in range(dice.randrange(1, 6)))
    return (f"/v3/x{words}" if api is Api.V3 else f"/x{words}").encode()


def _asked(target: bytes, method: str) -> tuple[RequestEnded, Any]:
    route = identify(the_catalogue(), method, target, "id").route
    return a_request(route=route, method=method), an_attempt(route=route)


def test_the_route_of_an_attempt_is_that_of_the_request() -> None:
    counts = Counts(a_request(route=MESSAGES), an_attempt(route=EVENTS))
    assert counts.of("upstream_attempts_total", api="v3", route="events", status="200") == 1
    assert counts.of("upstream_attempts_total", api="v3", route="messages", status="200") is None
