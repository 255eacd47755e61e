"""`nylas-proxy routes`: what is known about the operations of the API, as a table or JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from proxy import known
from proxy.core.catalogue import OTHER, WILD
from proxy.core.model import Api

if TYPE_CHECKING:
    from proxy.core.catalogue import Catalogue
    from proxy.core.model import Route

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
FLAGS: Final = {"idempotency_key": "idempotency key", "long_lived": "long-lived", "oauth": "OAuth errors", "hosted_auth": "redirected to Nylas"}


def run(words: list[str], *, as_json: bool) -> int:
    """Print the routes that fit all of `words`: a part of a row, or a path, which is matched as a request would be. Returns the exit status."""
    catalogue = known.catalogue()
    routes = list(catalogue.routes)
    for word in words:
        routes = _narrowed(routes, word, catalogue)
    if as_json:
        print(json.dumps([as_object(route) for route in routes], indent=2))
    elif routes:
        print("\n".join(_table([row_of(route) for route in routes])))
    if routes:
        return 0
    print(f"nylas-proxy routes: no route fits {' '.join(words)!r}{_methods_at(words, catalogue)}", file=sys.stderr)
    print("requests that no route fits pass as well, under the name other", file=sys.stderr)
    return 1


def as_object(route: Route) -> dict[str, Any]:
    """Return one route as a JSON object, for tools."""
    return {
        "name": route.name,
        "api": str(route.api),
        "methods": methods_of(route),
        "template": route.template,
        "family": route.family,
        "unsafe": dict(route.unsafe),
        **{flag: getattr(route, flag) for flag in FLAGS},
        "secret_query": list(route.secret_query),
    }


def methods_of(route: Route) -> list[str]:
    """Return the methods of `route` in the usual order; HEAD goes with GET unsaid."""
    return [method for method in METHODS if method in route.methods]


def row_of(route: Route) -> tuple[str, ...]:
    """Return the columns of the table: API, methods, template, name, family, what must not be repeated and why, what else is special."""
    reasons: dict[str, list[str]] = {}
    for method in methods_of(route):
        if method in route.unsafe:
            reasons.setdefault(route.unsafe[method], []).append(method)
    unsafe = "; ".join(f"{' '.join(methods)} {reason}" for reason, methods in reasons.items())
    special = [text for flag, text in FLAGS.items() if getattr(route, flag)]
    if route.secret_query:
        special.append(f"secrets in the query: {', '.join(route.secret_query)}")
    return str(route.api), " ".join(methods_of(route)), route.template, route.name, route.family, unsafe, "; ".join(special)


def _narrowed(routes: list[Route], word: str, catalogue: Catalogue) -> list[Route]:
    """Keep those of which `word` is the name or the family; else those whose row holds it, or that a request for it as a path or URL has."""
    exact = [route for route in routes if word.lower() in {route.name, route.family}]
    at_path = _at_path(word, catalogue)
    return exact or [route for route in routes if route in at_path or any(word.lower() in column.lower() for column in row_of(route))]


def _methods_at(words: list[str], catalogue: Catalogue) -> str:
    """Name the methods of a path that was asked for together with another one."""
    found = [(method, word) for word in words for route in _at_path(word, catalogue) for method in methods_of(route)]
    return f"; {found[0][1]} takes {', '.join(dict.fromkeys(method for method, _ in found))}" if found else ""


def _at_path(word: str, catalogue: Catalogue) -> list[Route]:
    """Return the routes that requests for a path, or URL, have; of several templates the most literal one's."""
    path = urlsplit(word).path
    if not path.startswith("/"):
        return []
    matched = [catalogue.match(api, method, os.fsencode(path)) for api in Api for method in METHODS]
    described = [route for route in matched if route.name != OTHER]
    fewest_ids = min((route.template.count(WILD) for route in described), default=0)
    return [route for route in described if route.template.count(WILD) == fewest_ids]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    head = ("API", "METHODS", "TEMPLATE", "NAME", "FAMILY", "MUST NOT BE REPEATED", "SPECIAL")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]
