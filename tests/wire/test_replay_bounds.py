"""What is kept of a body stays within its bounds, is let go when the request is over, and is never sent in part as if it were whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.wire.call import CallEnd
from wire.repeater import MIB, Repeater, repeating
from wire.stream import BrokenOff
from wire.test_streaming import send_until_blocked
from wire.uploads import BODY, FRAMES, closes, in_chunks, in_length, read_exactly, resets, says_503

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wire.origin import Received
    from wire.uploads import Frame


@pytest.fixture
def repeater(loop_name: str) -> Iterator[Repeater]:
    with repeating(loop_name) as repeater:
        yield repeater


@FRAMES
def test_what_comes_between_two_calls_is_held_and_the_rest_waits_with_the_client(repeater: Repeater, frame: Frame) -> None:
    body = BODY * 120
    head, first, rest = frame(body, 7)
    client = repeater.dial()
    client.send(head + first)
    received = repeater.origin.next_request()
    assert read_exactly(received, 7) == body[:7]
    repeater.close_gate()
    says_503(received)
    assert received.stream.is_closed()
    taken = send_until_blocked(client, rest[:MIB], len(rest) - MIB)
    assert taken < 25 * MIB  # what the kernel holds, and a packet
    assert repeater.exchange is not None
    assert repeater.exchange.body.received_bytes < MIB
    assert repeater.memory.used_bytes == 7
    client.reset()
    repeater.open_gate()


def test_a_request_that_waits_before_its_first_call_is_not_read_to_its_end(repeater: Repeater) -> None:
    body = BODY * 50
    repeater.close_gate()
    client = repeater.dial()
    sending = repeater.hands.submit(client.send, b"".join(in_length(body, 0)))
    while repeater.exchange is None or not repeater.exchange.body.received_bytes:
        assert repeater.origin.is_untouched()
    assert not sending.done()
    assert repeater.exchange.body.received_bytes < MIB
    assert repeater.memory.used_bytes == 0
    repeater.open_gate()
    received = repeater.origin.next_request()
    assert received.body() == body
    received.answer()
    assert client.response().status == 200
    assert repeater.next_ended() == ([200], False)


@pytest.mark.parametrize("end", [resets, closes])
@FRAMES
def test_a_body_over_the_cap_is_not_sent_again(
    loop_name: str,
    frame: Frame,
    end: Callable[[Received], None],
) -> None:
    with repeating(loop_name, cap_bytes=len(BODY) - 1) as repeater:
        client = repeater.dial()
        sending = repeater.hands.submit(client.send, b"".join(frame(BODY, 7)))
        received = repeater.origin.next_request()
        assert received.body() == BODY
        assert repeater.memory.used_bytes == 0
        sending.result()
        end(received)
        assert client.response().status == 502
        assert repeater.next_ended() == ([CallEnd.CLOSED], False)
        assert repeater.origin.is_untouched()


def test_a_body_at_the_cap_is_sent_again(loop_name: str) -> None:
    with repeating(loop_name, cap_bytes=len(BODY)) as repeater:
        client = repeater.dial()
        repeater.hands.submit(client.send, b"".join(in_length(BODY, 7)))
        received = repeater.origin.next_request()
        assert received.body() == BODY
        assert repeater.memory.used_bytes == len(BODY)
        resets(received)
        again = repeater.origin.next_request()
        assert again.body() == BODY
        again.answer()
        assert client.response().status == 200


def test_a_body_that_outgrows_the_cap_in_its_second_call_still_arrives(loop_name: str) -> None:
    with repeating(loop_name, cap_bytes=100_000) as repeater:
        head, first, rest = in_length(BODY, 90_000)
        client = repeater.dial()
        sending = repeater.hands.submit(client.send, head + first)
        received = repeater.origin.next_request()
        read_exactly(received, 90_000)
        sending.result()
        resets(received)
        again = repeater.origin.next_request()
        client.send(rest)
        assert again.body() == BODY
        assert repeater.memory.used_bytes == 0
        again.answer()
        assert client.response().status == 200
        assert repeater.next_ended() == ([CallEnd.CLOSED, 200], False)


def test_bodies_beyond_what_the_process_may_keep_are_not_sent_again(loop_name: str) -> None:
    with repeating(loop_name, memory_max_bytes=len(BODY) + 100) as repeater:
        kept, lost = repeater.dial(), repeater.dial()
        repeater.hands.submit(kept.send, b"".join(in_length(BODY, 7)))
        first = repeater.origin.next_request()
        assert first.body() == BODY
        lost.send(b"".join(in_length(BODY[:101], 7)))
        second = repeater.origin.next_request()
        assert second.body() == BODY[:101]
        assert repeater.memory.used_bytes == len(BODY)
        resets(second)
        assert lost.response().status == 502
        resets(first)
        again = repeater.origin.next_request()
        assert again.body() == BODY
        again.answer()
        assert kept.response().status == 200
        assert repeater.peak_bytes <= repeater.memory.max_bytes


@FRAMES
@pytest.mark.parametrize("how", ["finish_sending", "close", "reset"])
def test_a_client_that_leaves_ends_the_second_call_and_nothing_of_its_body_stays(repeater: Repeater, frame: Frame, how: str) -> None:
    head, first, _ = frame(BODY, 7)
    client = repeater.dial()
    client.send(head + first)
    resets(repeater.origin.next_request())
    again = repeater.origin.next_request()
    assert read_exactly(again, 7) == BODY[:7]
    getattr(client, how)()
    with pytest.raises(BrokenOff):
        again.body()
    assert repeater.next_ended() == ([CallEnd.CLOSED], False)
    assert repeater.memory.used_bytes == 0


def test_a_client_that_leaves_between_two_calls_ends_the_matter(repeater: Repeater) -> None:
    client = repeater.dial()
    client.send(b"".join(in_length(BODY[:10], 5)))
    received = repeater.origin.next_request()
    assert received.body() == BODY[:10]
    repeater.close_gate()
    says_503(received)
    closes(received)
    assert received.stream.is_closed()
    client.reset()
    assert repeater.next_ended() == ([503], True)
    assert repeater.memory.used_bytes == 0
    repeater.open_gate()
    assert repeater.origin.is_untouched()


def test_a_body_that_breaks_in_its_second_call_is_complete_for_nobody(repeater: Repeater) -> None:
    head, first, _ = in_chunks(BODY, 7)
    client = repeater.dial()
    client.send(head + first)
    resets(repeater.origin.next_request())
    again = repeater.origin.next_request()
    assert read_exactly(again, 7) == BODY[:7]
    client.send(b"no chunk\r\n")
    with pytest.raises(BrokenOff):
        again.body()
    assert repeater.next_ended() == ([CallEnd.CLOSED, CallEnd.REQUEST_BROKEN], False)
    assert client.response().status == 502
