"""An upstream that answers before it has read an upload, and closes: the answer must reach the client (RFC 9112 section 9.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wire.cases import HOST
from wire.stream import lines, send_what_is_taken

if TYPE_CHECKING:
    from wire.rig import Rig


@pytest.mark.parametrize("attempt", range(5))
def test_an_early_answer_with_a_close_behind_it_is_not_lost(plain: Rig, attempt: int) -> None:
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: 3000000", body=b"x" * 1000))
    received = plain.origin.next_request()
    received.send(lines(b"HTTP/1.1 413 Too Large", b"Content-Length: 0", b"Connection: close"))
    received.stream.close()
    send_what_is_taken(client, b"x" * 2_999_000)
    assert client.response().status == 413
