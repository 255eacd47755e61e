"""What a request, or a scenario, may ask the simulator to do instead of answering well.

A cue is a key with a value. A request carries them as `X-Simulator: status=502; html=1`; a value that holds a semicolon
is written in double quotes. Scenario files use the same keys.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proxy.simulator.corpus import recorded_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HEADER = "X-Simulator"
MAX_WAIT_S = 3600.0
MAX_BODY_BYTES = 200_000_000
MAX_DOWNLOAD_BYTES = 2_000_000_000
MAX_HEARTBEATS = 1_000_000
MAX_NOT_READY = 1_000
_PAIR = re.compile(r'\s*(?P<key>[^=;\s]+)\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^;"]*))\s*(?:;|$)')


@dataclass(frozen=True, slots=True)
class Cues:
    """How to misbehave; the defaults are good behaviour.

    Attributes:
        corpus: Id of the recorded response to answer with.
        status: Status of a made-up answer, 200 to 599.
        html: The made-up body is a web server's HTML page instead of JSON.
        body_bytes: Size of the made-up body.
        content_type: Content-Type of whatever answer is given.
        gzip: The body is sent with gzip coding.
        delay_s: Wait between having done what was asked and the answer's head.
        reset: Where the connection is reset (TCP RST): `before_head`, `in_head`, `after_head` or `mid_body`.
        break_at: `mid_body`: the answer promises a whole body, half of it comes, the connection is closed (TCP FIN).
        close_delimited: Neither Content-Length nor chunks: the closed connection ends the body.
        chunked: The body is sent with chunked coding although its length is known.
        chunk_delay_s: Wait before each piece of the body after the first.
        size_bytes: Size of a download.
        early: Answer before reading the request body.
        keep: The connection stays open after the answer.
        heartbeat_s: Time between the newlines of a silent delta stream.
        heartbeats: How many such newlines end the stream; None: it goes on.
        done: What was asked is done before the made-up or recorded answer is given.
        throttle_s: Opens an Exchange window of so many seconds for the grant, and refuses.
        retry_after: The refusals of that window name the time.
        queued: A send is accepted for later: 202.
        not_ready: So many requests for the raw form of a message are answered by 202 (v2).
    """

    corpus: str | None = None
    status: int | None = None
    html: bool = False
    body_bytes: int | None = None
    content_type: str | None = None
    gzip: bool = False
    delay_s: float = 0.0
    reset: str | None = None
    break_at: str | None = None
    close_delimited: bool = False
    chunked: bool = False
    chunk_delay_s: float = 0.0
    size_bytes: int | None = None
    early: bool = False
    keep: bool = True
    heartbeat_s: float = 5.0
    heartbeats: int | None = None
    done: bool = False
    throttle_s: float | None = None
    retry_after: bool = True
    queued: bool = False
    not_ready: int = 0


GOOD_BEHAVIOUR = Cues()


@dataclass(frozen=True, slots=True)
class CueMistake:
    """A cue that cannot be followed: its key and one sentence."""

    key: str
    text: str


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > len(str(high)) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _seconds(low: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not low <= seconds <= MAX_WAIT_S:
            raise ValueError(f"must be a number of seconds from {low:g} to {MAX_WAIT_S:g}")
        return seconds

    return read


def _switch(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("must be 0 or 1")
    return text == "1"


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return read


def _recorded(text: str) -> str:
    if text not in recorded_ids():
        raise ValueError("must be the id of a recorded response (responses.json)")
    return text


def _field_value(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("must be printable ASCII")
    return text


_READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "corpus": ("corpus", _recorded),
    "status": ("status", _whole(200, 599)),
    "html": ("html", _switch),
    "body_bytes": ("body_bytes", _whole(0, MAX_BODY_BYTES)),
    "content_type": ("content_type", _field_value),
    "gzip": ("gzip", _switch),
    "delay_s": ("delay_s", _seconds(0.0)),
    "reset": ("reset", _one_of("before_head", "in_head", "after_head", "mid_body")),
    "break": ("break_at", _one_of("mid_body")),
    "close_delimited": ("close_delimited", _switch),
    "chunked": ("chunked", _switch),
    "chunk_delay_s": ("chunk_delay_s", _seconds(0.0)),
    "size_bytes": ("size_bytes", _whole(0, MAX_DOWNLOAD_BYTES)),
    "early": ("early", _switch),
    "keep": ("keep", _switch),
    "heartbeat_s": ("heartbeat_s", _seconds(0.001)),
    "heartbeats": ("heartbeats", _whole(0, MAX_HEARTBEATS)),
    "done": ("done", _switch),
    "throttle_s": ("throttle_s", _seconds(0.001)),
    "retry_after": ("retry_after", _switch),
    "queued": ("queued", _switch),
    "not_ready": ("not_ready", _whole(0, MAX_NOT_READY)),
}
ALLOWED = tuple(_READERS)


def read_cues(pairs: Iterable[tuple[str, str]]) -> Cues | CueMistake:
    """Read keys and values; the first mistake is returned."""
    values: dict[str, Any] = {}
    for key, text in pairs:
        if key not in _READERS:
            return CueMistake(key, f"unknown cue {key!r}; allowed are {', '.join(ALLOWED)}")
        name, reader = _READERS[key]
        if name in values:
            return CueMistake(key, f"cue {key!r} is given twice")
        try:
            values[name] = reader(text)
        except ValueError as wrong:
            return CueMistake(key, f"cue {key!r} {wrong}")
    cues = replace(GOOD_BEHAVIOUR, **values)
    return _contradiction(cues) or cues


def _contradiction(cues: Cues) -> CueMistake | None:
    made_up, recorded = cues.status is not None, bool(cues.corpus)
    contradictions = (
        (recorded and made_up, "corpus", "cue 'corpus' brings its own status: leave out 'status'"),
        (cues.html and not made_up, "html", "cues 'html' and 'body_bytes' need 'status'"),
        (cues.body_bytes is not None and not made_up, "body_bytes", "cues 'html' and 'body_bytes' need 'status'"),
        (cues.done and not (made_up or recorded), "done", "cue 'done' needs 'status' or 'corpus': every other answer comes after the deed"),
        (cues.done and cues.early, "done", "cue 'done' contradicts 'early'"),
        (not cues.retry_after and cues.throttle_s is None, "retry_after", "cue 'retry_after' needs 'throttle_s'"),
        (cues.reset and cues.break_at, "break", "cue 'break' contradicts 'reset'"),
        (cues.close_delimited and cues.chunked, "chunked", "cue 'chunked' contradicts 'close_delimited'"),
        (cues.close_delimited and cues.break_at, "break", "a close-delimited body that is closed early looks complete: use reset=mid_body"),
    )
    return next((CueMistake(key, text) for holds, key, text in contradictions if holds), None)


def read_header(text: str) -> Cues | CueMistake:
    """Read the value of the request header, `key=value; key=value`."""
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(text.rstrip(" ;\t")):
        found = _PAIR.match(text, position)
        if found is None:
            return CueMistake(HEADER, f"the header must read 'key=value; key=value'; allowed keys are {', '.join(ALLOWED)}")
        quoted, plain = found["quoted"], found["plain"]
        pairs.append((found["key"], quoted if quoted is not None else plain.strip()))
        position = found.end()
    return read_cues(pairs)
