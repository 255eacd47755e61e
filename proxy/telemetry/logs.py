"""The log: structlog for events, and one lean line per request that does not pass through its processors.

A line through structlog costs 17 µs of CPU in place, the lean record a few; there is one per request.
"""

from __future__ import annotations

import sys
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.telemetry.line_writer import LineWriter
from proxy.telemetry.structlog_alone import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from proxy.core.events import RequestEnded

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_encode = msgspec.json.Encoder().encode


class Log:
    """Events and requests, written to standard output as JSON or, on a terminal, readable.

    Args:
        form: `json`, `console`, or `auto`: the latter on a terminal.
        level: The least severe level that is written.
        descriptor: Where to.
        successes: The share of requests answered below 400 that are written.

    Attributes:
        writer: What writes.
        level: The least severe level that is written.
        successes: As above; may be changed at any time.
    """

    def __init__(self, form: str, level: str, descriptor: int = 1, successes: float = 1.0) -> None:
        self._pretty = form == "console" or (form == "auto" and sys.stdout.isatty())
        self._console = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), sort_keys=False) if self._pretty else None
        self.writer = LineWriter(descriptor)
        self.successes = successes
        self._owed = 0.0
        self.set_level(level)

    def set_level(self, level: str) -> None:
        """Write from this level on, from now on."""
        self.level = level
        self._requests = _LEVELS[level] <= _LEVELS["info"]
        self._events = structlog.wrap_logger(
            _Lines(self.writer),
            processors=[structlog.processors.add_log_level, _add_time, self._rendered],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        )

    def detail(self, name: str, **facts: object) -> None:
        """Something that only somebody who looks for it wants to know."""
        self._events.debug(name, **facts)

    def event(self, name: str, **facts: object) -> None:
        """Something that an operator wants to know."""
        self._events.info(name, **facts)

    def warning(self, name: str, **facts: object) -> None:
        """Something that an operator should look at."""
        self._events.warning(name, **facts)

    def bug(self, error: BaseException, request_id: str) -> None:
        """A failure of this program: where, never with which values."""
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
        self._events.error("proxy.bug", error=type(error).__name__, where=where, request_id=request_id)

    def request(self, ended: RequestEnded) -> None:
        """The access line."""
        if not self._requests or not self._is_due(ended):
            return
        route = ended.route
        line = _AccessLine(
            time.time(),
            ended.status,
            ended.method,
            route.api if route is not None else "-",
            route.name if route is not None else "-",
            ended.request_id,
            ended.ended,
            ended.attempts,
            # Not round(): it formats and parses a decimal string, three times a microsecond here.
            int(ended.duration_s * 1e6) / 1e3,
            int(ended.waited_s * 1e6) / 1e3,
            int(ended.upstream_s * 1e6) / 1e3,
            int(ended.own_s * 1e6) / 1e3,
            ended.sent_bytes,
            ended.grant,
            ended.cause,
            ended.origin,
            ended.detail,
            ended.advice,
            int(ended.would_hold_s * 1e6) / 1e3 if ended.would_hold_s else None,
            ended.trace_id,
        )
        self.writer.write(self._line({"event": "request", **msgspec.structs.asdict(line)}) if self._pretty else _encode(line) + b"\n")

    def _is_due(self, ended: RequestEnded) -> bool:
        """Tell whether a request is written: of successes, the share that is asked for, evenly."""
        if self.successes >= 1 or ended.cause is not None or not ended.status or ended.ended != "complete":
            return True
        self._owed += self.successes
        if self._owed < 1:
            return False
        self._owed -= 1
        return True

    def _rendered(self, _logger: object, _method: str, record: MutableMapping[str, Any]) -> bytes:
        if self._console is not None:
            return self._line(record)
        return _encode({"event": record.pop("event"), **record}) + b"\n"

    def _line(self, record: MutableMapping[str, Any]) -> bytes:
        assert self._console is not None  # noqa: S101 - callers see to it
        shown = {"timestamp": _readable_time(record.pop("ts")), **{key: value for key, value in record.items() if value is not None}}
        return f"{self._console(None, '', shown)}\n".encode()


class _AccessLine(msgspec.Struct, tag_field="event", tag="request", omit_defaults=True):
    """What has a default is left out where there is nothing to say."""

    ts: float
    status: int
    method: str
    api: str
    route: str
    request_id: str
    ended: str
    attempts: int
    duration_ms: float
    waited_ms: float
    upstream_ms: float
    own_ms: float
    sent_bytes: int
    grant: str = ""
    cause: str | None = None
    origin: str | None = None
    detail: str | None = None
    advice: str | None = None
    would_hold_ms: float | None = None
    trace_id: str | None = None


class _Lines:
    """What structlog calls with a rendered line, under the name of each level."""

    def __init__(self, writer: LineWriter) -> None:
        self.msg = self.debug = self.info = self.warning = self.error = self.critical = writer.write


def _add_time(_logger: object, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record["ts"] = round(time.time(), 6)
    return record


def _readable_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")[:-3]
