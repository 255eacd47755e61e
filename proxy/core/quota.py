"""What limits are, and what a request asks of them. Values only; nothing here counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from proxy.core.model import Api


class Level(StrEnum):
    """Whose limit it is."""

    APPLICATION = "application"
    GRANT = "grant"


class Unit(StrEnum):
    """What a limit counts."""

    REQUEST = "request"
    PROVIDER_REQUEST = "provider_request"
    GMAIL_UNIT = "gmail_unit"
    MESSAGE = "message"
    BYTE = "byte"
    RECIPIENT = "recipient"


class Body(StrEnum):
    """Which requests a limit counts by their content type."""

    ANY = "any"
    MULTIPART = "multipart"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, as published or overridden, and as the proxy keeps it.

    Attributes:
        name: How settings, metrics and errors call it.
        api: The API whose requests count; None for both.
        level: Whose limit it is.
        provider: Counts only for grants of this provider; None for limits of Nylas.
        families: The endpoint families that count together; empty means all.
        count: At most so many units; 0 where the number is not known.
        per_s: In any period of so many seconds; 0.0 for caps on requests in flight, and where the number is not known.
        unit: What is counted.
        in_flight: `count` is a cap on requests in flight.
        each_family: Every family has the whole count for itself.
        body: Counts only requests with such a body.
        enforced: The proxy keeps it.
        why: Why it does not, where it does not.
        source: A key of the sources.
        allowed: `count` less the reserve: what the proxy lets through.
        window_us: `per_s` stretched by the headroom.
    """

    name: str
    api: Api | None
    level: Level
    provider: str | None
    families: frozenset[str]
    count: int
    per_s: float
    unit: Unit
    in_flight: bool
    each_family: bool
    body: Body
    enforced: bool
    why: str
    source: str
    allowed: int
    window_us: int


class Claim(NamedTuple):
    """What one request asks of one limit: `cost` units of the `count` in a window."""

    key: str
    name: str
    level: Level
    count: int  # type: ignore[assignment]  # a tuple has a method of that name, which nobody needs here
    window_us: int
    cost: int
    unit: Unit


class Cap(NamedTuple):
    """What one request asks of one cap: one of `count` places for as long as it lasts."""

    key: str
    name: str
    level: Level
    count: int  # type: ignore[assignment]  # as above


class Ask(NamedTuple):
    """All that one request asks of the ledger. Keys and scopes hold keyed hashes, never a name or a token.

    Attributes:
        application: Whose keys stand together.
        claims: On limits, in the order of the table.
        caps: On requests in flight.
        scopes: The keys of the throttle windows that hold this request.
        lease_id: The caller's id for its places in the caps and for its probes; never empty.
        subject: Whose request it is; those of different subjects take turns.
    """

    application: str
    claims: tuple[Claim, ...]
    caps: tuple[Cap, ...]
    scopes: tuple[str, ...]
    lease_id: str
    subject: str = ""
