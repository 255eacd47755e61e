"""What the status page, `/status.json` and `nylas-proxy status` show: one value, made by the proxy, read by all three.

Grants are keyed hashes, never names. Durations are seconds, and as long ago or as far ahead as they were when the value was made (`made_at`).
"""

from __future__ import annotations

from msgspec import Struct


class Health(Struct, frozen=True):
    """How the proxy is.

    Attributes:
        state: `ready`, `degraded` (ready, but the shared ledger is away) or `draining`.
        ledger: Who counts: `local`, `shared`, `local-safe`, `rejoining`.
        ledger_since_s: For how long.
        ledger_why: Why the server was lost, or empty.
        mode: `enforce` or `observe`.
        loop_lag_s: The longest that the event loop was late in the last ten seconds.
        retry_budget: How full the retry budget is, 0 to 1.
    """

    state: str
    ledger: str
    ledger_since_s: float
    ledger_why: str
    mode: str
    loop_lag_s: float
    retry_budget: float
    memory_bytes: int
    open_files: int


class Failing(Struct, frozen=True):
    """How often a second one kind of error was told to callers, in the last minute; cause and origin as the fields of answers name them.

    Attributes:
        meaning: What it means, one sentence.
        throttles: It is a limit of Nylas or of a provider that was hit.
    """

    cause: str
    origin: str
    per_s: float
    meaning: str
    throttles: bool


class Traffic(Struct, frozen=True):
    """What passes, over the last minute or since the start where that is shorter.

    Attributes:
        requests_per_s: Requests that ended.
        errors_per_s: Of these, those answered 400 and above.
        attempts_per_s: Attempts upstream.
        retries_per_s: Of these, repetitions.
        throttled_per_s: Throttling answers of upstream.
        refused_per_s: Requests that the proxy itself refused for a limit, a window or a full queue.
        own_p50_s: Own time of a request: neither waiting nor upstream. None where nothing passed.
        own_p99_s: The same.
        upstream_p50_s: An attempt, until the head of its answer.
        upstream_p99_s: The same.
        history: Requests in each of the last 60 seconds, the oldest first.
        failing: The most frequent first.
        clients: Open connections of clients.
        upstream_connections: Open connections to Nylas.
    """

    requests_per_s: float
    errors_per_s: float
    attempts_per_s: float
    retries_per_s: float
    throttled_per_s: float
    refused_per_s: float
    own_p50_s: float | None
    own_p99_s: float | None
    upstream_p50_s: float | None
    upstream_p99_s: float | None
    history: list[int]
    failing: list[Failing]
    in_flight: int
    clients: int
    upstream_connections: int


class Waiting(Struct, frozen=True):
    """Requests that wait for the same thing.

    Attributes:
        by: `limit`, `in_flight` (a cap), `window`, or `turn` (behind others of their line, nothing known yet).
        name: The limit's or the cap's name, or the cause of the window.
        level: `application`, `grant` or `sends`.
        grants: Of how many grants, accounts or applications.
        longest_s: For how long the first of them has waited.
        next_s: In how long the next may go, as far as known; else None.
    """

    by: str
    name: str
    level: str
    requests: int
    grants: int
    longest_s: float
    next_s: float | None


class Window(Struct, frozen=True):
    """A throttle window.

    Attributes:
        scope: What it holds: `application`, `grant`, `sends`.
        grant: Whose it is, as a hash (of the application where it holds that).
        cause: The class of the answer that opened it.
        meaning: What that means.
        solution: What to do about it.
        state: `closed`; `waiting` for a request that probes; `probing`; `recovering` (reopened lately, paced).
        closes_in_s: Until it ends; 0 where it has.
        length_s: How long it was closed by the answer that made it longest.
        source: Who named that: `retry_after` (upstream did), `default`, `operator`, or `elsewhere` (another proxy, or this one before its restart).
        opened_ago_s: Since this process knows of it.
        waiting: Requests that it holds now.
    """

    scope: str
    grant: str
    cause: str
    meaning: str
    solution: str
    state: str
    closes_in_s: float
    length_s: float
    source: str
    opened_ago_s: float
    waiting: int


class Grant(Struct, frozen=True):
    """A grant, account or application.

    Attributes:
        grant: Its hash.
        provider: `google`, `microsoft` and so on, or empty.
        requests_per_min: Lately, the older the less they count; may be a little too high, never too low.
        throttles: Throttling answers since the start, or since it was last forgotten.
        throttled_ago_s: Since the last one; None without any.
        throttled_by: The cause of that, or empty.
        closed: It has an open window.
    """

    grant: str
    provider: str
    requests_per_min: float
    throttles: int
    throttled_ago_s: float | None
    throttled_by: str
    closed: bool


class Usage(Struct, frozen=True):
    """How much of a limit is used, by whoever uses most of it.

    Attributes:
        name: The limit's.
        family: The endpoints that it counts alone, or `-` where it counts several together.
        level: `application` or `grant`.
        unit: What it counts: `request`, `gmail_unit` and so on; `in_flight` for caps.
        count: At most so many.
        per_s: In so many seconds; 0 for caps.
        used: By the one that uses most, now.
        grant: Its hash.
        others: How many more use some of it.
    """

    name: str
    family: str
    level: str
    unit: str
    count: int
    per_s: float
    used: int
    grant: str
    others: int


class Refusal(Struct, frozen=True):
    """Requests that the proxy itself refused, of one kind and one grant in a row.

    Attributes:
        ago_s: Since the last of them.
        times: How many.
        status: As answered.
        by: `limit`, `in_flight`, `window` or `room` (too many wait).
        name: The limit's or the cap's name, or the cause of the window.
        route: Of the last one, as the catalogue calls it.
        wait_s: What the last one was told to wait.
        meaning: What the cause means.
        solution: What to do about it.
    """

    ago_s: float
    times: int
    status: int
    cause: str
    by: str
    name: str
    route: str
    grant: str
    wait_s: float
    meaning: str
    solution: str


class Setting(Struct, frozen=True):
    """A setting in force, as the file would say it (masked where it is secret), and its source: `default`, `FILE:LINE` or a variable's name."""

    section: str
    key: str
    value: str
    source: str


class Status(Struct, frozen=True):
    """All of it.

    Attributes:
        made_at: When this was made, in seconds since 1970.
        waiting: For what requests wait, the most first.
        waiting_bytes: What their bodies take in memory.
        windows: Throttle windows, those that stay closed longest first; at most 50.
        windows_open: How many there are, shown or not.
        grants: The heaviest and the throttled ones, at most 50 of each kind: the throttled first.
        limits: Usage of limits, the fullest first; at most 50.
        refusals: The latest first; at most 50.
    """

    version: str
    made_at: float
    uptime_s: float
    health: Health
    traffic: Traffic
    waiting: list[Waiting]
    waiting_bytes: int
    windows: list[Window]
    windows_open: int
    grants: list[Grant]
    limits: list[Usage]
    refusals: list[Refusal]
    settings: list[Setting]
