"""A body goes upstream again, byte for byte: whatever became of the call before, and however much of it had come by then."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

import pytest

from proxy.wire.call import CallEnd
from wire.cases import CHUNKED, HOST
from wire.repeater import EXTRA, Repeater, repeating
from wire.stream import Stream, chunks, lines, send_what_is_taken
from wire.uploads import BODY, ENDS, FRAMES, TRAILER, assert_all_of_it, in_chunks, read_exactly, resets, says_503, says_503_and_closes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wire.origin import Received
    from wire.uploads import Frame


@pytest.fixture
def repeater(loop_name: str) -> Iterator[Repeater]:
    with repeating(loop_name) as repeater:
        yield repeater


def refused_url() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@FRAMES
@pytest.mark.parametrize("cut", [0, 7, 200_000, len(BODY)])
def test_a_call_that_found_nobody_goes_to_the_next_with_all_of_its_body(loop_name: str, frame: Frame, cut: int) -> None:
    head, first, rest = frame(BODY, cut)
    with repeating(loop_name, first_url=refused_url()) as repeater:
        client = repeater.dial()
        sending = repeater.hands.submit(client.send, head + first)
        received = repeater.origin.next_request()
        already = read_exactly(received, cut)
        sending.result()
        client.send(rest)
        assert_all_of_it(received, BODY, already=already)
        received.answer()
        assert client.response().status == 200
        assert repeater.next_ended() == ([CallEnd.UNREACHABLE, 200], True)


@FRAMES
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("cut", [0, 7, 70_000, 200_000])
def test_a_call_that_ends_in_the_middle_of_its_body_is_made_again_with_all_of_it(
    repeater: Repeater,
    frame: Frame,
    end: Callable[[Received], None],
    cut: int,
) -> None:
    head, first, rest = frame(BODY, cut)
    client = repeater.dial()
    sending = repeater.hands.submit(client.send, head + first)
    received = repeater.origin.next_request()
    assert read_exactly(received, cut) == BODY[:cut]
    sending.result()
    end(received)
    again = repeater.origin.next_request()
    assert read_exactly(again, cut) == BODY[:cut]  # at once, the client has not sent the rest
    assert again.head.fields == (*received.head.fields, EXTRA)
    assert again.head.start == received.head.start
    client.send(rest)
    assert_all_of_it(again, BODY, already=BODY[:cut])
    again.answer()
    assert client.response().status == 200
    assert len(repeater.next_ended().calls) == 2
    assert not received.decoder.finished


@FRAMES
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size_bytes", [1, 300_000])
def test_a_call_that_ends_when_all_of_its_body_has_left_is_made_again_with_all_of_it(
    repeater: Repeater,
    frame: Frame,
    end: Callable[[Received], None],
    size_bytes: int,
) -> None:
    body = BODY[:size_bytes]
    client = repeater.dial()
    sending = repeater.hands.submit(client.send, b"".join(frame(body, size_bytes // 2)))
    for _ in range(2):
        received = repeater.origin.next_request()
        assert_all_of_it(received, body)
        sending.result()
        end(received)
    last = repeater.origin.next_request()
    assert_all_of_it(last, body)
    last.answer()
    assert client.response().status == 200
    assert len(repeater.next_ended().calls) == 3
    assert repeater.origin.is_untouched()


EXPECTING = lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: 5", b"Expect: 100-continue")
CONTINUE = lines(b"HTTP/1.1 100 Continue")


def test_permission_to_send_a_body_may_come_of_the_second_call(repeater: Repeater) -> None:
    client = repeater.dial()
    client.send(EXPECTING)
    says_503(repeater.origin.next_request())
    again = repeater.origin.next_request()
    assert again.head.value(b"expect") == b"100-continue"
    again.send(CONTINUE)
    assert client.head().start == b"HTTP/1.1 100 Continue"
    client.send(b"hello")
    assert again.body() == b"hello"
    again.answer()
    assert client.response().status == 200


def test_a_body_that_was_permitted_once_does_not_wait_for_a_second_permission(repeater: Repeater) -> None:
    client = repeater.dial()
    client.send(EXPECTING)
    received = repeater.origin.next_request()
    received.send(CONTINUE)
    assert client.head().start == b"HTTP/1.1 100 Continue"
    client.send(b"hel")
    assert read_exactly(received, 3) == b"hel"
    resets(received)
    again = repeater.origin.next_request()
    assert read_exactly(again, 3) == b"hel"
    client.send(b"lo")
    assert again.body() == b"lo"
    again.answer()
    assert client.response().status == 200


def test_the_connection_of_a_client_goes_on_after_a_repeated_request(repeater: Repeater) -> None:
    client = repeater.dial()
    for size_bytes in (3, 200_000, 10):
        body = BODY[:size_bytes]
        client.send(b"".join(in_chunks(body, 2)))
        for end in (says_503_and_closes, None):
            received = repeater.origin.next_request()
            assert_all_of_it(received, body)
            if end:
                end(received)
            else:
                received.answer()
        assert client.response().status == 200


def torn(body: bytes, dice: random.Random) -> list[bytes]:
    """The body in chunks of random sizes, and these in packets of random sizes."""
    pieces: list[bytes] = []
    while body:
        size = dice.choice([1, 2, 17, 4095, 4096, 4097, 30_000, 65_536, 65_537, 200_000])
        pieces.append(body[:size])
        body = body[size:]
    raw = chunks(pieces, TRAILER)
    cuts = sorted(dice.randrange(len(raw)) for _ in range(dice.randrange(6)))
    return [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True) if start < end]


def fail_somewhere(received: Received, wanted: int, dice: random.Random, body: bytes) -> None:
    """Take about so many bytes of the body, then end the call somehow; what has come is the body's beginning."""
    payload = b""
    while len(payload) < wanted and (piece := received.piece()):
        payload += piece
    assert body.startswith(payload)
    dice.choice(ENDS)(received)


@pytest.mark.parametrize("seed", range(40))
def test_any_body_torn_anyhow_arrives_whole_after_any_failures(repeater: Repeater, seed: int) -> None:
    dice = random.Random(seed)
    body = BODY[: dice.choice([1, 2, 5000, 65_536, 65_537, 150_000, 300_000])] * dice.choice([1, 1, 10])
    packets = torn(body, dice) if dice.random() < 0.6 else [body]
    framing = CHUNKED if packets != [body] else b"Content-Length: %d" % len(body)
    client = repeater.dial()
    sending = repeater.hands.submit(send_packets, client, [lines(b"POST /v3/x HTTP/1.1", HOST, framing), *packets])
    failures = dice.randrange(1, 4)
    for _ in range(failures):
        fail_somewhere(repeater.origin.next_request(), dice.choice([0, 1, len(body) // 2, len(body)]), dice, body)
    last = repeater.origin.next_request()
    assert last.body() == body
    assert last.trailers == (((b"X-Sum", b"1"),) if framing == CHUNKED else ())
    sending.result()
    last.answer()
    assert client.response().status == 200
    assert len(repeater.next_ended().calls) == failures + 1
    assert repeater.origin.is_untouched()


def send_packets(client: Stream, packets: list[bytes]) -> None:
    for packet in packets:
        send_what_is_taken(client, packet)
