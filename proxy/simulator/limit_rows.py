"""The limits of Nylas and of the mail providers as the simulator keeps them: a table of its own, so that it judges what it did not write.

Sources: Nylas' pages on rate limits (v3 and v2) and its OpenAPI description; Google's Gmail usage limits; Microsoft Graph's throttling limits; the
default policy of Exchange ActiveSync.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What is counted."""

    REQUEST = "request"
    PROVIDER_REQUEST = "provider_request"
    GMAIL_UNIT = "gmail_unit"
    MESSAGE = "message"


class Answer(StrEnum):
    """What a request over the limit gets."""

    NYLAS = "nylas"
    GMAIL_SECOND = "gmail_second"
    GMAIL_MINUTE = "gmail_minute"
    MICROSOFT_IN_FLIGHT = "microsoft_in_flight"
    MICROSOFT = "microsoft"
    DAILY = "daily"
    EXCHANGE = "exchange"
    """The mailbox is throttled from then on: a window opens."""
    QUEUE = "queue"
    """202: accepted, to be sent later."""
    QUEUE_FULL = "queue_full"
    """Stands for requests alone that a limit answered by QUEUE held up."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit.

    Attributes:
        name: How scenario files and reports call it.
        api: `v3`, `v2`, or empty for both.
        of: Whose limit it is: `application` or `grant` (in v2 the access token).
        count: How much; 0: none is known, only a scenario file can set one.
        per_s: In every window of so many seconds; 0.0: at once.
        families: What is counted together; empty: everything.
        provider: Counts only for grants of this provider; empty: a limit of Nylas itself.
        unit: What is counted.
        answer: What a request over the limit gets.
        each_family: Every family has the whole count for itself.
        body: Counts only `multipart` or only `plain` requests.
        profile: Stands only under this Gmail profile.
    """

    name: str
    api: str
    of: str
    count: int
    per_s: float
    families: frozenset[str] = frozenset()
    provider: str = ""
    unit: Unit = Unit.REQUEST
    answer: Answer = Answer.NYLAS
    each_family: bool = False
    body: str = ""
    profile: str = ""


_MINUTE_S = 60.0
_TEN_MINUTES_S = 600.0
_HOUR_S = 3600.0
_DAY_S = 86_400.0
_SEND = frozenset({"send"})
_MAIL = frozenset({"messages", "send", "smart_compose"})


def _v3(name: str, family: str, count: int = 50, per_s: float = 1.0, *, of: str = "application", body: str = "") -> Limit:
    return Limit(name, "v3", of, count, per_s, frozenset({family}), body=body)


def _v2_at_once(name: str, count: int, *families: str) -> Limit:
    return Limit(name, "v2", "grant", count, 0.0, frozenset(families), each_family=True)


def _gmail(name: str, count: int, per_s: float, profile: str = "", of: str = "grant") -> Limit:
    answer = Answer.GMAIL_SECOND if per_s == 1.0 else Answer.GMAIL_MINUTE
    return Limit(name, "v3", of, count, per_s, _MAIL, "google", Unit.GMAIL_UNIT, answer, profile=profile)


def _calls(name: str, provider: str, count: int, per_s: float, answer: Answer, of: str = "grant") -> Limit:
    return Limit(name, "v3", of, count, per_s, provider=provider, unit=Unit.PROVIDER_REQUEST, answer=answer)


def _mails(name: str, provider: str, count: int, per_s: float, answer: Answer, api: str = "") -> Limit:
    return Limit(name, api, "grant", count, per_s, _SEND, provider, Unit.MESSAGE, answer)


LIMITS = (
    _v3("v3_applications", "applications"),
    _v3("v3_authentication", "authentication"),
    _v3("v3_connectors", "connectors"),
    _v3("v3_grants", "grants"),
    _v3("v3_webhooks", "webhooks"),
    _v3("v3_calendar", "calendar", 200, of="grant"),
    _v3("v3_contacts", "contacts", 200, of="grant"),
    _v3("v3_messages", "messages", 200, of="grant"),
    _v3("v3_send", "send", 200, of="grant", body="plain"),
    _v3("v3_send_multipart", "send", 10, of="grant", body="multipart"),
    _v3("v3_providers_detect", "providers_detect", 20, _MINUTE_S),
    _v3("v3_auto_group", "auto_group", 1, _MINUTE_S),
    Limit("v2_application", "v2", "application", 500, 1.0, each_family=True),
    Limit("v2_account", "v2", "grant", 50, 1.0, each_family=True),
    _v2_at_once("v2_delta_streaming", 10, "delta/streaming"),
    _v2_at_once("v2_delta_longpoll", 10, "delta/longpoll"),
    _v2_at_once("v2_account_in_flight", 5, "messages", "threads", "contacts"),
    Limit("v2_ip_addresses", "v2", "application", 10, _HOUR_S, frozenset({"a/ip_addresses"})),
    _calls("google_user", "google", 600, _MINUTE_S, Answer.GMAIL_MINUTE),
    _calls("google_application", "google", 10_000, _MINUTE_S, Answer.GMAIL_MINUTE, of="application"),
    _gmail("gmail_user_second", 250, 1.0, "classic"),
    _gmail("gmail_user_minute", 15_000, _MINUTE_S, "classic"),
    _gmail("gmail_user_minute_2026", 6_000, _MINUTE_S, "2026"),
    _gmail("gmail_project", 1_200_000, _MINUTE_S, "2026", of="application"),
    _mails("gmail_messages_day", "google", 2_000, _DAY_S, Answer.DAILY),
    _calls("microsoft_in_flight", "microsoft", 4, 0.0, Answer.MICROSOFT_IN_FLIGHT),
    _calls("microsoft_mailbox", "microsoft", 10_000, _TEN_MINUTES_S, Answer.MICROSOFT),
    _mails("microsoft_messages", "microsoft", 30, _MINUTE_S, Answer.MICROSOFT),
    _calls("eas_device", "eas", 400, _TEN_MINUTES_S, Answer.EXCHANGE),
    _calls("ews_mailbox", "ews", 0, _TEN_MINUTES_S, Answer.EXCHANGE),
    _mails("icloud_messages_day", "icloud", 1_000, _DAY_S, Answer.DAILY),
    _mails("agent_messages", "nylas", 10, 1.0, Answer.QUEUE, "v3"),
    _mails("agent_queue", "nylas", 100, 90.0, Answer.QUEUE_FULL, "v3"),
)
"""`agent_queue` follows what it depends on. The counts of the last two depend on the plan at Nylas: these are examples."""
