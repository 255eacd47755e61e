"""What is looked at when somebody asks, and how it is written: for every metric a value, in both forms the same numbers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from happened import one_of_each, tell
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from proxy.telemetry.metric_table import EVENTS, METRICS, PREFIX, READINGS
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.readings import Exposition, Readings
from proxy.telemetry.tallies import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    from proxy.core.events import Event

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PLAIN = "text/plain; version=0.0.4"
Numbers = dict[tuple[Any, ...], float]


def readings(**named: Any) -> Readings:
    """A proxy at work."""
    usual = Readings(
        state="ready", loop="uvloop", ledger_state="shared", ledger_since_s=60.0, ledger_why="", in_flight=7, queue_depth=3, queue_bytes=4096,
        buffered_bytes=8192, bodies_unkept=13,
        connections={"client": {"busy": 4, "idle": 5}, "v3": {"busy": 2, "idle": 1}, "v2": {"busy": 0, "idle": 0}},
        windows_open={("exchange_throttle", "grant"): 2}, retry_budget=0.75, loop_lag_s=0.001, certificates={"listen": 1.8e9, "v3": 1.9e9},
        dropped_lines=11, memory_bytes=50_000_000, open_files=40,
    )  # fmt: skip
    return usual._replace(**named)


class Scraped:
    """A registry as the proxy has it, and the exposition of it."""

    def __init__(self, *happened: Event, **named: Any) -> None:
        self.now, self.registry = readings(**named), CollectorRegistry()
        for takers in (Metrics(self.registry).takers(), Tallies(self.registry).takers()):
            tell(takers, *happened)
        self.exposition = Exposition(self.registry, lambda: self.now)

    def text(self, accept: str = PLAIN) -> str:
        return asyncio.run(self.exposition.text(accept))[0].decode()

    def numbers(self, accept: str = PLAIN, parse: Callable[[str], Iterable[Metric]] = plain) -> Numbers:
        """What a scrape tells of this proxy, but for what the client library says of the process, which changes all the time."""
        return _numbers(parse(self.text(accept)))

    def of(self, name: str, /, **labels: str) -> float:
        return self.numbers()[(PREFIX + name, *sorted(labels.items()))]


def _numbers(families: Iterable[Metric]) -> Numbers:
    samples = [sample for family in families for sample in family.samples if sample.name.startswith(PREFIX)]
    numbers = {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples}
    assert len(numbers) == len(samples)
    return numbers


def test_both_forms_hold_the_same_numbers_and_those_that_were_counted() -> None:
    scraped = Scraped(*one_of_each())
    numbers = scraped.numbers(PLAIN, plain)
    assert numbers == scraped.numbers(OPENMETRICS, openmetrics)
    assert numbers == _numbers(scraped.registry.collect())
    assert len(numbers) > 100


@pytest.mark.parametrize(("accept", "begins"), [(OPENMETRICS, "application/openmetrics-text"), (PLAIN, "text/plain"), ("", "text/plain")])
def test_who_scrapes_gets_the_form_that_it_asks_for(accept: str, begins: str) -> None:
    _, content_type = asyncio.run(Scraped().exposition.text(accept))
    assert content_type.startswith(begins)


def test_every_metric_that_is_looked_at_has_a_value() -> None:
    numbers = Scraped().numbers()
    missing = [metric.name for metric in READINGS if not any(name == PREFIX + metric.name for name, *_ in numbers)]
    assert missing == []


def test_every_metric_of_the_table_is_told_with_its_kind_its_help_and_its_labels() -> None:
    parse: Callable[[str], Iterable[Metric]] = openmetrics
    families = {family.name: family for family in parse(Scraped(*one_of_each()).text(OPENMETRICS))}
    for metric in METRICS:
        family = families[PREFIX + metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)


def test_before_anything_has_happened_all_counters_are_told_all_the_same() -> None:
    families = {family.name for family in plain(Scraped().text())}
    assert {PREFIX + metric.name.removesuffix("_total") for metric in EVENTS} <= families


def test_the_numbers_are_those_of_the_proxy() -> None:
    scraped = Scraped()
    assert [scraped.of(name) for name in ("in_flight", "queue_depth", "queue_bytes", "buffered_bytes")] == [7, 3, 4096, 8192]
    assert (scraped.of("connections", side="client", state="busy"), scraped.of("connections", side="v2", state="idle")) == (4, 0)
    assert (scraped.of("retry_budget_ratio"), scraped.of("log_lines_dropped_total")) == (0.75, 11)
    assert scraped.of("certificate_expiry_timestamp_seconds", certificate="listen") == 1.8e9


@pytest.mark.parametrize("state", ["local", "shared", "local-safe", "rejoining"])
def test_of_the_states_of_the_ledger_the_present_one_is_1_and_all_others_0(state: str) -> None:
    scraped = Scraped(ledger_state=state)
    told = {each: scraped.of("ledger_state", state=each) for each in ("local", "shared", "local-safe", "rejoining")}
    assert told == dict.fromkeys(told, 0) | {state: 1}


def test_windows_that_close_leave_a_0_behind() -> None:
    scraped = Scraped()
    assert scraped.of("windows_open", cause="exchange_throttle", level="grant") == 2
    scraped.now = readings(windows_open={("rate_limit_nylas", "sends"): 1})
    assert scraped.of("windows_open", cause="exchange_throttle", level="grant") == 0
    assert scraped.of("windows_open", cause="rate_limit_nylas", level="sends") == 1
    scraped.now = readings(windows_open={("exchange_throttle", "grant"): 5})
    assert scraped.of("windows_open", cause="exchange_throttle", level="grant") == 5


def test_the_process_is_told_of_as_well() -> None:
    text = Scraped().text()
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total", "python_gc_collections_total"):
        assert f"\n{name}" in text


def test_each_scrape_looks_anew() -> None:
    scraped = Scraped()
    assert scraped.of("in_flight") == 7
    scraped.now = readings(in_flight=8)
    assert scraped.of("in_flight") == 8


def test_while_nobody_pushes_a_sweep_looks_at_nothing() -> None:
    scraped = Scraped()
    scraped.exposition.sweep(0.0)
    assert list(scraped.exposition.collect()) == []


def test_where_threads_take_the_metrics_a_sweep_keeps_them_current() -> None:
    scraped = Scraped()
    scraped.exposition.is_pushed = True
    scraped.exposition.sweep(0.0)
    scraped.now = readings(in_flight=9)
    scraped.exposition.sweep(0.0)
    assert scraped.registry.get_sample_value(PREFIX + "in_flight") == 9


def test_no_time_of_creation_is_told() -> None:
    assert "_created" not in Scraped(*one_of_each()).text(OPENMETRICS)
