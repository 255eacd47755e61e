"""What the table of metrics promises of every one."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from proxy.telemetry.metric_table import EVENTS, METRICS, READINGS

if TYPE_CHECKING:
    from proxy.telemetry.metric_table import Metric

BOUNDED_LABELS = {
    "api", "route", "method", "status", "cause", "origin", "ended", "level", "source", "by", "name", "result",
    "version", "python", "loop", "side", "state", "certificate",
}  # fmt: skip
"""Rows of the catalogue, causes, names of limits, and words that stand in the code."""

EACH = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
HISTOGRAMS = [metric for metric in METRICS if metric.kind == "histogram"]


def named(name: str) -> Metric:
    return next(metric for metric in METRICS if metric.name == name)


def test_no_name_is_given_twice() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@EACH
def test_a_name_tells_what_is_counted_and_in_which_unit(metric: Metric) -> None:
    assert metric.name.endswith("_total") is (metric.kind == "counter")
    assert metric.name.endswith("_seconds") or metric.kind != "histogram"
    assert "_ms" not in metric.name


@EACH
def test_a_help_text_is_whole_sentences(metric: Metric) -> None:
    assert len(metric.help) > 20
    assert metric.help.endswith(".")
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert "\n" not in metric.help


@EACH
def test_labels_come_from_bounded_sets_alone(metric: Metric) -> None:
    assert set(metric.labels) <= BOUNDED_LABELS


@pytest.mark.parametrize("metric", HISTOGRAMS, ids=lambda metric: metric.name)
def test_buckets_rise(metric: Metric) -> None:
    assert len(metric.buckets) >= 9
    assert all(lower < upper for lower, upper in itertools.pairwise(metric.buckets))


def test_only_histograms_have_buckets() -> None:
    assert [metric.name for metric in METRICS if metric.buckets and metric.kind != "histogram"] == []


@pytest.mark.parametrize(
    ("name", "at_most_s", "at_least_s"),
    [
        ("overhead_seconds", 0.0002, 0.1),
        ("upstream_seconds", 0.01, 90),
        ("request_seconds", 0.01, 90),
        ("hold_seconds", 0.01, 60),
        ("would_hold_seconds", 0.01, 60),
        ("window_seconds", 1, 3600),
        ("ledger_seconds", 0.0002, 0.05),
        ("loop_lag_seconds", 0.001, 1),
    ],
)
def test_the_buckets_of_the_domain_are_covered(name: str, at_most_s: float, at_least_s: float) -> None:
    buckets = named(name).buckets
    assert buckets[0] <= at_most_s
    assert buckets[-1] >= at_least_s


def test_what_is_counted_is_no_gauge_and_what_is_looked_at_no_histogram() -> None:
    assert {metric.kind for metric in EVENTS} == {"counter", "histogram"}
    assert {metric.kind for metric in READINGS} == {"gauge", "counter"}
