"""State that once outlived its message: each test is a fault that was found by reading, reduced to the object that had it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from proxy.wire.body import Body
from proxy.wire.call import Call, CallFailure, Response
from proxy.wire.framing import NO_BODY
from proxy.wire.limits import CallLimits, UpstreamLimits
from proxy.wire.upstream_connection import UpstreamConnection

if TYPE_CHECKING:
    from proxy.wire.head import ResponseHead

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire:
    """A transport that keeps what is written to it, and takes it at once."""

    def __init__(self) -> None:
        self.sent = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _name: str) -> None:
        return None


class Home:
    """A pool's part in a connection's life."""

    def __init__(self) -> None:
        self.limits = UpstreamLimits()
        self.returned: list[UpstreamConnection] = []

    def give_back(self, connection: UpstreamConnection) -> None:
        self.returned.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        self.returned = [other for other in self.returned if other is not connection]


class Nobody:
    """The source of a body that is complete."""

    def hold_body(self) -> None: ...
    def release_body(self) -> None: ...


def connected() -> tuple[UpstreamConnection, Wire]:
    wire = Wire()
    connection = UpstreamConnection(Home(), asyncio.get_running_loop())
    connection.connection_made(cast("asyncio.BaseTransport", wire))
    return connection, wire


def call(method: bytes) -> Call:
    def ignore(_head: ResponseHead) -> None: ...

    body = Body(Nobody())
    body.end([])
    return Call(method + b" / HTTP/1.1\r\nHost: upstream\r\n\r\n", method, NO_BODY, body, CallLimits(), ignore, b"x-private-")


async def test_a_caller_that_leaves_after_its_answer_does_not_end_the_next_call_on_that_connection() -> None:
    connection, wire = connected()
    first, second = call(b"GET"), call(b"POST")
    connection.send(first)
    connection.data_received(ANSWER)
    outcome = connection.send(second)

    connection.abandon(first)

    assert not wire.aborted
    connection.data_received(ANSWER)
    assert isinstance(await outcome, Response)


async def test_letting_go_of_a_response_that_is_complete_does_not_end_the_next_call_on_that_connection() -> None:
    connection, wire = connected()
    answered = connection.send(call(b"GET"))
    connection.data_received(ANSWER)
    response = await answered
    assert isinstance(response, Response)
    outcome = connection.send(call(b"POST"))

    response.abandon()

    assert not wire.aborted
    connection.data_received(ANSWER)
    assert isinstance(await outcome, Response)


async def test_abandoning_the_call_at_hand_ends_its_connection() -> None:
    connection, wire = connected()
    only = call(b"GET")
    outcome = connection.send(only)

    connection.abandon(only)

    assert wire.aborted
    assert isinstance(await outcome, CallFailure)
