"""A send that carries its caller's own idempotency key goes out under that one, and its caller is told to use it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wire.cases import HOST
from wire.rig import problem
from wire.stream import lines

if TYPE_CHECKING:
    from wire.rig import Rig

SEND = lines(b"POST /v3/grants/g/messages/send HTTP/1.1", HOST, b"idempotency-KEY: the-callers-own", b"Content-Length: 2", body=b"{}")


def test_a_callers_own_key_crosses_alone_and_is_to_be_used_again_in_doubt(plain: Rig) -> None:
    client = plain.dial()
    client.send(SEND)
    received = plain.origin.next_request()
    assert [value for name, value in received.head.fields if name.lower() == b"idempotency-key"] == [b"the-callers-own"]
    received.body()
    received.answer_and_close(b"")
    response = client.response(method=b"POST")
    assert response.value(b"x-nylas-proxy-idempotency") is None
    assert "repeat it with the same Idempotency-Key" in problem(response)["message"]
