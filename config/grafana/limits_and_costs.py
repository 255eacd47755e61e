"""The dashboard's later rows: what is limited, what waits, what it costs, and which routes there are to it."""

from __future__ import annotations

from typing import Final

from grafana.expressions import HERE, REQUESTS, per_s, quantile, quantiles, total
from grafana.panels import Panel, Query, Row

LIMITED: Final = Row(
    "What is limited, and for whom?",
    (
        Panel(
            "Throttling answers", "reqps",
            (Query(per_s("nylas_proxy_throttles_total", "cause, level, source"), "{{cause}} ({{level}}, time from {{source}})"),),
            "Refusals by Nylas and providers. Of rate_limit_nylas next to none while limits are kept: else somebody uses them past the proxy.",
            alerts=("NylasProxyLimitsHit",),
        ),
        Panel(
            "Open windows", "short", (Query(f"max by (cause, level) (nylas_proxy_windows_open{{{HERE}}})", "{{cause}} ({{level}})"),),
            "How many mailboxes (grant), sendings (sends) or applications are left alone. Whose: the status page, by hash.",
            alerts=("NylasProxyWindowsPilingUp",),
        ),
        Panel(
            "How long windows close", "s", quantiles("window_seconds", "cause"),
            "For how long throttling answers close a mailbox. 1200 s of exchange_throttle: that mailbox is asked too often, perhaps by others, too.",
        ),
        Panel(
            "Held, by what", "reqps", (Query(per_s("nylas_proxy_holds_total", "by, name, level"), "{{by}} {{name}} ({{level}})"),),
            "Requests that had to wait: for a limit, a cap (in_flight) or a window, of the application, a grant, its sends; or behind others (turn).",
        ),
        Panel(
            "Refused here, for what", "reqps", (Query(per_s("nylas_proxy_refusals_total", "cause, by, name"), "{{cause}}: {{by}} {{name}}"),),
            "Requests that the proxy did not send, with an honest Retry-After. Which grants: recent refusals on the status page.",
            alerts=("NylasProxyRefusing",),
        ),
        Panel(
            "Would have been held", "reqps", (Query(per_s("nylas_proxy_would_holds_total", "by, name, level"), "{{by}} {{name}} ({{level}})"),),
            "Under limits.mode = observe alone; empty otherwise. Next to nothing over days of usual load: enforce is safe.",
        ),
        Panel(
            "Would have been held for", "s", quantiles("would_hold_seconds", "by"),
            "Under limits.mode = observe alone. Beyond patience.default_s these requests would have been refused.",
        ),
        Panel(
            "Gmail units", "short", (Query(per_s("nylas_proxy_gmail_units_total"), "units per second"),),
            "What Gmail mailboxes are charged, all together. Shorter lists (a small limit) cost less.", width=16,
        ),
    ),
)  # fmt: skip

WAITS: Final = Row(
    "What waits?",
    (
        Panel(
            "Requests at hand", "short",
            (Query(total("nylas_proxy_in_flight"), "at hand"), Query(total("nylas_proxy_queue_depth"), "of these, waiting")),
            "Waiting ones near all of them: limits hold nearly everything. All rising and few waiting: upstream is slow.",
        ),
        Panel(
            "How long they waited", "s", quantiles("hold_seconds", "by", shares=(0.5, 0.95)),
            "Of requests that were admitted in the end, by what held them. Near patience.default_s (10 s), refusals follow.", limits=(5, 10),
        ),
        Panel(
            "What waits, in seconds of traffic", "s",
            (Query(f"{total('nylas_proxy_queue_depth', 'instance')} / sum by (instance) ({REQUESTS})", "{{instance}}"),),
            "Waiting requests by requests per second: how long a newcomer waits on average. Growing steadily: more is asked for than limits allow.",
            limits=(2.5, 5), alerts=("NylasProxyQueueFilling",),
        ),
        Panel(
            "Bodies in memory", "bytes",
            (Query(total("nylas_proxy_queue_bytes"), "of waiting requests"), Query(total("nylas_proxy_buffered_bytes"), "kept for repetition")),
            "Bounded by patience.waiting_max_bytes and bodies.buffered_max_bytes, for each proxy. At the first, requests are refused (room).",
        ),
        Panel(
            "Bodies not kept", "reqps", (Query(per_s("nylas_proxy_bodies_unkept_total"), "per second"),),
            "They found bodies.buffered_max_bytes full and cannot be sent again. Anything but 0: raise it, or lower bodies.replay_max_bytes.",
        ),
        Panel(
            "Connections", "short", (Query(total("nylas_proxy_connections", "side, state"), "{{side}} {{state}}"),),
            "client: of applications. v3 and v2: to Nylas. busy ones carry a request. Many busy ones to Nylas and slow answers: it is Nylas.",
        ),
    ),
)  # fmt: skip

