"""What an application sees of one SDK call, as one JSON line: the value that came back, or the exception with all it carries.

Shared by the drivers; needs the standard library alone, so that it runs in the environment of either SDK.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import hashlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

SHORT_BYTES = 100_000
CLIENT_FIELDS = {"api", "cls"}  # the models of SDK 5 are dicts that also hold their client and their class
RESPONSE_FIELDS = ("data", "request_id", "next_cursor", "headers")


def plain(value: Any) -> Any:
    """Turn what an SDK returned into JSON values; byte strings become their length and SHA-256."""
    match value:
        case enum.Enum():
            return plain(value.value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        case dt.date():
            return value.isoformat()
        case Mapping():
            fields = {str(key): plain(item) for key, item in value.items() if key not in CLIENT_FIELDS}
            return fields if type(value) is dict else {"class": type(value).__name__, **fields}
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    """Do the same for objects: models, the SDK's responses (tuples with names), HTTP responses; of others only the class."""
    if hasattr(value, "iter_content"):
        return _http_response(value)
    if dataclasses.is_dataclass(value):
        return _named(value, [field.name for field in dataclasses.fields(value)])
    if hasattr(value, "data") and hasattr(value, "request_id"):
        return _named(value, [name for name in RESPONSE_FIELDS if hasattr(value, name)])
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return {"class": type(value).__name__}


def _named(value: Any, names: list[str]) -> dict[str, Any]:
    return {"class": type(value).__name__, **{name: plain(getattr(value, name)) for name in names}}


def _http_response(response: Any) -> dict[str, Any]:
    """Read a response of the `requests` library to its end, as an application that streams a download does."""
    content = b"".join(response.iter_content(8_192))
    return {
        "status_code": response.status_code,
        "reason": response.reason,
        "headers": plain(response.headers),
        "content": plain(content),
        "text": content.decode("utf-8", "replace") if len(content) <= SHORT_BYTES else None,
    }


def raised(error: BaseException) -> dict[str, Any]:
    """Describe an exception: its class and its ancestors, its text, its arguments and every public attribute that is no request."""
    return {
        "class": type(error).__name__,
        "module": type(error).__module__,
        "ancestors": [f"{ancestor.__module__}.{ancestor.__name__}" for ancestor in type(error).__mro__],
        "text": str(error),
        "arguments": [plain(argument) for argument in error.args],
        "attributes": {name: plain(item) for name, item in vars(error).items() if not name.startswith("_") and name != "request"},
    }


def mark(marks_url: str, case: str, token: str) -> None:
    """Leave a line between two cases in the simulator's list of arrivals: a request of an unknown path that names the case."""
    request = urllib.request.Request(f"{marks_url}/contract-mark/{case}", headers={"Authorization": f"Bearer {token}"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as expected:
        expected.close()


def run(make_call: Callable[[dict[str, Any]], Callable[[], Any]], *, marks_url: str, token: str) -> None:
    """Do what standard input asks, a JSON list of `{"case", "call", "headers", "base_url"}`, and print one line for each.

    Args:
        make_call: Gives for such an object a function that does the call and returns what the SDK returned.
        marks_url: Where the marks go: the SDK's base, and `/v3` where its API has that.
        token: A credential for the marks.
    """
    for request in json.load(sys.stdin):
        mark(marks_url, request["case"], token)
        try:
            seen = {"value": plain(make_call(request)())}
        except Exception as error:  # noqa: BLE001 - whatever an application would see is the very thing to report
            seen = {"raised": raised(error)}
        sys.stdout.write(json.dumps({"case": request["case"], **seen}) + "\n")
        sys.stdout.flush()
