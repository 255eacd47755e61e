"""The dashboard: rows in the order in which an operator asks. `python3 dev.py docs` makes `nylas-proxy.json` from it.

Nothing here names a grant: metrics do not know them. Where it matters whose mailbox it is, a panel points to the status page.
"""

from __future__ import annotations

import json
from typing import Final

from grafana.expressions import FAILURES, HERE, REQUESTS, per_s, quantiles, total
from grafana.limits_and_costs import COSTS, LIMITED, ROUTES, WAITS
from grafana.panels import Dashboard, Panel, Query, Row, Variable, as_model

_WELL: Final = Row(
    "Is it up and well?",
    (
        Panel(
            "Up", "none", (Query(f"up{{{HERE}}}", "{{instance}}"),),
            "Whether Prometheus reaches the admin listener. Down: look whether the process runs, then whether the network lets Prometheus through.",
            kind="stat", limits=(1, 0.5), says="value_and_name", words=((1, "up"), (0, "DOWN")), width=6,
            alerts=("NylasProxyDown", "NylasProxyRestarting"),
        ),
        Panel(
            "Failures", "percentunit", (Query(f"(sum({FAILURES}) or vector(0)) / (sum({REQUESTS}) > 0)", "of requests"),),
            "The share of requests that failed through no fault of the application, over five minutes. The next row says whose fault it was.",
            kind="stat", limits=(0.01, 0.05), nothing="no traffic", width=3,
            alerts=("NylasProxyFailing", "NylasProxyUpstreamDown", "NylasProxyUpstreamFailing"),
        ),
        Panel(
            "Requests", "reqps", (Query(per_s("nylas_proxy_requests_total"), "per second"),),
            "What passes. A sudden 0 while applications work: they no longer go through the proxy, or do not reach it.",
            kind="stat", width=3,
        ),
        Panel(
            "Waiting", "short", (Query(total("nylas_proxy_queue_depth"), "requests"),),
            "Requests that wait to be admitted, now. A few are the proxy's work; many for long: see what they wait for.",
            kind="stat", alerts=("NylasProxyQueueFilling",), width=3,
        ),
        Panel(
            "Throttle windows", "short", (Query('max(job:nylas_proxy_windows_open:max{job=~"$job"})', "open"),),
            "Mailboxes (or more) that are left alone now. Whose they are, and until when, stands on the status page.",
            kind="stat", alerts=("NylasProxyWindowsPilingUp",), width=3,
        ),
        Panel(
            "Own time, p99", "s", (Query(f"max(job_instance:nylas_proxy_overhead_seconds:p99_5m{{{HERE}}})", "p99"),),
            "What the slowest proxy itself takes for one request in a hundred. Over 1 ms it lacks CPU.",
            kind="stat", limits=(0.001, 0.005), alerts=("NylasProxyOverheadHigh",), width=3,
        ),
        Panel(
            "Who counts", "none", (Query(f"nylas_proxy_ledger_state{{{HERE}}} == 1", "{{instance}}: {{state}}"),),
            "local: without Redis. shared: all count together. local-safe: Redis is away, each proxy keeps to its share. rejoining: it is back.",
            kind="stat", says="name", alerts=("NylasProxyLedgerDegraded",), width=3,
        ),
        Panel(
            "Requests by status", "reqps", (Query(per_s("nylas_proxy_requests_total", "status"), "{{status}}"),),
            "What callers were answered. 0: they left before. 429 by the proxy and 429 by Nylas are told apart in the panels about limits.",
            stacked=True, width=12,
        ),
        Panel(
            "Running since", "s", (Query(f"time() - process_start_time_seconds{{{HERE}}}", "{{instance}}"),),
            "Age of each process. Saw teeth are restarts.", alerts=("NylasProxyRestarting",), width=12,
        ),
    ),
)  # fmt: skip

_BLAME: Final = Row(
    "Who is to blame: proxy, Nylas, provider or network?",
    (
        Panel(
            "Failures by origin", "percentunit", (Query(f"sum by (origin) ({FAILURES}) / on () group_left sum({REQUESTS})", "{{origin}}"),),
            "Whose fault it was. network: between here and Nylas. nylas: reached, and failed. provider: a mail server. proxy: the proxy itself.",
            limits=(0.01, 0.05), alerts=("NylasProxyUpstreamDown", "NylasProxyUpstreamFailing", "NylasProxyFailing"),
        ),
        Panel(
            "Errors by cause", "reqps", (Query(per_s("nylas_proxy_requests_total", "origin, cause", 'cause!="none"'), "{{origin}}: {{cause}}"),),
            "All errors that callers got, their own mistakes included. `nylas-proxy explain CAUSE` says what each means and what to do.",
            stacked=True,
        ),
        Panel(
            "Who is slow", "s",
            (*quantiles("request_seconds", of="whole request"), *quantiles("upstream_seconds", of="Nylas")),
            "Where both rise, Nylas or the provider is slow. Where only the whole request does: waiting for limits, long bodies, slow callers.",
        ),
        Panel(
            "Attempts upstream", "reqps", (Query(per_s("nylas_proxy_upstream_attempts_total", "api, status"), "{{api}} {{status}}"),),
            "Calls to Nylas by their answer, repetitions included; words in place of numbers stand for calls without an answer.", stacked=True,
        ),
        Panel(
            "Repetitions", "reqps", (Query(per_s("nylas_proxy_retries_total", "cause"), "{{cause}}"),),
            "What was sent again, by what went wrong before. One cause far above the others: upstream is unwell, and callers may not notice yet.",
            stacked=True,
        ),
        Panel(
            "Retry budget", "percentunit", (Query(f"nylas_proxy_retry_budget_ratio{{{HERE}}}", "{{instance}}"),),
            "How much may still be repeated. At 0 errors are passed on as they come, so that an outage is not answered with a multiple of the load.",
            limits=(0.5, 0.05), alerts=("NylasProxyRetryBudgetExhausted",),
        ),
        Panel(
            "Answers that did not arrive whole", "reqps", (Query(per_s("nylas_proxy_requests_unfinished_total", "ended"), "{{ended}}"),),
            "cut: upstream or the network broke off after the answer had begun. caller_left: the application gave up, perhaps too soon.",
        ),
        Panel(
            "Errors told in one shape", "reqps", (Query(per_s("nylas_proxy_errors_normalised_total", "api, cause"), "{{api}} {{cause}}"),),
            "Errors of upstream that an SDK could not have read as they were, or not well.", stacked=True, width=16,
        ),
    ),
)  # fmt: skip

DASHBOARD: Final = Dashboard(
    title="Nylas Proxy",
    uid="nylas-proxy",
    about="Is the proxy well, who is to blame, what is limited, what waits, what does it cost. Made by python3 dev.py docs from config/grafana.",
    runbook="docs/alerts.md",
    variables=(
        Variable("job", "Job", "label_values(nylas_proxy_build_info, job)"),
        Variable("instance", "Proxy", 'label_values(nylas_proxy_build_info{job=~"$job"}, instance)'),
    ),
    rows=(_WELL, _BLAME, LIMITED, WAITS, COSTS, ROUTES),
)


def as_json() -> str:
    """Return the dashboard as the file that Grafana imports."""
    return json.dumps(as_model(DASHBOARD), indent=2, ensure_ascii=False) + "\n"
