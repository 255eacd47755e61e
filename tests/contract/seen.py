"""How an application reads what an SDK gave it: the value of a call, or the SDK's exception with its attributes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# The classes that an application is told to catch.
OWN_CLASSES = {
    "v6": {"nylas.models.errors.AbstractNylasApiError"},
    "v5": {"nylas.client.errors.NylasApiError", "nylas.client.errors.MessageRejectedError"},
}
# nylas/client/errors.py of SDK 5: how it words an error whose body it could read.
V5_TEXT = re.compile(r"(?P<status>\d+) (?P<reason>.*?)\. Reason: (?P<message>.*)\. Nylas Error Type: (?P<type>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SeenError:
    """An exception as an application finds it.

    Attributes:
        name: Its class.
        own: It is one of the classes that the SDK documents for errors of the API.
        status: HTTP status, None where the exception has none.
        type: The error type, None where the exception has none or the SDK could not read it.
        message: The text for people; empty where there is none.
        request_id: As the exception has it; None where its class has none.
        attributes: Every attribute of the exception that is about the error, by name; header fields apart.
        headers: The header fields of the answer, names in lower case.
        body: The body of the answer where the exception keeps it (SDK 5).
    """

    name: str
    own: bool
    status: int | None
    type: str | None
    message: str
    request_id: str | None
    attributes: dict[str, Any]
    headers: dict[str, str]
    body: str

    @property
    def text(self) -> str:
        """Everything that can be read in the exception, as one text."""
        return "\n".join((self.message, json.dumps(self.attributes, ensure_ascii=False), self.body))


def error(sdk: str, outcome: dict[str, Any]) -> SeenError:
    """Read the exception of an outcome; fails where the call returned a value."""
    assert "raised" in outcome, f"{outcome['case']}: the call returned {json.dumps(outcome.get('value'))[:300]}"
    raised = outcome["raised"]
    own = bool(OWN_CLASSES[sdk] & set(raised["ancestors"]))
    if not own:
        return SeenError(raised["class"], own, None, None, raised["text"], None, {}, {}, "")
    return _error_of_v6(raised) if sdk == "v6" else _error_of_v5(raised)


def _error_of_v6(raised: dict[str, Any]) -> SeenError:
    attributes = {name: value for name, value in raised["attributes"].items() if name != "headers"} | {"message": raised["arguments"][0]}
    error_type = attributes.get("type") or attributes.get("error")
    return SeenError(
        raised["class"],
        own=True,
        status=attributes["status_code"],
        type=error_type,
        message=raised["text"],
        request_id=attributes["request_id"],
        attributes=attributes,
        headers=_lower(raised["attributes"]["headers"]),
        body="",
    )


def _error_of_v5(raised: dict[str, Any]) -> SeenError:
    """Read the exceptions of SDK 5: `response` is an attribute, or the only argument (402)."""
    response = raised["attributes"].get("response") or raised["arguments"][0]
    worded = V5_TEXT.fullmatch(raised["text"])
    fields = _json_object(response["text"])
    rejected = raised["class"] == "MessageRejectedError"
    message, error_type = (fields.get("message", ""), fields.get("type")) if rejected else (raised["text"], worded and worded["type"])
    # Without fields that it knows, this SDK gives the raw body as text: an application parses that, if it is JSON.
    wording = {"message": raised["text"]} if worded or not (fields or rejected) else {}
    limits = {name: value for name, value in raised["attributes"].items() if name.startswith("rate_limit")}
    return SeenError(
        raised["class"],
        own=True,
        status=response["status_code"],
        type=error_type,
        message=message,
        request_id=None,
        attributes={**wording, "reason": response["reason"], **limits, **{f"body.{name}": value for name, value in fields.items()}},
        headers=_lower(response["headers"]),
        body=response["text"],
    )


def _json_object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name != "class"}


def leaves(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Give every text and number inside JSON values, as it is written there, after the name of its field."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, key)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item, name)]
    return [] if value is None or value == "" else [(name, json.dumps(value, ensure_ascii=False).strip('"'))]


def keeps(before: Any, after: Any) -> bool:
    """Tell whether `after` says all that `before` said: the same value, or an object whose fields keep those of the other."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(keeps(value, after.get(name)) for name, value in before.items())
    return bool(before == after)
