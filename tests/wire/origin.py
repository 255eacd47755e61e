"""A scripted upstream: the test itself accepts, reads, judges and answers, one step at a time, in its own thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from typing import TYPE_CHECKING

from wire import strict
from wire.stream import DEADLINE_S, Stream, lines

if TYPE_CHECKING:
    import ssl

    from wire.lines import Fields

OK = lines(b"HTTP/1.1 200 OK", b"Content-Length: 2", body=b"ok")
OK_CLOSE = lines(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"Connection: close", body=b"ok")


class Received:
    """A request whose head has arrived; its body is read when the test asks for it.

    Attributes:
        head: The head, already found to be well formed.
        stream: The connection that it came on.
        is_first: No request came on this connection before.
    """

    def __init__(self, origin: Origin, stream: Stream, *, is_first: bool) -> None:
        self._origin = origin
        self.stream = stream
        self.is_first = is_first
        self.head = stream.head()
        self.line = strict.request_line(self.head)
        self.decoder = strict.forwarded_request_body(self.head)
        self._body: bytes | None = None

    @property
    def target(self) -> bytes:
        return self.line.target

    def body(self) -> bytes:
        """The complete body."""
        if self._body is None:
            self._body = self.stream.body(self.decoder)
        return self._body

    def piece(self) -> bytes:
        """The next part of the body, as soon as any is there."""
        return self.stream.piece(self.decoder)

    @property
    def trailers(self) -> Fields:
        return self.decoder.trailers

    def answer(self, raw: bytes = OK) -> None:
        """Read the request to its end, answer with these bytes, and keep the connection for the next one."""
        self.body()
        self.stream.send(raw)
        self._origin.keep(self.stream)

    def answer_and_close(self, raw: bytes) -> None:
        """Read the request to its end, answer with these bytes, and close."""
        self.body()
        self.stream.send(raw)
        self.stream.close()

    def send(self, *pieces: bytes) -> None:
        """Send these bytes, each piece in a packet of its own, whatever they are."""
        self.stream.send(*pieces)


class Origin:
    """A listener on this machine and the connections that came to it.

    Args:
        host: The address to listen on.
        context: With it every connection begins with a TLS handshake.
    """

    def __init__(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=1024)
        self._listener.settimeout(DEADLINE_S)
        self._context = context
        self._idle: list[Stream] = []
        self._busy: list[Stream] = []
        self.port: int = self._listener.getsockname()[1]
        self.authority = (f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}").encode()
        self.url = f"{'http' if context is None else 'https'}://{self.authority.decode()}"

    def next_request(self) -> Received:
        """The next request on any connection; TimeoutError when none comes in time."""
        deadline_s = time.monotonic() + DEADLINE_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            for stream, is_first in self._readable(left_s):
                with contextlib.suppress(ConnectionError):
                    if stream.fill():
                        self._busy.append(stream)
                        return Received(self, stream, is_first=is_first)
                stream.close()
        raise TimeoutError("no request came to the origin")

    def accept(self) -> Stream:
        """The next connection, before anything is read from it (with TLS: after the handshake, whose failure is an SSLError)."""
        sock, _ = self._listener.accept()
        sock.settimeout(DEADLINE_S)
        stream = Stream(self._context.wrap_socket(sock, server_side=True) if self._context else sock)
        self._busy.append(stream)
        return stream

    def keep(self, stream: Stream) -> None:
        """Take a connection back, for the next request that comes on it."""
        self._busy.remove(stream)
        self._idle.append(stream)

    def forget_connections(self) -> None:
        """End every connection: idle ones so that the proxy has noticed when this returns, the others with a reset.

        AssertionError when one of them holds a complete request that no test asked for.
        """
        self._accept_waiting()
        idle, busy, self._idle, self._busy = self._idle, self._busy, [], []
        for stream in busy:
            with contextlib.suppress(OSError):
                stream.reset()
        leftovers = [_leftover(stream) for stream in idle]
        for leftover in leftovers:
            _assert_no_request(leftover)

    def sockets(self) -> list[socket.socket]:
        """Where the next request may come from: the listener and the idle connections."""
        return [self._listener, *(stream.socket for stream in self._idle)]

    def is_untouched(self) -> bool:
        """Tell whether, as of now, nothing has come that the test has not taken."""
        return not self._select(0)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        self._listener.close()
        for stream in (*self._idle, *self._busy):
            stream.close()

    def _accept_waiting(self) -> None:
        self._listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, _ = self._listener.accept()
                self._idle.append(Stream(sock))
        self._listener.settimeout(DEADLINE_S)

    def _readable(self, wait_s: float) -> list[tuple[Stream, bool]]:
        """One connection with something to read (or at its end), with whether it is new; none when the time is over."""
        ready = self._select(wait_s)
        for stream in filter(None, ready):
            self._idle.remove(stream)
            return [(stream, False)]
        if not ready:
            return []
        stream = self.accept()
        self._busy.remove(stream)
        return [(stream, True)]

    def _select(self, wait_s: float) -> list[Stream | None]:
        """The idle connections that have something to read, or are at their end; None for a new one."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            for stream in self._idle:
                selector.register(stream.socket, selectors.EVENT_READ, stream)
            return [key.data for key, _ in selector.select(wait_s)]


def _leftover(stream: Stream) -> bytes:
    """End an idle connection, wait until the other side has done the same, and return what nobody had read."""
    try:
        stream.finish_sending()
        return stream.rest()
    except OSError:
        return b""
    finally:
        stream.close()


def _assert_no_request(data: bytes) -> None:
    """What is left on a connection may be the beginning of a request that was given up, never a complete one."""
    buffer = bytearray(data)
    if (head := strict.take_head(buffer)) is None:
        return
    decoder = strict.forwarded_request_body(head)
    decoder.decode(buffer)
    assert not decoder.finished, f"an unexpected request came to the origin: {head.start!r}"
