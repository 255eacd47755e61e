"""What a status document says, made fit for a terminal: text that came over the network can move no cursor and colour nothing."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from proxy import __version__
from proxy.settings.fields import printable
from proxy.telemetry.status import Status
from proxy.terminal.asking import Unanswered

_NO_PROXY: Final = Unanswered(
    "answered something else than a status document",
    "this is no admin listener of a nylas-proxy; name the right one with --admin URL",
)


def read_document(body: bytes) -> dict[str, Any] | Unanswered:
    """Return the JSON object that `body` is, whatever stands in it."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_PROXY
    return document if isinstance(document, dict) else _NO_PROXY


def read_status(body: bytes) -> Status | Unanswered:
    """Return the status that `body` tells, all its texts printable. Fields that this version does not know are left out."""
    document = read_document(body)
    if isinstance(document, Unanswered):
        return document
    try:
        # By way of plain values: no text of the document, wherever it will stand one day, goes past `_plain`.
        status = msgspec.convert(document, Status)
        return msgspec.convert(_plain(msgspec.to_builtins(status)), Status)
    except msgspec.ValidationError:
        return _of_another_version(document.get("version"))


def _of_another_version(version: object) -> Unanswered:
    if not isinstance(version, str):
        return _NO_PROXY
    return Unanswered(
        f"answered a status document of version {printable(version[:40])}, which this command (version {__version__}) cannot read",
        "use the nylas-proxy of that version, or --json",
    )


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON
    match value:
        case str():
            return printable(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value
