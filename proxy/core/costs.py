"""What an operation costs against a limit: rows of data, of which the one that says most about a request wins."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.catalogue import OTHER
from proxy.core.model import Api
from proxy.core.quota import Unit
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from proxy.core.model import Route

_ANY: Final = ""


class Cost(NamedTuple):
    """So many units, for each item of a list where `per_item` says so."""

    units: int
    per_item: bool


ONE: Final = Cost(1, per_item=False)
NOTHING: Final = Cost(0, per_item=False)

Key = tuple[Unit, Api, str, str, str]


class Costs:
    """The costs of all operations under one profile of Gmail.

    Args:
        rows: As `cost` in `facts/limits.toml`.
        routes: The catalogue's.
        providers: The names that rows may use.
        sources: The keys that rows may name.
        profile: Rows of another one are left out.

    Raises:
        ValueError: A row is incomplete, misspelt, or says again what another said; the text names it.
    """

    def __init__(
        self, rows: Iterable[Mapping[str, object]], routes: Iterable[Route], providers: Container[str], sources: Container[str], profile: str
    ) -> None:
        self._methods = {(route.api, route.name): route.methods for route in routes}
        self._providers = providers
        self._sources = sources
        self._costs: dict[Key, Cost] = {}
        for number, values in enumerate(rows, 1):
            self._add(values, f"cost row {number}", profile)

    def of(self, unit: Unit, route: Route, method: str, provider: str | None) -> Cost:
        """Return the cost of an operation at `provider`: the row that names the route wins, then the one that names the provider, then the method."""
        for name, of_provider, of_method in product((route.name, _ANY), (provider or _ANY, _ANY), (method, _ANY)):
            found = self._costs.get((unit, route.api, name, of_provider, of_method))
            if found is not None:
                return found
        return NOTHING if unit is Unit.GMAIL_UNIT else ONE

    def _add(self, values: Mapping[str, object], label: str, profile: str) -> None:
        row = Row(values, label)
        unit = Unit(row.take("unit", str))
        api = Api(row.take("api", str, Api.V3))
        provider = row.take("provider", str, _ANY)
        routes = row.take_texts("routes") or (_ANY,)
        methods = row.take_texts("methods") or (_ANY,)
        cost = Cost(row.take("cost", int), per_item=row.take("per_item", bool, default=False))
        of_profile = row.take("profile", str, profile)
        source = row.take("source", str)
        row.finish()
        if cost.units < 0 or source not in self._sources or (provider and provider not in self._providers):
            raise ValueError(f"{label}: needs a cost of at least 0, a known source and a known provider, if any")
        for name, method in product(routes, _with_head(methods)):
            self._refuse_unknown(api, name, method, label)
            if of_profile == profile:
                self._set((unit, api, name, provider, method), cost, label)

    def _refuse_unknown(self, api: Api, name: str, method: str, label: str) -> None:
        if name in {_ANY, OTHER}:
            return
        methods = self._methods.get((api, name))
        if methods is None or (method and method not in methods):
            raise ValueError(f"{label}: no {method or 'route'} {name!r} of {api}")

    def _set(self, key: Key, cost: Cost, label: str) -> None:
        if key in self._costs:
            raise ValueError(f"{label}: the cost of {' '.join(filter(None, key))} is given twice")
        self._costs[key] = cost


def _with_head(methods: tuple[str, ...]) -> tuple[str, ...]:
    return (*methods, "HEAD") if "GET" in methods else methods


class Lists:
    """How many items a list may return, read from the query.

    Args:
        values: As `lists` in `facts/limits.toml`: the name of the parameter, its default and its greatest value.

    Raises:
        ValueError: One is missing or of the wrong type, or another is given.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        row = Row(values, "lists")
        parameter = re.escape(row.take("parameter", str).encode("ascii"))
        self._default = row.take("default", int)
        self._max = row.take("max", int)
        row.finish()
        # The parameter first and what stands before it second: the search for fixed bytes is seven times as fast.
        self._given = re.compile(parameter + rb"=(?<=[?&]" + parameter + rb"=)([0-9]{1,9})(?=[&#]|$)")

    def items_of(self, target: bytes) -> int:
        """Return the greatest number that `target` asks for, between 1 and the greatest possible; the default where none can be read."""
        given = self._given.findall(target)
        return min(max(1, *map(int, given)), self._max) if given else self._default
