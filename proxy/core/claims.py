"""What a request asks of the ledger: the limits that it counts against, its cost there, and the throttle windows that hold it.

Whose limits a request meets:

- v3: those of its grant, or those of the application, by its path. A path of a grant carries no limit of Nylas for the application, with one
  exception: the grant itself (`/v3/grants/{id}`, family `grants`) is looked up at Nylas, so it counts against the application, and a throttled
  mailbox does not hold it.
- v2: those of the application always, and those of the account where some limit of accounts names the family of the endpoint.
- those of the provider where it is known and the request belongs to a grant or an account; the provider's limit for the application as well.

A path that nobody described counts in every family that lists `other`, at the level that its path shows (v2: at both), with the cost that
the table gives to `other`: too much rather than too little. It is never taken for a send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.catalogue import OTHER
from proxy.core.model import Api
from proxy.core.quota import Ask, Body, Cap, Claim, Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.core.costs import Costs, Lists
    from proxy.core.model import RequestContext, Route
    from proxy.core.quota import Limit, Unit

SEND: Final = "send"
_V3: Final = Api.V3
_MULTIPART: Final = b"multipart/"
_MULTIPART_BYTES: Final = len(_MULTIPART)

_PlanKey = tuple[str, str, bool, bool, str | None]


class _Claiming(NamedTuple):
    """A claim that lacks nothing but the name of whose it is, and for lists the number of items."""

    prefix: str
    name: str
    level: Level
    count: int  # type: ignore[assignment]  # a tuple has a method of that name
    window_us: int
    cost: int
    unit: Unit
    of_application: bool
    per_item: bool


class _Plan(NamedTuple):
    """What all requests of one operation, with one kind of body, at one provider, have in common."""

    claims: tuple[_Claiming, ...]
    caps: tuple[_Claiming, ...]
    of_application: bool
    of_grant: bool
    sends: bool
    counts_items: bool


class Claims:
    """Knows the claims of every operation. Plans are made at first use and kept: there are as many as operations, providers and kinds of body.

    Args:
        limits: As read by `read_limits`.
        costs: Under the same profile.
        lists: How the number of items is read.
        providers: The names of providers, each with the other names under which it is known.

    Raises:
        ValueError: A limit names an unknown provider, or two providers share a name.
    """

    def __init__(self, limits: Iterable[Limit], costs: Costs, lists: Lists, providers: Mapping[str, Iterable[str]]) -> None:
        self._limits = tuple(limit for limit in limits if limit.enforced)
        self._costs = costs
        self._lists = lists
        self._providers = _by_every_name(providers)
        for limit in self._limits:
            if limit.provider is not None and limit.provider not in providers:
                raise ValueError(f"limit {limit.name!r}: no provider {limit.provider!r}")
        self._own = _families_by_level(self._limits)
        self._split_by_body = frozenset(family for limit in self._limits if limit.body is not Body.ANY for family in limit.families)
        self._v3: dict[_PlanKey, _Plan] = {}
        self._v2: dict[_PlanKey, _Plan] = {}

    def ask_for(self, context: RequestContext, *, content_type: bytes, application: str, subject: str, provider: str | None, lease_id: str) -> Ask:
        """Return what a request asks.

        Args:
            context: The request.
            content_type: The value of its Content-Type, empty where it has none.
            application: Whose application it is, as hashed by `Identity`.
            subject: Whose grant, account or client it is, as hashed by `Identity`.
            provider: Of the grant or account, under any of its names; None, or a name that nobody knows, where it is not known.
            lease_id: For its places in flight.
        """
        route = context.route
        multipart = route.family in self._split_by_body and content_type[:_MULTIPART_BYTES].lower() == _MULTIPART
        key = (route.name, context.method, context.grant is None, multipart, self._providers.get(provider) if provider else None)
        plans = self._v3 if route.api is _V3 else self._v2
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = self._plan(route, key)
        claiming, capping, of_application, of_grant, sends, counts_items = plan
        items = self._lists.items_of(context.target) if counts_items else 1
        # Built as bare tuples: one request may make six of them, and the constructor of a NamedTuple costs as much as all else here.
        claims = [
            tuple.__new__(
                Claim, (prefix + (application if shared else subject), name, level, count, window_us, cost * items if per_item else cost, unit)
            )
            for prefix, name, level, count, window_us, cost, unit, shared, per_item in claiming
        ]
        caps = [Cap(cap.prefix + (application if cap.of_application else subject), cap.name, cap.level, cap.count) for cap in capping]
        scopes: tuple[str, ...] = ("application:" + application,) if of_application else ()
        if of_grant:
            scopes += ("grant:" + subject, "sends:" + subject) if sends else ("grant:" + subject,)
        return Ask(application, tuple(claims), tuple(caps), scopes, lease_id, subject)

    def _plan(self, route: Route, key: _PlanKey) -> _Plan:
        _, method, outside_grants, multipart, provider = key
        of_grant, of_application = self._levels(route, outside_grants=outside_grants)
        met = [limit for limit in self._limits if _counts(limit, route, provider, multipart=multipart)]
        own = [limit for limit in met if limit.provider is None and (of_grant if limit.level is Level.GRANT else of_application)]
        of_provider = [limit for limit in met if limit.provider is not None and of_grant]
        lines = [self._claiming(limit, route, method, provider) for limit in (*own, *of_provider)]
        claims = tuple(line for limit, line in zip((*own, *of_provider), lines, strict=True) if line.cost and not limit.in_flight)
        caps = tuple(line for limit, line in zip((*own, *of_provider), lines, strict=True) if line.cost and limit.in_flight)
        return _Plan(claims, caps, of_application, of_grant, route.family == SEND, any(claim.per_item for claim in claims))

    def _levels(self, route: Route, *, outside_grants: bool) -> tuple[bool, bool]:
        """Return whether a request meets the limits of a grant or account, and whether those of the application."""
        if route.api is _V3:
            of_grant = not outside_grants and (route.family == OTHER or route.family not in self._own[_V3, Level.APPLICATION])
            return of_grant, not of_grant
        return route.family in self._own[route.api, Level.GRANT], True

    def _claiming(self, limit: Limit, route: Route, method: str, provider: str | None) -> _Claiming:
        cost = self._costs.of(limit.unit, route, method, provider)
        return _Claiming(
            prefix=f"{limit.name}:{route.family if limit.each_family else '-'}:",
            name=limit.name,
            level=limit.level,
            count=limit.allowed,
            window_us=limit.window_us,
            cost=cost.units,
            unit=limit.unit,
            of_application=limit.level is Level.APPLICATION,
            per_item=cost.per_item,
        )


def _counts(limit: Limit, route: Route, provider: str | None, *, multipart: bool) -> bool:
    return (
        limit.api in {None, route.api}
        and limit.provider in {None, provider}
        and (not limit.families or route.family in limit.families)
        and (limit.body is Body.ANY or (limit.body is Body.MULTIPART) == multipart)
    )


def _families_by_level(limits: Iterable[Limit]) -> dict[tuple[Api, Level], frozenset[str]]:
    """Return the families that limits of Nylas name, by API and level."""
    return {
        (api, level): frozenset(
            family for limit in limits if (limit.api, limit.level, limit.provider) == (api, level, None) for family in limit.families
        )
        for api in Api
        for level in Level
    }


def _by_every_name(providers: Mapping[str, Iterable[str]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for provider, others in providers.items():
        for name in (provider, *others):
            if name in names:
                raise ValueError(f"providers: {name!r} is the name of two")
            names[name] = provider
    return names
