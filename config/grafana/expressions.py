"""PromQL as the panels ask it, with Grafana's variables in it."""

from __future__ import annotations

from typing import Final

from grafana.panels import Query

HERE: Final = 'job=~"$job", instance=~"$instance"'
"""The proxies that are chosen above the panels."""

REQUESTS: Final = f"job_instance_api:nylas_proxy_requests:rate5m{{{HERE}}}"
FAILURES: Final = f"job_instance_api_origin:nylas_proxy_failures:rate5m{{{HERE}}}"


def per_s(metric: str, by: str = "", where: str = "") -> str:
    """Return the rate of a counter, summed up by labels, of the series with these label values."""
    chosen = f"{HERE}, {where}" if where else HERE
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{{{chosen}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Return that value of a histogram below which `share` of what was observed lies."""
    return f"histogram_quantile({share}, {per_s(f'nylas_proxy_{histogram}_bucket', f'{by}, le' if by else 'le')})"


def quantiles(histogram: str, by: str = "", of: str = "", shares: tuple[float, ...] = (0.5, 0.99)) -> tuple[Query, ...]:
    """Return such queries, named after their shares and `of` what they are."""
    words = f"{of} " if of else f"{{{{{by}}}}} " if by else ""
    return tuple(Query(quantile(share, histogram, by), f"{words}p{share * 100:g}") for share in shares)


def total(gauge: str, by: str = "") -> str:
    """Return a gauge, summed up by labels."""
    return f"sum{f' by ({by})' if by else ''} ({gauge}{{{HERE}}})"
