"""What an error of upstream means: rules in order, the first that fits wins.

Status first, then type and text. The types are an open set and the texts change, so every status ends in a rule that needs neither, and what no
rule describes is `unknown`. The rules themselves are data (`facts/rules.toml`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.error_body import ErrorBody, read_error_body, words_of
from proxy.core.identify import speaks_oauth
from proxy.core.model import Api, Cause, Origin, RequestContext, Verdict
from proxy.core.retry_after import retry_after_s
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.core.model import Reply

FROM_THE_PROVIDER: Final = frozenset(
    {
        Cause.SEND_REJECTED,
        Cause.RATE_LIMIT_PROVIDER,
        Cause.RATE_LIMIT_PROVIDER_GOOGLE,
        Cause.RATE_LIMIT_PROVIDER_MICROSOFT,
        Cause.RATE_LIMIT_PROVIDER_QUOTA,
        Cause.EXCHANGE_THROTTLE,
        Cause.PROVIDER_AUTH,
        Cause.PROVIDER_ERROR,
        Cause.PROVIDER_TIMEOUT,
    }
)
"""Causes that lie with Google, Microsoft or another mail provider; all others of upstream lie with Nylas."""

TRAITS: Final = frozenset({"json", "object", "described", "oauth", "provider_error", "server_error", "failures", "item_errors"})
"""What a rule may ask for: the body is JSON, is an object, names a type or a message; it or its route speaks OAuth; it holds a provider's
error, an SMTP or provider answer (v2), refused recipients (v2), or data of which items are errors (free-busy)."""

_STATUSES: Final = range(200, 600)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of `facts/rules.toml`. Every condition that is given must hold; a list holds when one of its entries does.

    Attributes:
        cause: The class of what fits.
        statuses: The statuses that fit.
        api: The API, or None for both.
        routes: Names of catalogue rows.
        methods: Request methods.
        types: Types in lower case; a `*` at the end stands for anything.
        phrases: Texts in lower case, somewhere in the body.
        provider_phrases: The same, but within what the provider said (`provider_error`, `server_error`).
        fields: Names of header fields in lower case, of which one must be there.
        traits: Of `TRAITS`, all of which the body must have.
    """

    cause: Cause
    statuses: frozenset[int]
    api: Api | None = None
    routes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    provider_phrases: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    traits: frozenset[str] = frozenset()

    def fits(self, case: _Case) -> bool:
        """Tell whether `case`, whose status fits, meets every condition."""
        return (
            (self.api is None or self.api is case.api)
            and (not self.routes or case.route in self.routes)
            and (not self.methods or case.method in self.methods)
            and self.traits <= case.traits
            and (not self.types or any(_type_fits(pattern, case.type) for pattern in self.types))
            and (not self.fields or any(name in case.fields for name in self.fields))
            and (not self.phrases or any(phrase in case.words for phrase in self.phrases))
            and (not self.provider_phrases or any(phrase in case.provider_words for phrase in self.provider_phrases))
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """A reply, prepared for the rules: everything in lower case."""

    api: Api
    route: str
    method: str
    type: str
    words: str
    provider_words: str
    fields: frozenset[str]
    traits: frozenset[str]


class Classifier:
    """Knows the rules.

    Args:
        rows: As in `facts/rules.toml`: `cause` and the conditions of `Rule`; `status` is a list of numbers and of families like "5xx".

    Raises:
        ValueError: A row is misspelt; the text names it.
    """

    def __init__(self, rows: Iterable[Mapping[str, object]]) -> None:
        self.rules = tuple(_rule(values, number) for number, values in enumerate(rows, start=1))
        self._by_status = {status: [rule for rule in self.rules if status in rule.statuses] for status in _STATUSES}

    def classify(self, reply: Reply, context: RequestContext, *, now: float) -> Verdict:
        """Return what `reply` means. `now` is in seconds since 1970 and serves dates in Retry-After and in messages alone."""
        body = read_error_body(reply) or ErrorBody(is_json=False, value=None, text="", is_markup=False)
        case = _case(reply, context, body)
        cause = next((rule.cause for rule in self._by_status[reply.status] if rule.fits(case)), Cause.UNKNOWN)
        origin = Origin.PROVIDER if cause in FROM_THE_PROVIDER else Origin.NYLAS
        return Verdict(cause, origin, retry_after_s(reply, body.text, now=now))


def _case(reply: Reply, context: RequestContext, body: ErrorBody) -> _Case:
    return _Case(
        api=context.route.api,
        route=context.route.name,
        method=context.method,
        type=body.type.lower(),
        words=body.words,
        provider_words=words_of([body.error.get("provider_error"), body.object.get("server_error")]),
        fields=frozenset(name.decode("ascii", "replace").lower() for name, _ in reply.fields),
        traits=frozenset(_traits(body, context)),
    )


def _traits(body: ErrorBody, context: RequestContext) -> Iterable[str]:
    holds = body.object
    items = holds.get("data")
    conditions = {
        "json": body.is_json,
        "object": isinstance(body.value, dict),
        "described": bool(holds and (body.type or body.message)),
        "oauth": body.is_oauth or speaks_oauth(context),
        "provider_error": body.error.get("provider_error") is not None,
        "server_error": holds.get("server_error") is not None,
        "failures": holds.get("failures") is not None,
        "item_errors": isinstance(items, list) and any(isinstance(item, dict) and item.get("object") == "error" for item in items),
    }
    return (name for name, holds_true in conditions.items() if holds_true)


def _type_fits(pattern: str, kind: str) -> bool:
    return kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern


def _rule(values: Mapping[str, object], number: int) -> Rule:
    row = Row(values, f"error rule {number} ({values.get('cause')})")
    rule = Rule(
        cause=Cause(row.take("cause", str)),
        statuses=_statuses(row.take("status", list)),
        api=Api(row.take("api", str)) if row.has("api") else None,
        routes=row.take_texts("routes"),
        methods=row.take_texts("methods"),
        types=row.take_texts("types"),
        phrases=row.take_texts("phrases"),
        provider_phrases=row.take_texts("provider_phrases"),
        fields=row.take_texts("fields"),
        traits=frozenset(row.take_texts("traits")),
    )
    row.finish()
    searched = (*rule.types, *rule.phrases, *rule.provider_phrases, *rule.fields)
    if not rule.traits <= TRAITS or any(text != text.lower() for text in searched):
        raise ValueError(f"error rule {number} ({rule.cause}): unknown trait, or a text that is not in lower case")
    return rule


def _statuses(entries: list[object]) -> frozenset[int]:
    """Expand numbers and families: `[429, "5xx"]`."""
    found: set[int] = set()
    for entry in entries:
        if isinstance(entry, int) and entry in _STATUSES:
            found.add(entry)
        elif isinstance(entry, str) and entry in {"2xx", "3xx", "4xx", "5xx"}:
            found.update(range(int(entry[0]) * 100, int(entry[0]) * 100 + 100))
        else:
            raise ValueError(f"error rules: {entry!r} is no status between 200 and 599 and no family like 4xx")
    return frozenset(found)
