"""Where an error says something else through the proxy than without it, and why that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Header fields that describe the body's bytes, the connection or the moment: a body in another shape has others.
FIELDS_OF_A_BODY = {"content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive", "date"}


@dataclass(frozen=True, slots=True)
class Justification:
    """One exception from "never less than without".

    Attributes:
        sdk: Whose exception it is about.
        name: The attribute or the header field.
        applies: Tells by the value that was seen without the proxy whether the exception is meant.
        reason: Why the other value is right.
    """

    sdk: str
    name: str
    applies: Callable[[Any], bool]
    reason: str


def _is_no_number(value: Any) -> bool:
    return not str(value).isdigit()


JUSTIFICATIONS = (
    Justification("v6", "type", lambda value: value == "unknown", "the SDK's word for a body that it could not read; now it can"),
    Justification("v6", "message", lambda value: isinstance(value, dict), "the SDK had put the whole body where the text belongs"),
    Justification("v5", "message", lambda value: ". Nylas Error Type: " not in value, "the SDK had put the raw body where its wording belongs"),
    Justification("v5", "body.error", lambda value: isinstance(value, str), "a string breaks SDK 6; it is kept as type or message of the object"),
    Justification(
        "v5",
        "body.error",
        lambda value: isinstance(value, dict) and isinstance(value.get("provider_error"), str),
        "a string breaks SDK 6; it is wrapped",
    ),
    *(Justification(sdk, "retry-after", lambda value: value == "0", "java repeats a POST at once that was answered so") for sdk in ("v6", "v5")),
    *(Justification(sdk, "retry-after", _is_no_number, "the SDKs read an integer") for sdk in ("v6", "v5")),
    *(Justification(sdk, "x-ratelimit-limit", _is_no_number, "the SDKs read an integer") for sdk in ("v6", "v5")),
)


# Texts that an SDK showed without the proxy and does not show with it, by field. SDK 6 could not read these bodies and put the whole
# dict where the text belongs; now it has type and text, and no attribute for further fields. The body of the answer holds them all.
NOT_SHOWN = {
    ("v6", "type"): "only the SDK's word 'unknown': what Nylas gave as the type is compared as an attribute",
    ("v6", "code"): "of an error object without a type",
    ("v6", "success"): "of a body that is nested twice",
    ("v6", "requestId"): "node's spelling, which its SDK makes and Nylas does not send",
    ("v6", "errorUri"): "node's spelling, which its SDK makes and Nylas does not send",
    ("v5", "message"): "only the text of an empty object, which says nothing",
}


def justified(sdk: str, name: str, value: Any) -> bool:
    """Tell whether `value`, seen without the proxy, may be another one with it."""
    return any(known.sdk == sdk and known.name == name and known.applies(value) for known in JUSTIFICATIONS)
