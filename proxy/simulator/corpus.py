"""The recorded error responses of Nylas (responses.json), ready to be sent again."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from proxy.simulator.replies import JSON_TYPE, Reply

_FILE = Path(__file__).with_name("responses.json")


@cache
def _recorded() -> dict[str, dict[str, Any]]:
    return {entry["id"]: entry for entry in json.loads(_FILE.read_bytes())["responses"]}


def recorded_ids() -> frozenset[str]:
    """The ids that the cue `corpus` accepts."""
    return frozenset(_recorded())


def recorded(corpus_id: str) -> Reply:
    """The recorded response: its status, the headers that the source states, its body.

    Most sources state no Content-Type; then it follows from the body. Raises KeyError for an id that is not recorded.
    """
    entry = _recorded()[corpus_id]
    text: str | None = entry["body_text"]
    body = json.dumps(entry["body"], ensure_ascii=False).encode() if text is None else text.encode()
    headers = tuple(entry["headers"].items())
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (("Content-Type", _likely_type(text)), *headers)
    return Reply(entry["status"], headers, body)


def _likely_type(text: str | None) -> str:
    if text is None:
        return JSON_TYPE
    return "text/html" if text.startswith("<") else "text/plain"
