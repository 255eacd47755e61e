"""Every metric: its name, its labels, and what to do with the number. `proxy.telemetry.metrics` counts, the reference page is written from here.

Labels come from bounded sets alone: rows of the catalogue, causes, names of limits, a few methods. A thousand grants add no series.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

PREFIX: Final = "nylas_proxy_"

_REQUEST_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90)
_OWN_S: Final = (0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5)
_HOLD_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_WINDOW_S: Final = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 21600, 86400)
_LEDGER_S: Final = (0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05)
_LAG_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: After the prefix.
        kind: What Prometheus takes it for.
        help: What it counts, and what to do with the number.
        labels: Their names.
        buckets: Upper bounds, in seconds, of a histogram.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


EVENTS: Final = (
    Metric(
        "requests_total", "counter",
        "Requests that are over. origin says whose fault an error is: proxy (refused here), nylas, provider, network, or none. Status 0: the caller "
        "left before an answer. The rate by cause tells what to look at first.",
        ("api", "route", "method", "status", "cause", "origin"),
    ),
    Metric(
        "requests_unfinished_total", "counter",
        "Answers that did not arrive whole: caller_left, or cut where upstream or the network broke off. A rise of cut is not the callers' doing.",
        ("api", "ended"),
    ),
    Metric(
        "request_seconds", "histogram",
        "From the complete head of a request to the end of its answer, waiting and the answer's body included: what callers feel.",
        ("api", "route"), _REQUEST_S,
    ),
    Metric(
        "overhead_seconds", "histogram",
        "The proxy's own time until an answer begins: neither waiting nor upstream. With a p99 over 1 ms the process lacks CPU.",
        ("api",), _OWN_S,
    ),
    Metric(
        "upstream_attempts_total", "counter",
        "Attempts upstream, by the status of the answer, or by the cause where there is none (upstream_unreachable, response_timeout and so on).",
        ("api", "route", "status"),
    ),
    Metric(
        "upstream_seconds", "histogram",
        "From the start of an attempt to the head of its answer: the time of Nylas and the provider. Beside request_seconds it shows who is slow.",
        ("api", "route"), _REQUEST_S,
    ),
    Metric(
        "throttles_total", "counter",
        "Throttling answers of upstream; source says who named the wait: retry_after (upstream) or default (this proxy's table). While limits are "
        "kept there is next to none of rate_limit_nylas: otherwise other traffic shares them, see limits.reserve.",
        ("cause", "origin", "level", "source"),
    ),
    Metric(
        "holds_total", "counter",
        "Requests that had to wait to be admitted, by what held them: a limit, a cap (in_flight), a throttle window, and its name; or others (turn).",
        ("by", "name", "level"),
    ),
    Metric(
        "hold_seconds", "histogram",
        "How long those requests waited. Near patience.default_s, refusals follow: spread the load, or have the limit raised.",
        ("by",), _HOLD_S,
    ),
    Metric(
        "would_holds_total", "counter",
        "With limits.mode = observe: requests that would have had to wait. Few of them over days of usual load: enforce is safe.",
        ("by", "name", "level"),
    ),
    Metric(
        "would_hold_seconds", "histogram",
        "With limits.mode = observe: how long those requests would have had to wait.",
        ("by",), _HOLD_S,
    ),
    Metric(
        "refusals_total", "counter",
        "Requests refused here, unsent, for a limit, a cap, a throttle window, or because too many wait (room). Callers got an honest Retry-After.",
        ("cause", "by", "name", "level"),
    ),
    Metric(
        "retries_total", "counter",
        "Repetitions, by what went wrong before. Many of one cause: upstream is unwell, not the application.",
        ("api", "cause"),
    ),
    Metric(
        "window_seconds", "histogram",
        "For how long throttling answers closed a scope. 1200 s of exchange_throttle: that mailbox is asked too often, perhaps also by others.",
        ("cause", "level"), _WINDOW_S,
    ),
    Metric(
        "errors_normalised_total", "counter",
        "Errors of upstream that were told in the one shape, by what they mean.",
        ("api", "cause"),
    ),
    Metric("gmail_units_total", "counter", "Units that Gmail mailboxes were charged: as answers told, else as estimated."),
    Metric(
        "ledger_seconds", "histogram",
        "Round trips of admissions to the shared ledger; none without Redis. Over a few milliseconds: Redis is busy, or far.",
        (), _LEDGER_S,
    ),
    Metric(
        "loop_lag_seconds", "histogram",
        "How late the event loop was, looked at four times a second. Over 10 ms: the machine is out of CPU, or something blocks.",
        (), _LAG_S,
    ),
    Metric(
        "settings_reloads_total", "counter",
        "Times that the settings were read again: applied, or refused for a mistake that the log names.",
        ("result",),
    ),
)  # fmt: skip
"""What is counted when something happens."""

READINGS: Final = (
    Metric("build_info", "gauge", "Always 1; which version runs, on which Python and event loop.", ("version", "python", "loop")),
    Metric("in_flight", "gauge", "Requests at hand, waiting ones included."),
    Metric("queue_depth", "gauge", "Requests that wait to be admitted. Steadily high: more is asked for than the limits allow."),
    Metric("queue_bytes", "gauge", "What the bodies of waiting requests take in memory; patience.waiting_max_bytes bounds it."),
    Metric("buffered_bytes", "gauge", "Request bodies kept so that they can be sent again; bodies.buffered_max_bytes bounds it."),
    Metric(
        "bodies_unkept_total", "counter",
        "Request bodies that went to Nylas without being kept, as bodies.buffered_max_bytes was full: they cannot be sent again. If it rises, raise "
        "that, or lower bodies.replay_max_bytes.",
    ),
    Metric(
        "connections", "gauge",
        "Open connections, of clients and to each API; busy ones carry a request now.",
        ("side", "state"),
    ),
    Metric(
        "windows_open", "gauge",
        "Throttle windows that are closed now, by the class of answer that opened them: each a mailbox, its sends, or the application, left alone.",
        ("cause", "level"),
    ),
    Metric(
        "retry_budget_ratio", "gauge",
        "How full the retry budget is, 0 to 1. At 0 errors are passed on unrepeated: upstream has been failing for long.",
    ),
    Metric(
        "ledger_state", "gauge",
        "1 for who counts now: local, shared, local-safe (Redis is away: this proxy keeps to its part of each limit), rejoining.",
        ("state",),
    ),
    Metric(
        "certificate_expiry_timestamp_seconds", "gauge",
        "When a certificate ends, in seconds since 1970: the listener's own (listen), and what each API showed last (v3, v2).",
        ("certificate",),
    ),
    Metric("log_lines_dropped_total", "counter", "Log lines that nobody took in time: whoever reads standard output is too slow."),
)  # fmt: skip
"""What is looked at when somebody scrapes."""

METRICS: Final = (*EVENTS, *READINGS)
