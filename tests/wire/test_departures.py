"""A client that leaves cancels what only it wanted; what must not be lost is finished; the proxy ends the same way."""

from __future__ import annotations

import contextlib
import signal
import uuid
from typing import TYPE_CHECKING

import pytest

from wire.cases import GET, HEAD, HOST, POST, UNSAFE, by_name, with_request_id
from wire.rig import running
from wire.stream import BrokenOff, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.rig import Rig


@pytest.mark.parametrize("raw", [pytest.param(GET, id="GET"), pytest.param(HEAD, id="HEAD")])
@pytest.mark.parametrize("how", ["finish_sending", "close", "reset"])
def test_a_read_whose_client_leaves_is_cancelled(plain: Rig, raw: bytes, how: str) -> None:
    client = plain.dial()
    client.send(raw)
    received = plain.origin.next_request()
    getattr(client, how)()
    assert received.stream.is_closed()


@pytest.mark.parametrize("how", ["finish_sending", "close", "reset"])
def test_a_download_whose_client_leaves_is_cancelled(plain: Rig, how: str) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.send(lines(b"HTTP/1.1 200 OK", b"Content-Length: 100", body=b"hello"))
    assert client.head().start == b"HTTP/1.1 200 OK"
    getattr(client, how)()
    assert received.stream.is_closed()


@pytest.mark.parametrize("how", ["finish_sending", "close", "reset"])
def test_an_upload_whose_client_leaves_is_cancelled(plain: Rig, how: str) -> None:
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: 100", body=b"hello"))
    received = plain.origin.next_request()
    assert received.piece() == b"hello"
    getattr(client, how)()
    with pytest.raises(BrokenOff):
        received.body()


@pytest.mark.parametrize("raw", by_name(UNSAFE))
@pytest.mark.parametrize("how", ["finish_sending", "close", "reset"])
def test_an_unsafe_request_that_has_left_is_finished_and_logged(plain: Rig, raw: bytes, how: str) -> None:
    client, request_id = plain.dial(), uuid.uuid4().hex
    client.send(with_request_id(raw, request_id))
    received = plain.origin.next_request()
    received.body()
    getattr(client, how)()
    plain.barrier()  # the proxy has seen it leave
    assert received.stream.is_silent()
    received.answer()
    assert plain.proxy.logged_request(request_id)["status"] == 200


def test_the_outcome_of_an_unsafe_request_is_logged_when_its_client_leaves_in_the_answer(plain: Rig) -> None:
    """Once upstream's head is there nothing can be undone; whether the rest of the body is still fetched is open."""
    client, request_id = plain.dial(), uuid.uuid4().hex
    client.send(with_request_id(POST, request_id))
    received = plain.origin.next_request()
    received.body()
    received.send(lines(b"HTTP/1.1 200 OK", b"Content-Length: 10", body=b"hello"))
    assert client.head().start == b"HTTP/1.1 200 OK"
    client.reset()
    received.stream.close()
    assert plain.proxy.logged_request(request_id)["status"] == 200


def test_a_client_that_never_asks_costs_no_upstream_connection(plain: Rig) -> None:
    client = plain.dial()
    client.finish_sending()
    assert client.is_closed()
    assert plain.origin.is_untouched()


@pytest.fixture
def draining(loop_name: str, tmp_path: Path) -> Iterator[Rig]:
    """A proxy of its own, to be ended."""
    with running({"listen": {"event_loop": loop_name, "drain_timeout_s": 1}}, tmp_path) as rig:
        yield rig


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_is_finished_before_the_end(draining: Rig, signal_number: signal.Signals) -> None:
    idle, busy = draining.dial(), draining.dial()
    idle.send(GET)
    draining.origin.next_request().answer()
    assert idle.response().status == 200
    busy.send(GET)
    received = draining.origin.next_request()
    draining.proxy.signal(signal_number)
    assert idle.is_closed()  # the proxy has begun to drain
    received.answer()
    response = busy.response()
    assert (response.body, response.value(b"connection")) == (b"ok", b"close")
    assert busy.is_closed()
    for client in (idle, busy):
        client.close()
    assert draining.proxy.exit_status() == 0
    assert draining.proxy.noise == []


def test_a_request_that_comes_while_draining_is_refused_or_finds_no_one(draining: Rig) -> None:
    busy = draining.dial()
    busy.send(GET + GET)
    received = draining.origin.next_request()
    draining.proxy.terminate()
    with contextlib.suppress(ConnectionError):  # the listener goes first
        while True:
            draining.dial().close()
    received.answer()
    assert busy.response().body == b"ok"
    rest = busy.rest()
    assert rest == b"" or (b"503" in rest[:13] and b"shutting_down" in rest)
    busy.close()
    assert draining.proxy.exit_status() == 0


def test_what_hangs_does_not_keep_the_proxy_from_ending(draining: Rig) -> None:
    busy = draining.dial()
    busy.send(GET)
    draining.origin.next_request()
    draining.proxy.terminate()
    assert draining.proxy.exit_status() == 0
    assert draining.proxy.noise == []


def test_half_an_answer_does_not_look_complete_when_the_time_for_draining_is_over(draining: Rig) -> None:
    """RFC 9112 section 8: only the end of the connection delimits this body, so its end must not be a clean one."""
    busy = draining.dial()
    busy.send(GET)
    draining.origin.next_request().send(lines(b"HTTP/1.1 200 OK", body=b"half of it"))
    assert busy.head().start == b"HTTP/1.1 200 OK"
    draining.proxy.terminate()
    with pytest.raises(ConnectionResetError):
        busy.rest()
    assert draining.proxy.exit_status() == 0
