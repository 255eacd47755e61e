"""Which operation of the Nylas API a path is: a trie of path segments, built once from rows of data.

A row says name, api, methods and template, where `{}` stands for exactly one non-empty segment of any bytes: an encoded slash inside
an id is part of the id. HEAD goes with GET. Neither the query nor a trailing slash takes part. What no row
describes is the row `other` of its API, whose POST, PUT, PATCH and DELETE count as unsafe, so that an unknown operation is
treated with the greatest care. Of each POST and PATCH a row must say whether it may be repeated; GET, PUT and DELETE may where nothing is said
(RFC 9110 9.2.2).

A literal segment wins over `{}`, from left to right: `/messages/send` is not a message named "send". That is no ambiguity as long as
one template is at least as literal as the other everywhere. Two rows of which each is more literal than the other
somewhere (`/a/{}/c` and `/a/b/{}`), or that are equal, and that share a method, are refused.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from proxy.core.model import Api, Route
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from collections.abc import Set as AbstractSet

WILD: Final = "{}"
OTHER: Final = "other"
_V3: Final = Api.V3
_UNKNOWN_IS_UNSAFE: Final = MappingProxyType(dict.fromkeys(("POST", "PUT", "PATCH", "DELETE"), "nothing is known of it"))
_MUST_BE_JUDGED: Final = frozenset({"POST", "PATCH"})


class _Node:
    """A place in the trie: what may follow, and the routes that end here, by method."""

    __slots__ = ("literal", "routes", "wild")

    def __init__(self) -> None:
        self.literal: dict[bytes, _Node] = {}
        self.wild: _Node | None = None
        self.routes: dict[str, Route] = {}


class Catalogue:
    """All known routes.

    Args:
        rows: As in `facts/routes.toml`.
        families: The endpoint families of each API, under their names.

    Raises:
        ValueError: A row is incomplete, misspelt, or contradicts another; the text names it.

    Attributes:
        routes: All of them.
        families: As given.
    """

    def __init__(self, rows: Iterable[Mapping[str, object]], families: Mapping[str, Container[str]]) -> None:
        self.families = families
        self.routes = tuple(_route(row, families) for row in rows)
        # Two attributes and no table by Api: hashing an enum member costs more than the whole descent.
        self._v3, self._v2 = _Node(), _Node()
        self._other_v3, self._other_v2 = (Route(OTHER, api, frozenset(), "", OTHER, _UNKNOWN_IS_UNSAFE) for api in (Api.V3, Api.V2))
        _refuse_contradictions(self.routes)
        for route in self.routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._v3 if route.api is Api.V3 else self._v2
        for segment in _segments(route.template):
            if segment == WILD:
                node.wild = node.wild or _Node()
                node = node.wild
            else:
                node = node.literal.setdefault(segment.encode("ascii"), _Node())
        for method in route.methods:
            node.routes[method] = route

    def match(self, api: Api, method: str, path: bytes) -> Route:
        """Return the row for `path`, given without its query; the row `other` of `api` where no row describes path and method."""
        segments = path.rstrip(b"/").split(b"/")[1:]
        root, other = (self._v3, self._other_v3) if api is _V3 else (self._v2, self._other_v2)
        # The straight way down, without a call per segment, ends well for all but a few requests.
        node = root
        for segment in segments:
            following = node.literal.get(segment) or (node.wild if segment else None)
            if following is None:
                break
            node = following
        else:
            straight = node.routes.get(method)
            if straight is not None:
                return straight
        return _search(root, segments, 0, method) or other


def _search(node: _Node, segments: list[bytes], index: int, method: str) -> Route | None:
    """Walk every way that fits, the literal ones first: `POST /messages/send/x` is no send, but may be message "send"."""
    if index == len(segments):
        return node.routes.get(method)
    segment = segments[index]
    following = node.literal.get(segment)
    found = _search(following, segments, index + 1, method) if following else None
    if found is None and segment and node.wild is not None:
        return _search(node.wild, segments, index + 1, method)
    return found


def _route(values: Mapping[str, object], families: Mapping[str, Container[str]]) -> Route:
    label = f"route {values.get('name')!r} of {values.get('api')}"
    row = Row(values, label)
    methods = frozenset(row.take_texts("methods"))
    repeatable = frozenset(row.take_texts("repeatable"))
    route = Route(
        name=row.take("name", str),
        api=Api(row.take("api", str)),
        methods=methods | {"HEAD"} if "GET" in methods else methods,
        template=row.take("template", str),
        family=row.take("family", str),
        unsafe=_with_head(row.take_text_table("unsafe")),
        idempotency_key=row.take("idempotency_key", bool, default=False),
        long_lived=row.take("long_lived", bool, default=False),
        oauth=row.take("oauth", bool, default=False),
        hosted_auth=row.take("hosted_auth", bool, default=False),
        secret_query=row.take_texts("secret_query"),
    )
    row.finish()
    if not methods or not route.template.startswith("/") or "" in _segments(route.template):
        raise ValueError(f"{label}: needs methods and a template of the form /a/{{}}/b")
    if route.family not in families.get(route.api, ()):
        raise ValueError(f"{label}: no family {route.family!r} of {route.api}")
    _refuse_unjudged(label, route.methods, route.unsafe.keys(), repeatable)
    return route


def _with_head(unsafe: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({**unsafe, "HEAD": unsafe["GET"]}) if "GET" in unsafe else unsafe


def _refuse_unjudged(label: str, methods: frozenset[str], unsafe: AbstractSet[str], repeatable: frozenset[str]) -> None:
    """Refuse a row that leaves open, or says twice, whether one of its methods may be repeated."""
    if not unsafe | repeatable <= methods:
        raise ValueError(f"{label}: unsafe or repeatable names a method that the row does not have")
    if unsafe & repeatable:
        raise ValueError(f"{label}: {min(unsafe & repeatable)} is both unsafe and repeatable")
    if unjudged := methods & _MUST_BE_JUDGED - unsafe - repeatable:
        raise ValueError(f"{label}: whether {min(unjudged)} may be repeated must be said: in unsafe with the reason, or in repeatable")


def _segments(template: str) -> list[str]:
    return template.split("/")[1:]


def _refuse_contradictions(routes: tuple[Route, ...]) -> None:
    names = Counter((route.api, route.name) for route in routes)
    for (api, name), times in names.items():
        if times > 1 or name == OTHER:
            raise ValueError(f"routes: the name {name!r} of {api} is given twice, or taken")
    # Only templates of one length can meet; comparing all 200 rows with each other would take a tenth of the start-up time.
    by_length: dict[tuple[Api, int], list[Route]] = {}
    for route in routes:
        by_length.setdefault((route.api, route.template.count("/")), []).append(route)
    for one, two in chain.from_iterable(combinations(rows, 2) for rows in by_length.values()):
        shared = one.methods & two.methods
        if shared and _overlap_without_precedence(_segments(one.template), _segments(two.template)):
            raise ValueError(f"routes {one.name!r} and {two.name!r} of {one.api} could both be {min(shared)} of one path")


def _overlap_without_precedence(one: list[str], two: list[str]) -> bool:
    pairs = list(zip(one, two, strict=True))
    if not all(a == b or WILD in {a, b} for a, b in pairs):
        return False
    one_is_more_literal = any(b == WILD != a for a, b in pairs)
    two_is_more_literal = any(a == WILD != b for a, b in pairs)
    return one_is_more_literal == two_is_more_literal
