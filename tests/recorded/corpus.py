"""The recorded responses, as replies and contexts."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from builders import a_context, a_reply

from proxy.core.model import Api, Reply, RequestContext

DOCUMENT: dict[str, Any] = json.loads(resources.files("proxy.simulator").joinpath("responses.json").read_text(encoding="utf-8"))
ENTRIES: list[dict[str, Any]] = DOCUMENT["responses"]
PROVIDER_PAYLOADS: list[dict[str, Any]] = DOCUMENT["provider_payloads"]


def fields_of(entry: dict[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in entry["headers"].items())


def reply_of(entry: dict[str, Any]) -> Reply:
    body = (entry["body_text"] or "").encode() if entry["body"] is None else entry["body"]
    return a_reply(entry["status"], body, fields_of(entry))


def context_of(entry: dict[str, Any]) -> RequestContext:
    """The entry's request; a neutral one of its API where the source names none (both, or another, count as v3)."""
    if entry["path"] is None:
        return a_context(Api.V2 if entry["api_version"] == "v2" else Api.V3)
    path, _, _ = entry["path"].partition(" ")
    return a_context(path.replace("{", "").replace("}", "").encode(), entry["method"] or "POST")
