"""Words for the words that a `Status` is written in. What is not known here is shown as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.page.figures import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.telemetry.status import Usage

STATES: Final[Mapping[str, str]] = {"ready": "ready", "degraded": "degraded", "draining": "shutting down"}
LEDGERS: Final[Mapping[str, str]] = {
    "local": "this process counts alone",
    "shared": "Redis counts for all proxies",
    "local-safe": "Redis is away: this proxy keeps to its share",
    "rejoining": "Redis is back and learns what it missed",
}
MODES: Final[Mapping[str, str]] = {"enforce": "limits are kept", "observe": "limits are only observed, nothing is held"}
ORIGINS: Final[Mapping[str, str]] = {"proxy": "this proxy", "nylas": "Nylas", "provider": "mail provider", "network": "network"}
SCOPES: Final[Mapping[str, str]] = {"application": "application", "grant": "mailbox", "sends": "sends of mailbox"}
LEVELS: Final[Mapping[str, tuple[str, str]]] = {
    "application": ("application", "applications"),
    "grant": ("mailbox", "mailboxes"),
    "sends": ("mailbox that sends", "mailboxes that send"),
}
WINDOW_STATES: Final[Mapping[str, str]] = {
    "closed": "closed",
    "waiting": "its time is over: the next request tries it",
    "probing": "one request is trying it",
    "recovering": "open again, at a rising pace",
}
SOURCES: Final[Mapping[str, str]] = {
    "retry_after": "upstream named the time",
    "default": "upstream named none: this proxy's own table",
    "operator": "an operator, by hand",
    "elsewhere": "another proxy, or this one before its restart",
}
HOLDERS: Final[Mapping[str, str]] = {
    "limit": "limit",
    "in_flight": "cap",
    "window": "throttle window",
    "turn": "behind others of their line",
    "room": "too many wait",
}
UNITS: Final[Mapping[str, str]] = {
    "request": "requests",
    "gmail_unit": "Gmail units",
    "provider_request": "provider requests",
    "message": "messages",
    "recipient": "recipients",
    "byte": "bytes",
    "in_flight": "at a time",
}
_NEARLY_FULL: Final = 0.9


def word(words: Mapping[str, str], key: str) -> str:
    """Return what stands for `key`, or itself."""
    return words.get(key, key)


def filled(usage: Usage) -> float:
    """Return how full a limit is, 0 to 1."""
    return min(1.0, max(0.0, usage.used / usage.count)) if usage.count > 0 else 1.0


def fullness(usage: Usage) -> str:
    """Say in a word that a limit is full, or nearly; empty where it is not."""
    return "" if filled(usage) < _NEARLY_FULL else "nearly full" if filled(usage) < 1 else "full"


def measure(usage: Usage) -> str:
    """Say what a limit counts: `requests in 1 min`, `at a time`."""
    unit = word(UNITS, usage.unit)
    return f"{unit} in {duration(usage.per_s)}" if usage.per_s else unit
