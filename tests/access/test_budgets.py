"""A connection carries so many requests and ends in order; what finds no room in memory passes, and is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wire.cases import GET, HOST
from wire.rig import running
from wire.stream import chunks, lines

from access.stage import TOKEN, metric

if TYPE_CHECKING:
    from pathlib import Path

    from wire.process import Section
    from wire.rig import Rig
    from wire.stream import Stream

KEPT_MAX_BYTES = 1000
BUFFERED_MAX_BYTES = 1500


def test_the_last_request_of_a_connection_is_answered_and_ends_it(fenced: Rig) -> None:
    client = fenced.dial()
    said = []
    for _ in range(3):
        client.send(GET)
        fenced.origin.next_request().answer()
        response = client.response()
        assert response.body == b"ok"
        said.append(response.value(b"connection"))
    assert said == [None, None, b"close"]
    assert client.is_closed()


def test_requests_behind_the_last_one_go_nowhere(fenced: Rig) -> None:
    client = fenced.dial()
    client.send(GET * 5)
    for _ in range(3):
        fenced.origin.next_request().answer()
        assert client.response().body == b"ok"
    assert client.is_closed()
    fenced.barrier()
    assert fenced.origin.is_untouched()


def test_the_last_answer_arrives_whole(fenced: Rig) -> None:
    client = fenced.dial()
    for _ in range(2):
        client.send(GET)
        fenced.origin.next_request().answer()
        client.response()
    client.send(GET)
    body = b"b" * 3_000_000
    answering = fenced.hands.submit(
        fenced.origin.next_request().answer, lines(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=chunks([body, body]))
    )
    assert client.response().body == body * 2
    answering.result()
    assert client.is_closed()


def sent(rig: Rig, body: bytes) -> Stream:
    """A client whose request is with upstream."""
    client = rig.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % len(body), body=body))
    return client


def test_bodies_that_find_no_room_are_counted_and_pass(tmp_path: Path) -> None:
    bodies: Section = {"replay_max_bytes": KEPT_MAX_BYTES, "buffered_max_bytes": BUFFERED_MAX_BYTES}
    with running({"bodies": bodies, "admin": {"token": TOKEN}}, tmp_path) as rig:
        first = sent(rig, b"a" * KEPT_MAX_BYTES)
        at_hand = rig.origin.next_request()
        assert at_hand.body() == b"a" * KEPT_MAX_BYTES
        assert (metric(rig, "bodies_unkept_total"), metric(rig, "buffered_bytes")) == (0, KEPT_MAX_BYTES)
        for size_bytes, unkept in ((KEPT_MAX_BYTES, 1), (KEPT_MAX_BYTES + 1, 1), (BUFFERED_MAX_BYTES - KEPT_MAX_BYTES, 1), (KEPT_MAX_BYTES, 2)):
            client = sent(rig, b"b" * size_bytes)
            received = rig.origin.next_request()
            assert received.body() == b"b" * size_bytes
            received.answer()
            assert client.response().status == 200
            assert metric(rig, "bodies_unkept_total") == unkept
        at_hand.answer()
        assert first.response().status == 200