COSTS: Final = Row(
    "What does it cost?",
    (
        Panel(
            "Own time", "s", quantiles("overhead_seconds", shares=(0.5, 0.9, 0.99)),
            "The proxy's own part of a request, neither waiting nor upstream.", limits=(0.001, 0.005), alerts=("NylasProxyOverheadHigh",),
        ),
        Panel(
            "Event loop late", "s", (Query(quantile(0.99, "loop_lag_seconds", "instance"), "{{instance}} p99"),),
            "How late the event loop is, looked at four times a second. Over 10 ms: the machine is out of CPU, or something blocks.",
            limits=(0.01, 0.025), alerts=("NylasProxyEventLoopLate",),
        ),
        Panel(
            "CPU", "percentunit", (Query(per_s("process_cpu_seconds_total", "instance"), "{{instance}}"),),
            "Of one core; a process cannot use more than one. From 80 % on run one more.", limits=(0.8, 0.95),
        ),
        Panel(
            "CPU for each request", "s", (Query(f"{per_s('process_cpu_seconds_total')} / {per_s('nylas_proxy_requests_total')}", "CPU time"),),
            "Everything included, also what a quiet process does for itself: meaningful from some tens of requests a second.", width=6,
        ),
        Panel(
            "Memory", "bytes", (Query(total("process_resident_memory_bytes", "instance"), "{{instance}}"),),
            "Resident. It levels off; what grows for days without traffic growing is a bug worth a report.", width=6,
        ),
        Panel(
            "Open files", "percentunit", (Query(f"process_open_fds{{{HERE}}} / process_max_fds{{{HERE}}}", "{{instance}}"),),
            "Of what the system allows. At 1 no connection is accepted or made any more.", limits=(0.7, 0.9), width=6,
        ),
        Panel(
            "Round trip to Redis", "s", quantiles("ledger_seconds"),
            "Of admissions; nothing without Redis. Over a few ms: Redis is busy, or far. From redis.command_timeout_ms on, each counts alone.",
            limits=(0.005, 0.025), alerts=("NylasProxyLedgerDegraded",), width=6,
        ),
        Panel(
            "Certificates end in", "dtdurations",
            (Query(f"min by (certificate) (nylas_proxy_certificate_expiry_timestamp_seconds{{{HERE}}} - time())", "{{certificate}}"),),
            "listen is the proxy's own; v3 and v2 are what the hosts of Nylas showed last.", kind="stat", says="value_and_name", nothing="no TLS",
            limits=(14 * 86400, 3 * 86400), alerts=("NylasProxyCertificateExpiring", "NylasProxyCertificateExpiresSoon"), width=8,
        ),
        Panel(
            "Lost log lines", "short", (Query(f"sum(increase(nylas_proxy_log_lines_dropped_total{{{HERE}}}[$__rate_interval]))", "lines"),),
            "Whoever reads standard output is too slow.", kind="stat", limits=(1, 100), alerts=("NylasProxyLogLinesDropped",), width=4,
        ),
        Panel(
            "Settings read again", "short", (Query(total("nylas_proxy_settings_reloads_total", "result"), "{{result}}"),),
            "Since each start. refused: the file holds a mistake, which the log names.", kind="stat", says="value_and_name", nothing="never",
            alerts=("NylasProxySettingsRefused",), width=4,
        ),
        Panel(
            "Version", "none", (Query(f"nylas_proxy_build_info{{{HERE}}}", "{{instance}}: {{version}}, Python {{python}}, {{loop}}"),),
            "What runs where. Different versions behind one Redis are fine for as long as a deployment takes.",
            kind="stat", says="name", width=8,
        ),
    ),
)  # fmt: skip

ROUTES: Final = Row(
    "Which routes?",
    (
        Panel(
            "Busiest routes", "reqps", (Query(f"topk(10, {per_s('nylas_proxy_requests_total', 'api, route')})", "{{api}} {{route}}"),),
            "The ten most asked for, as docs/routes.md names them. other: a path that the catalogue does not know.", stacked=True, width=12,
        ),
        Panel(
            "Slowest routes, p95", "s", (Query(f"topk(10, {quantile(0.95, 'upstream_seconds', 'api, route')})", "{{api}} {{route}}"),),
            "Until the head of Nylas' answer.", width=12,
        ),
    ),
)  # fmt: skip
