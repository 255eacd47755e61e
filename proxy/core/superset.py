"""The one shape of errors: a JSON object in which every official SDK, v2 and v3, finds what it reads.

Everywhere but on OAuth paths: top-level `type` and `message` for v2, `error.type` and `error.message` for v3, `request_id` for both. On OAuth paths:
`error`, `error_code`, `error_description`, `error_uri` (RFC 6749 5.2, with Nylas' numbers), and the v2 pair.

What upstream said stays: every field keeps its value and type, unless that type breaks an SDK. Then the value moves to `original`, under its
name (`error.type` for one inside `error`). A string or list under `provider_error` becomes `{"message": ...}` instead. A string under `error` of
v2 becomes `server_error` where it is neither type nor message, and `server_error` stands in `error.provider_error` too where nothing else does.
Of a body that is no JSON, the visible text becomes `message`, at most 500 characters, and the raw text stands in `original.body`, at most 4,096,
where the message does not say it all; an object in no known dialect becomes the message as it stands. Fields that are null count as not given.
Applied to its own result, nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.error_body import text_of

if TYPE_CHECKING:
    from proxy.core.error_body import ErrorBody
    from proxy.core.json_values import Json

MESSAGE_MAX_CHARS: Final = 500
ORIGINAL_TEXT_MAX_CHARS: Final = 4096
ERROR_URI: Final = "https://developer.nylas.com/docs/api/errors/"

_INT32_MAX: Final = 2**31 - 1
_JAVA_FIELDS: Final = ("statusCode", "requestId", "headers")
_OURS: Final = {"origin", "cause"}


@dataclass(frozen=True, slots=True)
class Fallback:
    """What is said where upstream says nothing.

    Attributes:
        status: The HTTP status, for `error_code`.
        type: The type of the error.
        message: For people.
        request_id: Not empty.
    """

    status: int
    type: str
    message: str
    request_id: str


def superset(body: ErrorBody, fallback: Fallback, *, oauth: bool) -> dict[str, Json]:
    """Return the fields of the error, without the `proxy` object."""
    fields = dict(body.object)
    moved = _moved_before(fields)
    message = body.message or _unknown_object(body) or fallback.message
    if not isinstance(body.value, dict):
        whole = body.value if body.is_json else body.text.strip()[:ORIGINAL_TEXT_MAX_CHARS]
        message = message[:MESSAGE_MAX_CHARS]
        if whole not in (None, "", message):
            moved["body"] = whole
    said = Fallback(fallback.status, body.type or fallback.type, message, body.request_id or fallback.request_id)
    shaped = _oauth(fields, said, moved) if oauth else _standard(fields, body, said, moved)
    return {**shaped, "original": moved} if moved else shaped


def _unknown_object(body: ErrorBody) -> str:
    """The text of an object in no known dialect: better in the message than nowhere that an SDK shows."""
    return text_of(body.value)[:MESSAGE_MAX_CHARS] if body.object and not body.type else ""


def _moved_before(fields: dict[str, Json]) -> dict[str, Json]:
    """Take `original` and `proxy` out of `fields`; return what the new `original` starts with."""
    original = fields.pop("original", None)
    moved = dict(original) if isinstance(original, dict) else _given("original", original)
    proxy = fields.pop("proxy", None)
    is_ours = isinstance(proxy, dict) and proxy.keys() >= _OURS
    return moved if is_ours else {**moved, **_given("proxy", proxy)}


def _standard(fields: dict[str, Json], body: ErrorBody, said: Fallback, moved: dict[str, Json]) -> dict[str, Json]:
    head: dict[str, Json] = {
        "request_id": _string(fields, "request_id", said.request_id, moved) or said.request_id,
        "type": _string(fields, "type", said.type, moved),
        "message": _string(fields, "message", said.message, moved),
    }
    error = fields.pop("error", None)
    if not isinstance(error, dict) and error not in (None, "", said.type, said.message):
        # A string that v2 puts there, beside type and message, is what the mail server answered.
        place = fields if isinstance(error, str) and fields.get("server_error") is None else moved
        place["server_error" if place is fields else "error"] = error
    error_object = _error_object(body.error, said, moved)
    server_error = fields.get("server_error")
    if server_error and isinstance(server_error, str) and error_object.get("provider_error") is None:
        # The v3 SDKs show no other attribute in which what the mail server said could stand.
        error_object["provider_error"] = {"message": server_error}
    return {**head, "error": error_object, **fields}


def _error_object(error: dict[str, Json], said: Fallback, moved: dict[str, Json]) -> dict[str, Json]:
    """Return `error` with the types that the SDKs insist on.

    Java: `validation_errors` maps strings to strings, and `statusCode`, `requestId`, `headers` are fields of its own exception.
    Python and Java: `provider_error` is an object.
    """
    rest = dict(error)
    head: dict[str, Json] = {
        "type": _string(rest, "type", said.type, moved, "error."),
        "message": _string(rest, "message", said.message, moved, "error."),
    }
    provider_error = rest.get("provider_error")
    if provider_error is not None and not isinstance(provider_error, dict):
        rest["provider_error"] = {"message": provider_error}
    validation = rest.get("validation_errors")
    if isinstance(validation, dict) and not all(isinstance(text, str) for text in validation.values()):
        rest["validation_errors"] = {name: text_of(value) for name, value in validation.items()}
        moved["error.validation_errors"] = validation
    misfits = _JAVA_FIELDS if isinstance(validation, dict) else (*_JAVA_FIELDS, "validation_errors")
    for name in misfits:
        if rest.get(name) is not None:
            moved["error." + name] = rest.pop(name)
    return {**head, **rest}


def _oauth(fields: dict[str, Json], said: Fallback, moved: dict[str, Json]) -> dict[str, Json]:
    error = _string(fields, "error", said.type, moved)
    description = _string(fields, "error_description", said.message, moved)
    code = fields.pop("error_code", None)
    is_int32 = isinstance(code, int) and not isinstance(code, bool) and abs(code) <= _INT32_MAX
    if not is_int32:
        moved.update(_given("error_code", code))
    return {
        "error": error,
        "error_code": code if is_int32 else said.status,
        "error_description": description,
        "error_uri": _string(fields, "error_uri", ERROR_URI, moved),
        "request_id": _string(fields, "request_id", said.request_id, moved) or said.request_id,
        "type": _string(fields, "type", error, moved),
        "message": _string(fields, "message", description, moved),
        **fields,
    }


def _string(fields: dict[str, Json], name: str, otherwise: str, moved: dict[str, Json], inside: str = "") -> str:
    """Take the string `name` out of `fields`; where something else stands there, move that and return `otherwise`."""
    value = fields.pop(name, None)
    if isinstance(value, str):
        return value
    moved.update(_given(inside + name, value))
    return otherwise


def _given(name: str, value: Json) -> dict[str, Json]:
    return {} if value is None else {name: value}
