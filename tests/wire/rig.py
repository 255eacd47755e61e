"""A running proxy between the hands of a test: clients on one side, a scripted upstream for each API on the other."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from secrecy.collected import keep_error

from wire import process
from wire.cases import GET, HOST
from wire.origin import OK, Origin, Received
from wire.stream import lines

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Settings
    from wire.stream import Response, Stream


class Rig:
    """The proxy with its two upstreams, and the clients that a test has opened.

    Attributes:
        origin: The upstream of /v3 paths.
        legacy: The upstream of all others.
    """

    def __init__(self, proxy: process.ProxyProcess, origin: Origin, legacy: Origin) -> None:
        self.proxy = proxy
        self.origin = origin
        self.legacy = legacy
        self.hands = ThreadPoolExecutor(max_workers=2)  # for the few tests whose two sides must move at the same time
        self._clients: list[Stream] = []
        self._bell: Stream | None = None
        self._noise_seen = 0

    def dial(self, context: ssl.SSLContext | None = None) -> Stream:
        """A new client connection, closed when the test ends."""
        client = self.proxy.dial(context)
        self._clients.append(client)
        return client

    def exchange(self, request: bytes, answer: bytes = OK, *, method: bytes = b"GET") -> tuple[Received, Response]:
        """Send a request on a connection of its own, let the v3 upstream answer, return both sides' view."""
        client = self.dial()
        client.send(request)
        received = self.origin.next_request()
        received.answer(answer)
        return received, client.response(method=method)

    def relayed(self, answer: bytes, *, request: bytes = GET, method: bytes = b"GET") -> tuple[Stream, Response]:
        """Let upstream answer with these bytes and close; return the client and what it got."""
        client = self.dial()
        client.send(request)
        self.origin.next_request().answer_and_close(answer)
        return client, client.response(method=method)

    def barrier(self) -> None:
        """Return when the proxy has read everything that was sent to it before: one turn of its loop has passed.

        The request is refused without a call upstream (an empty PUT on v2).
        """
        if self._bell is None:
            self._bell = self.dial()
        self._bell.send(lines(b"PUT /messages/1 HTTP/1.1", HOST, b"Content-Length: 0"))
        assert self._bell.response().status == 400

    def settle(self) -> None:
        """Leave nothing behind for the next test; AssertionError where something unexpected happened in this one."""
        self._forget_clients()
        try:
            self.origin.forget_connections()
        finally:
            self.legacy.forget_connections()
        new_noise, self._noise_seen = self.proxy.noise[self._noise_seen :], len(self.proxy.noise)
        assert not new_noise, "the proxy printed:\n" + "\n".join(new_noise)
        assert self.proxy.is_alive(), "the proxy has ended"

    def close(self) -> None:
        """End the proxy and stop listening."""
        self._forget_clients()
        self.hands.shutdown()
        try:
            self.proxy.stop()
        finally:
            self.origin.close()
            self.legacy.close()

    def _forget_clients(self) -> None:
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.close()
        self._clients.clear()
        self._bell = None


@contextlib.contextmanager
def running(settings: Settings, directory: Path, *, origin: Origin | None = None, legacy: Origin | None = None) -> Iterator[Rig]:
    """A rig around a fresh proxy; the upstreams' URLs are set where the settings do not set them."""
    origin, legacy = origin or Origin(), legacy or Origin()
    urls = {"v3_url": origin.url, "v2_url": legacy.url}
    # The scripted origins answer once; what is repeated, and what is held, is not the wire's business.
    alone: Settings = {"retry": {"max_attempts": 1}, "limits": {"mode": "observe"}}
    asked = {**alone, **settings, "upstream": {**urls, **settings.get("upstream", {})}}
    rig = Rig(process.ProxyProcess(asked, directory), origin, legacy)
    try:
        yield rig
    finally:
        rig.close()


def problem(response: Response) -> dict[str, Any]:
    """The body of an error, checked for the one shape that every error has (superset body and `proxy` object)."""
    keep_error((response.value(b"x-nylas-proxy-origin") or b"").decode(), response.body)
    assert response.status >= 400
    assert response.value(b"content-type") == b"application/json"
    assert response.value(b"content-length") == b"%d" % len(response.body)
    assert response.value(b"x-nylas-proxy-origin")
    assert response.value(b"x-request-id")
    assert response.value(b"retry-after") != b"0"
    body: dict[str, Any] = json.loads(response.body)
    assert isinstance(body["request_id"], str)
    assert {"type", "message", "error"} <= body.keys()
    proxy = body["proxy"]
    expected = {"origin", "cause", "scope", "retryable", "retry_after_s", "retry_at", "attempts", "meaning", "solution"}
    assert expected <= proxy.keys()
    assert response.value(b"x-nylas-proxy-cause") == proxy["cause"].encode()
    return body


def cause(response: Response) -> tuple[int, str]:
    """The status and the cause of an error in the one shape."""
    return response.status, problem(response)["proxy"]["cause"]


def assert_refused(client: Stream, status: int, expected_cause: str, *, method: bytes = b"GET") -> None:
    """The next answer is this error, says that it is the last one, and is."""
    response = client.response(method=method)
    assert cause(response) == (status, expected_cause)
    assert response.value(b"connection") == b"close"
    assert client.is_closed()
