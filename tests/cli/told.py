"""Status documents, and a listener that tells them: what the tests of `nylas-proxy status` are made of."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.telemetry.status import Failing, Grant, Health, Refusal, Status, Traffic, Usage, Waiting, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

HASH = "9b25c9ecd6304f7aa81d5e0c7fb3e216"
HEALTH = Health("ready", "local", 7200, "", "enforce", 0.0004, 1.0, 46_600_000, 34)
TRAFFIC = Traffic(12.34, 0, 12.34, 0, 0, 0, 0.00021, 0.00084, 0.12, 0.91, [0, 1, 5, 10] * 15, [], 4, 3, 2)
WINDOW = Window("grant", HASH, "exchange_throttle", "Exchange has closed the mailbox.", "Wait.", "closed", 1100, 1200, "retry_after", 100, 9)
WAITING = Waiting("in_flight", "microsoft_concurrency", "grant", 13, 2, 4.2, None)
FAILING = Failing("upstream_unreachable", "network", 0.3, "Nylas could not be reached.", throttles=False)
USAGE = Usage("nylas_messages_get", "messages", "grant", "request", 200, 1, 30, HASH, 3)
GRANT = Grant(HASH, "microsoft", 120.5, 9, 30.0, "exchange_throttle", closed=True)
REFUSAL = Refusal(12, 40, 429, "own_limit", "limit", "nylas_messages_get", "messages.list", HASH, 768, "Full.", "Ask less often.")


def a_status(**said: Any) -> Status:
    """A calm proxy, but for what a test names."""
    calm = Status("0.1.0", 1_700_000_000.0, 11_520, HEALTH, TRAFFIC, [], 0, [], 0, [], [], [], [])
    return msgspec.structs.replace(calm, **said)


def a_busy_status(rows: int = 1) -> Status:
    """A proxy with something, or with `rows` things, to say in every section."""
    return a_status(
        traffic=msgspec.structs.replace(TRAFFIC, failing=[FAILING] * rows),
        waiting=[WAITING] * rows,
        waiting_bytes=3_400_000,
        windows=[WINDOW] * rows,
        windows_open=rows,
        grants=[GRANT] * rows,
        limits=[USAGE] * rows,
        refusals=[REFUSAL] * rows,
    )


class Listener(ThreadingHTTPServer):
    """An admin listener that answers everything with `status` and `body`, and remembers what it was asked and with which credentials."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = 200
        self.body = msgspec.json.encode(a_status())
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def tell(self, status: Status) -> None:
        self.body = msgspec.json.encode(status)


class _Answer(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
        """Say nothing."""


@contextmanager
def a_listener() -> Iterator[Listener]:
    with Listener() as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()
