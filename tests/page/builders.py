"""A `Status` for tests: a busy proxy with sensible values, so that a test names only what matters."""

from __future__ import annotations

from typing import Any

import msgspec

from proxy.telemetry.status import Failing, Grant, Health, Refusal, Setting, Status, Traffic, Usage, Waiting, Window

MADE_AT = 1_763_700_000.0
"""2025-11-21T04:40:00Z"""

EXCHANGE = "The Exchange server has blocked this account for some time to protect itself."
LEAVE_ALONE = "Send nothing for this account until the time is over, typically 20 minutes; ask its administrator for higher limits."


def a_hash(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def a_health(**named: Any) -> Health:
    return msgspec.structs.replace(Health("ready", "shared", 11_520.0, "", "enforce", 0.0012, 0.92, 46_600_000, 58), **named)


def a_failing(cause: str = "exchange_throttle", origin: str = "provider", per_s: float = 0.25, **named: Any) -> Failing:
    return msgspec.structs.replace(Failing(cause, origin, per_s, f"What {cause} means.", cause.startswith(("rate_limit", "exchange"))), **named)


def a_traffic(**named: Any) -> Traffic:
    history = [12 + (second * 7 % 5) - (second % 3) for second in range(60)]
    calm = Traffic(12.3, 0.4, 12.4, 0.1, 0.0, 0.0, 0.00021, 0.00064, 0.182, 1.24, history, [], 37, 120, 41)
    return msgspec.structs.replace(calm, **named)


def a_window(**named: Any) -> Window:
    made = Window("grant", a_hash(1), "exchange_throttle", EXCHANGE, LEAVE_ALONE, "closed", 1100.0, 1200.0, "retry_after", 100.0, 3)
    return msgspec.structs.replace(made, **named)


def a_waiting(**named: Any) -> Waiting:
    return msgspec.structs.replace(Waiting("limit", "v3_messages", "grant", 14, 2, 0.8, 0.3), **named)


def a_refusal(**named: Any) -> Refusal:
    made = Refusal(9.0, 21, 429, "exchange_throttle", "window", "exchange_throttle", "messages", a_hash(1), 1109.0, EXCHANGE, LEAVE_ALONE)
    return msgspec.structs.replace(made, **named)


def a_usage(**named: Any) -> Usage:
    return msgspec.structs.replace(Usage("v3_messages", "messages", "grant", "request", 200, 1.0, 187, a_hash(2), 11), **named)


def a_grant(**named: Any) -> Grant:
    return msgspec.structs.replace(Grant(a_hash(2), "google", 412.0, 0, None, "", closed=False), **named)


def a_status(**named: Any) -> Status:
    """Return a calm proxy: traffic passes, nothing waits, nobody is throttled."""
    settings = [
        Setting("upstream", "region", "eu", "config/proxy.toml:12"),
        Setting("redis", "url", "redis://:***@redis:6379/0", "NYLAS_PROXY__REDIS__URL"),
        Setting("patience", "default_s", "10", "default"),
        Setting("limits", "mode", "enforce", "default"),
    ]
    calm = Status("0.1.0", MADE_AT, 12_000.0, a_health(), a_traffic(), [], 0, [], 0, [a_grant()], [a_usage(used=20)], [], settings)
    return msgspec.structs.replace(calm, **named)


def an_empty_status(**named: Any) -> Status:
    """Return a proxy that has just started."""
    traffic = Traffic(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, None, None, None, [], [], 0, 0, 0)
    calm = Status("0.1.0", MADE_AT, 0.4, a_health(ledger="local", ledger_since_s=0.4), traffic, [], 0, [], 0, [], [], [], [])
    return msgspec.structs.replace(calm, **named)


def a_full_status(**named: Any) -> Status:
    """Return a proxy with something of everything, and more than fits."""
    sends = a_window(scope="sends", grant=a_hash(7), cause="blocked", meaning="Nylas has blocked this resource.", closes_in_s=320.0, source="default")
    over = a_window(grant=a_hash(3), cause="rate_limit_provider_google", state="waiting", closes_in_s=0.0, source="elsewhere", waiting=2)
    paced = a_window(grant=a_hash(4), cause="rate_limit_nylas", state="recovering", closes_in_s=0.0, source="operator", waiting=0)
    failing = [
        a_failing(meaning=EXCHANGE, per_s=0.35),
        a_failing("server_error", "nylas", 0.12, meaning="Nylas failed while working on the request."),
        a_failing("upstream_unreachable", "network", 0.017, meaning="No connection to Nylas could be made: nothing was sent."),
    ]
    waiting = [a_waiting(), a_waiting(by="window", name="exchange_throttle", requests=3, grants=1, longest_s=4.2, next_s=1100.0)]
    waiting += [a_waiting(by="turn", name="", level="application", requests=1, grants=1, next_s=None)]
    grants = [a_grant(grant=a_hash(1), provider="microsoft", throttles=4, throttled_ago_s=100.0, throttled_by="exchange_throttle", closed=True)]
    limits = [a_usage(), a_usage(name="microsoft_in_flight", family="-", unit="in_flight", count=3, per_s=0.0, used=3, grant=a_hash(1), others=0)]
    limits += [a_usage(name="gmail_user_minute", family="-", unit="gmail_unit", count=15_000, per_s=60.0, used=5_140, others=1)]
    own = a_refusal(ago_s=75.0, times=1, cause="rate_limit_nylas", by="limit", name="v3_send", route="message.send", grant=a_hash(2), wait_s=12.0)
    full = a_status(
        traffic=a_traffic(failing=failing, throttled_per_s=0.1, refused_per_s=0.35, errors_per_s=0.49),
        waiting=waiting, waiting_bytes=3_140_000, windows=[a_window(), sends, over, paced], windows_open=12,
        grants=[*grants, a_grant(), a_grant(grant=a_hash(5), provider="", requests_per_min=0.4)], limits=limits, refusals=[a_refusal(), own],
    )  # fmt: skip
    return msgspec.structs.replace(full, **named)


def with_every_text(status: Status, text: str) -> Status:
    """Return it with `text` in place of every text, wherever it stands."""
    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replaced(inside) for name, inside in value.items()}
        if isinstance(value, list):
            return [replaced(inside) for inside in value]
        return text if isinstance(value, str) else value

    return msgspec.convert(replaced(msgspec.to_builtins(status)), Status)
