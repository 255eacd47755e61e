"""Which operation of the Nylas API a path is: a trie of path segments, built once from rows of data.

A row says name, api, methods and template, where `{}` stands for exactly one non-empty segment of any bytes: an encoded slash inside
an id is part of the id. HEAD goes with GET. Neither the query nor a trailing slash takes part. What no row
describes is the row `other` of its API, whose POST, PUT, PATCH and DELETE count as unsafe, so that an unknown operation is
treated with the greatest care.

A literal segment wins over `{}`, from left to right: `/messages/send` is not a message named "send". That is no ambiguity as long as
one template is at least as literal as the other everywhere. Two rows of which each is more literal than the other
somewhere (`/a/{}/c` and `/a/b/{}`), or that are equal, and that share a method, are refused.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final

from proxy.core.model import Api, Route
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WILD: Final = "{}"
OTHER: Final = "other"
_V3: Final = Api.V3
UNSAFE_BY_DEFAULT: Final = frozenset({"POST", "PATCH"})


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
        rows: As in `facts/routes.toml`: `name`, `api`, `methods`, `template`, and where they differ from the default the flags `unsafe` (the methods
            that must not be repeated; POST and PATCH if not given), `long_lived`, `oauth`, `hosted_auth`.

    Raises:
        ValueError: A row is incomplete, misspelt, or contradicts another; the text names it.
    """

    def __init__(self, rows: Iterable[Mapping[str, object]]) -> None:
        self.routes = tuple(_route(row) for row in rows)
        # Two attributes and no table by Api: hashing an enum member costs more than the whole descent.
        self._v3, self._v2 = _Node(), _Node()
        self._other_v3, self._other_v2 = (Route(OTHER, api, frozenset(), "") for api in (Api.V3, Api.V2))
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


def _route(values: Mapping[str, object]) -> Route:
    row = Row(values, f"route {values.get('name')!r}")
    methods = frozenset(row.take_texts("methods"))
    template = row.take("template", str)
    if not methods or not template.startswith("/") or "" in _segments(template):
        raise ValueError(f"route {values.get('name')!r}: needs methods and a template of the form /a/{{}}/b")
    route = Route(
        name=row.take("name", str),
        api=Api(row.take("api", str)),
        methods=methods | {"HEAD"} if "GET" in methods else methods,
        template=template,
        unsafe_methods=frozenset(row.take_texts("unsafe")) if row.has("unsafe") else methods & UNSAFE_BY_DEFAULT,
        long_lived=row.take("long_lived", bool, default=False),
        oauth=row.take("oauth", bool, default=False),
        hosted_auth=row.take("hosted_auth", bool, default=False),
    )
    row.finish()
    if not route.unsafe_methods <= methods:
        raise ValueError(f"route {route.name!r}: unsafe names methods that the row does not have")
    return route


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
