"""Choosing objects for a list: filters by equality, pages by token (v3) or by offset (v2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.simulator.replies import Json

V3_LIMIT = 50
V3_MAX_LIMIT = 200
V2_LIMIT = 100
V2_MAX_LIMIT = 1000
_MAX_DIGITS = 9
_TOKEN = "page-"  # noqa: S105  (where a page begins, no secret)


def matching(objects: Iterable[Json], query: Mapping[str, str]) -> list[Json]:
    """The objects whose plain fields equal the query parameters of the same name; other parameters filter nothing."""
    return [item for item in objects if all(_fits(item, key, value) for key, value in query.items())]


def _fits(item: Json, key: str, value: str) -> bool:
    if key == "in" and isinstance(item.get("folders"), list):
        return value in item["folders"]
    have = item.get(key)
    if isinstance(have, bool):
        return value.lower() == str(have).lower()
    return str(have) == value if isinstance(have, (str, int)) else True


def whole_number(text: str, default: int) -> int | None:
    """A number from a query, the default for none, None for what is no number."""
    if not text:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def v3_page(objects: list[Json], query: Mapping[str, str]) -> tuple[list[Json], str | None] | str:
    """One page and the token of the next, or what is wrong with the query."""
    limit = whole_number(query.get("limit", ""), V3_LIMIT)
    if limit is None or not 1 <= limit <= V3_MAX_LIMIT:
        return f"limit must be between 1 and {V3_MAX_LIMIT}"
    token = query.get("page_token", "")
    start = whole_number(token.removeprefix(_TOKEN), 0)
    if start is None or (token and not token.startswith(_TOKEN)):
        return "page_token is invalid"
    end = start + limit
    return objects[start:end], f"{_TOKEN}{end}" if end < len(objects) else None


def v2_page(objects: list[Json], query: Mapping[str, str]) -> list[Json] | str:
    """One page, or what is wrong with the query."""
    limit = whole_number(query.get("limit", ""), V2_LIMIT)
    offset = whole_number(query.get("offset", ""), 0)
    if limit is None or limit > V2_MAX_LIMIT:
        return f"Invalid limit: must be a number up to {V2_MAX_LIMIT}"
    if offset is None:
        return "Invalid offset: must be a number"
    return objects[offset : offset + limit]
