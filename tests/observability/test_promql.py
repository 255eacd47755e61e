"""Expressions are taken apart so that each part can be asked for alone."""

from __future__ import annotations

import pytest

from observability.promql import metrics_in, sides


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up == 0", ["up"]),
        ('up{job="a > b"} > 0.5', ['up{job="a > b"}']),
        ("a / on (x) b > 14 * 86400 and c - time() < 3", ["a / on (x) b", "c - time()"]),
        ("a > 1 and on (x, y) sum by (x) (b > 2) > 0", ["a", "sum by (x) (b > 2)"]),
        ("increase(a[1m]) > 0 or (a unless a offset 30m) > 0", ["increase(a[1m])", "a", "a"]),
        ("(a > 1) unless (b) / (c) > 1", ["a", "(b) / (c)"]),
    ],
)  # fmt: skip
def test_an_expression_has_sides(expression: str, expected: list[str]) -> None:
    assert sides(expression) == expected


def test_an_expression_names_metrics() -> None:
    expression = 'max(job:nylas_proxy_windows_open:max{a="nylas_proxy_no"}) / sum (rate(nylas_proxy_requests_total[5m])) + up * process_max_fds'
    assert metrics_in(expression) == {"job:nylas_proxy_windows_open:max", "nylas_proxy_requests_total", "up", "process_max_fds"}
