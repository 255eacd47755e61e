"""An upstream that answers before it has read an upload, and closes: the answer must reach the client (RFC 9112 section 9.5)."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from wire.cases import CHUNKED, HOST
from wire.stream import lines

if TYPE_CHECKING:
    from wire.rig import Rig


def test_an_early_answer_with_a_close_behind_it_is_not_lost(plain: Rig) -> None:
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=b"5\r\nhello\r\n"))
    received = plain.origin.next_request()
    received.piece()
    # While the proxy stands still, more of the upload arrives, and then the answer and the close: it finds all of them at once, the upload first. One
    # write draws a reset, the next one fails, and with it goes what upstream had said.
    plain.proxy.signal(signal.SIGSTOP)
    client.send((b"2710\r\n" + b"x" * 10_000 + b"\r\n") * 20)
    received.send(lines(b"HTTP/1.1 413 Too Large", b"Content-Length: 0", b"Connection: close"))
    received.stream.close()
    plain.proxy.signal(signal.SIGCONT)
    assert client.response().status == 413
