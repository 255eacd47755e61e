"""What is kept of a body, object by object: nothing twice, nothing too long, nothing for a call that would get half of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.body import HELD_MAX_BYTES, Body
from proxy.wire.head import RequestHead, render_request
from proxy.wire.replay import KeptMemory, Replay

if TYPE_CHECKING:
    from proxy.wire.head import Field

MIB = 1024 * 1024


class Client:
    """Where a body comes from; remembers whether it is held."""

    def __init__(self) -> None:
        self.held = False

    def hold_body(self) -> None:
        self.held = True

    def release_body(self) -> None:
        self.held = False


class Call:
    """What a call gets of a body; every `gives_back`-th piece is handed back once, as an upload does that upstream wants to interrupt."""

    def __init__(self, replay: Replay, gives_back: int = 0) -> None:
        self._replay = replay
        self._gives_back = gives_back
        self._pieces = 0
        self._had_it_before = False
        self.got = replay.take()
        self.why: object = None
        self.ended = replay.ended
        if not self.ended:
            replay.attach(self)

    def body_data(self, data: bytes) -> None:
        assert data
        self._pieces += not self._had_it_before
        self._had_it_before = not self._had_it_before and self._gives_back != 0 and self._pieces % self._gives_back == 0
        if self._had_it_before:
            self._replay.detach(data)
        else:
            self.got += data

    def body_end(self, trailers: list[Field]) -> None:
        assert trailers == self._replay.trailers
        assert not self.ended
        self.ended = True

    def body_broken(self, why: object) -> None:
        self.why = why

    def come_back(self) -> None:
        """Attach again after a piece was handed back."""
        self._replay.attach(self)

    def end(self) -> None:
        self._replay.leave(self)


def kept(cap_bytes: int = MIB, memory_max_bytes: int = MIB) -> tuple[Body, Replay, KeptMemory, Client]:
    client, memory = Client(), KeptMemory(memory_max_bytes)
    body = Body(client)
    return body, Replay(body, memory, cap_bytes), memory, client


STEPS = st.lists(st.one_of(st.binary(min_size=1, max_size=40), st.just("again"), st.just("leave"), st.just("back")), max_size=30)


@given(STEPS, st.integers(0, 4), st.integers(0, 400))
def test_every_call_gets_the_body_from_its_first_byte_however_calls_and_pieces_mix(steps: list[bytes | str], gives_back: int, cap_bytes: int) -> None:
    body, replay, memory, _ = kept(cap_bytes)
    sent, call = b"", Call(replay, gives_back)
    for step in steps:
        if isinstance(step, bytes):
            sent += step
            body.feed(step)
        elif step == "back" and replay._sink is None:
            call.come_back()
        elif step == "leave":
            call.end()
        elif step == "again" and replay.replayable:
            call.end()
            call = Call(replay, gives_back)
        assert sent.startswith(call.got)
        assert memory.used_bytes <= cap_bytes
    finish(body, replay, call)
    if replay.replayable:
        last = Call(replay)
        assert (last.got, last.ended) == (sent, True)
    replay.let_go()
    assert memory.used_bytes == 0


def finish(body: Body, replay: Replay, call: Call) -> None:
    body.end([(b"X-Sum", b"1")])
    call.end()
    assert replay.trailers == [(b"X-Sum", b"1")]


@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=12), st.integers(0, 6))
def test_long_bodies_are_handed_over_whole_in_pieces(sizes: list[int], gives_back: int) -> None:
    body, replay, _, _ = kept()
    first = Call(replay)
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    for piece in pieces:
        body.feed(piece)
    first.end()
    again = Call(replay, gives_back)
    while replay._sink is None:
        again.come_back()
    body.end([])
    assert (first.got, again.got, again.ended) == (b"".join(pieces), b"".join(pieces), True)


def test_a_body_in_chunks_of_one_byte_is_kept_in_few_pieces() -> None:
    body, replay, memory, _ = kept()
    Call(replay)
    for _ in range(100_000):
        body.feed(b"x")
    assert memory.used_bytes == 100_000
    assert replay._kept is not None
    assert len(replay._kept) < 30


def test_what_breaks_is_kept_no_longer() -> None:
    body, replay, memory, _ = kept()
    call = Call(replay)
    body.feed(b"hello")
    assert (memory.used_bytes, replay.replayable) == (5, True)
    body.abort("why")
    assert (memory.used_bytes, replay.replayable, call.why) == (0, False, "why")


def test_what_breaks_between_two_calls_is_not_replayable() -> None:
    body, replay, _, _ = kept()
    Call(replay).end()
    body.abort("why")
    assert not replay.replayable
    assert Call(replay).why == "why"


def test_letting_go_twice_gives_back_once_and_a_call_under_way_gets_the_rest() -> None:
    body, replay, memory, _ = kept()
    memory.take(100)
    call = Call(replay)
    body.feed(b"he")
    replay.let_go()
    replay.let_go()
    body.feed(b"llo")
    body.end([])
    assert (memory.used_bytes, call.got, call.ended, replay.replayable) == (100, b"hello", True, False)


def test_half_a_body_is_never_sent_again() -> None:
    body, replay, _, _ = kept(cap_bytes=4)
    body.feed(b"hello")
    Call(replay).end()
    body.end([])
    with pytest.raises(RuntimeError):
        replay.take()


def test_a_second_call_before_the_first_is_over_is_a_bug() -> None:
    _, replay, _, _ = kept()
    Call(replay)
    with pytest.raises(RuntimeError):
        replay.take()


def test_a_call_that_ends_late_does_not_take_the_body_from_the_next() -> None:
    body, replay, _, _ = kept()
    first = Call(replay)
    first.end()
    second = Call(replay)
    first.end()
    body.feed(b"hello")
    assert second.got == b"hello"


def test_between_two_calls_the_client_is_held_as_before_the_first_and_released_by_the_next() -> None:
    body, replay, _, client = kept()
    call = Call(replay)
    replay.hold()
    assert client.held
    call.end()
    assert not client.held
    body.feed(b"x" * HELD_MAX_BYTES)
    assert not client.held
    body.feed(b"x")
    assert client.held
    Call(replay)
    assert not client.held


def test_a_client_that_is_let_run_when_its_request_is_answered_is_not_held_by_a_call_that_ends_later() -> None:
    body, replay, _, client = kept()
    call = Call(replay)
    body.discard()
    call.end()
    body.feed(b"x" * (HELD_MAX_BYTES + 1))
    assert not client.held


def test_fields_of_ours_follow_the_callers_and_change_none() -> None:
    fields = [(b"host", b"HOST", b"a"), (b"b", b"B", b"1"), (b"b", b"b", b"2")]
    head = RequestHead(b"POST", b"/x", is_http_10=False, fields=fields)
    assert render_request(head, b"/x", b"up", b"x-", ((b"Key", b"k"), (b"C", b"3"))) == (
        b"POST /x HTTP/1.1\r\nHOST: up\r\nB: 1\r\nb: 2\r\nKey: k\r\nC: 3\r\n\r\n"
    )


def test_a_repeat_gets_a_short_body_with_its_head_and_the_rest_of_a_long_one_piece_by_piece_and_uncopied() -> None:
    body, replay, _, _ = kept()
    first = Call(replay)
    pieces = [b"a" * 60_000, b"b" * 6000, b"c" * 70_000, b"d" * 70_000]
    for piece in pieces[:2]:
        body.feed(piece)
    first.end()
    again = Call(replay)
    assert again.got == b"".join(pieces[:2])
    for piece in pieces[2:]:
        body.feed(piece)
    body.end([])
    again.end()
    assert replay.take() == b"".join(pieces[:2])
    assert replay._pending == pieces[2:]
    assert replay._pending[0] is pieces[2]
    assert not replay.ended
