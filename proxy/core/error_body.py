"""Reads the body of an error, whatever it holds: the one place that knows where each dialect of Nylas puts what it says.

The dialects: v3 (`error` is an object, at times doubled, flat, or a string), v2 (flat, with `server_error`, `failures`, `missing_fields`),
OAuth (RFC 6749 5.2, long and short), plain text, HTML, nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.content_coding import decoded_body
from proxy.core.fields import first_value
from proxy.core.json_values import Json, read_json, write_json
from proxy.core.markup import one_line, visible_text

if TYPE_CHECKING:
    from proxy.core.model import Reply

JSON_MAX_BYTES: Final = 256 * 1024
"""Larger bodies are told as text: no error of Nylas comes near, and parsing one would hold up all others (a hostile one of this size: 0.1 s)."""

TEXT_MAX_BYTES: Final = 64 * 1024
"""As much of a body that is no JSON as is looked at."""

WORDS_MAX_CHARS: Final = 16 * 1024
"""As much of the strings of a JSON body as is searched for phrases."""

STRING_MAX_CHARS: Final = 4 * 1024
"""As much of one of these strings, so that a swollen one does not crowd out the others."""

_BOM: Final = b"\xef\xbb\xbf"
_OAUTH_DESCRIPTIONS: Final = ("error_description", "description", "errorDescription")
_TYPE: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body holds.

    Attributes:
        is_json: The body is a JSON document, and `value` is its value.
        value: None where the body is no JSON, or is null.
        text: The beginning of the body as text, at most `TEXT_MAX_BYTES` of it.
        is_markup: `text` is HTML or XML.
    """

    is_json: bool
    value: Json
    text: str
    is_markup: bool

    @property
    def object(self) -> dict[str, Json]:
        """The JSON object; empty where the body is something else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def error(self) -> dict[str, Json]:
        """The object under `error`; where it holds a second `error` object, what that one says shows through; empty where there is none."""
        outer = self.object.get("error")
        if not isinstance(outer, dict):
            return {}
        inner = outer.get("error")
        return {**inner, **outer} if isinstance(inner, dict) else outer

    @property
    def error_string(self) -> str:
        """The string under `error` (OAuth, and a few v2 and v3 answers); empty where there is none."""
        value = self.object.get("error")
        return value if isinstance(value, str) else ""

    @property
    def is_oauth(self) -> bool:
        """The body has the OAuth shape, long or short."""
        return bool(self.error_string) and any(key in self.object for key in (*_OAUTH_DESCRIPTIONS, "error_code", "errorCode"))

    @property
    def type(self) -> str:
        """The error's type, wherever it is said; a number (an event code) as its digits; empty where there is none."""
        for value in (self.error.get("type"), self.object.get("type")):
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
        return self.error_string if _TYPE.fullmatch(self.error_string) else ""

    @property
    def message(self) -> str:
        """What is said for people, wherever it is said, structures as JSON; of a body that is no JSON the visible text; else empty."""
        if not self.is_json:
            return visible_text(self.text) if self.is_markup else one_line(self.text)
        if not isinstance(self.value, dict):
            return text_of(self.value)
        described = (self.object.get(key) for key in _OAUTH_DESCRIPTIONS)
        values = (self.error.get("message"), self.object.get("message"), *described, self.error_string)
        return next((text for text in map(text_of, values) if text), "")

    @property
    def words(self) -> str:
        """All that is said, in lower case: the strings of a JSON body, or the text of another."""
        return words_of(self.value) if self.is_json else self.text.lower()

    @property
    def request_id(self) -> str:
        """The id under which upstream knows the request; empty where it names none."""
        for value in (self.object.get("request_id"), self.error.get("request_id")):
            if isinstance(value, str) and value:
                return value
        return ""


def read_error_body(reply: Reply) -> ErrorBody | None:
    """Return what the body of `reply` holds, or None where its content coding cannot be undone here."""
    body = decoded_body(reply)
    if body is None:
        return None
    body = body.removeprefix(_BOM)
    text = body[:TEXT_MAX_BYTES].decode("utf-8", "replace")
    # Invalid UTF-8 inside a string is no reason to lose the rest.
    parsed = read_json(body.decode("utf-8", "replace")) if len(body) <= JSON_MAX_BYTES else None
    content_type = (first_value(reply.fields, b"content-type") or "").lower()
    is_markup = text.lstrip().startswith("<") or "html" in content_type or "xml" in content_type
    return ErrorBody(parsed is not None, parsed.value if parsed else None, text, is_markup)


def text_of(value: Json) -> str:
    """Return a string as it is, nothing for null, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else write_json(value)


def words_of(value: Json) -> str:
    """Return the strings inside `value`, in lower case, a line each, in no promised order, at most `WORDS_MAX_CHARS` of them."""
    found: list[str] = []
    room = WORDS_MAX_CHARS
    waiting = [value]
    while waiting and room > 0:
        here = waiting.pop()
        if isinstance(here, str):
            found.append(here[: min(room, STRING_MAX_CHARS)].lower())
            room -= len(found[-1])
        elif isinstance(here, dict):
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
    return "\n".join(found)
