"""Answers as bytes on the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from simulator.rig import PATIENCE_S

if TYPE_CHECKING:
    from simulator.rig import Simulator

BODY_BYTES = 1_000


def asking(cue: str, version: str = "1.1", method: str = "GET") -> bytes:
    return f"{method} /x HTTP/{version}\r\nHost: x\r\nX-Simulator: status=200; body_bytes={BODY_BYTES}; {cue}\r\n\r\n".encode()


async def test_a_reset_before_the_head_sends_nothing(nylas: Simulator) -> None:
    assert await nylas.bytes_for(asking("reset=before_head")) == (b"", True)


async def test_a_reset_in_the_head_sends_a_part_of_it(nylas: Simulator) -> None:
    received, was_reset = await nylas.bytes_for(asking("reset=in_head"))
    assert was_reset
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"\r\n\r\n" not in received


async def test_a_reset_after_the_head_sends_no_body(nylas: Simulator) -> None:
    received, was_reset = await nylas.bytes_for(asking("reset=after_head"))
    assert was_reset
    assert received.endswith(b"Content-Length: 1000\r\n\r\n")


@pytest.mark.parametrize(("cue", "was_reset"), [("reset=mid_body", True), ("break=mid_body", False)])
async def test_half_of_a_promised_body_comes(nylas: Simulator, cue: str, was_reset: bool) -> None:
    received, ended_by_reset = await nylas.bytes_for(asking(cue))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.endswith(b"Content-Length: 1000")
    assert (len(body), ended_by_reset) == (BODY_BYTES // 2, was_reset)


async def test_a_broken_chunked_body_lacks_its_last_chunk(nylas: Simulator) -> None:
    received, was_reset = await nylas.bytes_for(asking("break=mid_body; chunked=1"))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.endswith(b"Transfer-Encoding: chunked")
    assert (body, was_reset) == (b"1f4\r\n" + b"a" * 500 + b"\r\n", False)


async def test_a_stream_of_unknown_length_breaks_after_its_first_piece(nylas: Simulator) -> None:
    body = b'{"prompt": "p"}'
    received, _ = await nylas.bytes_for(
        b"POST /v3/grants/me/messages/smart-compose HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nAccept: text/event-stream\r\n"
        b"X-Simulator: break=mid_body\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    assert received.endswith(b'\r\n\r\n1f\r\ndata: {"suggestion":"Thank "}\n\n\r\n')


async def test_a_close_delimited_body_has_no_framing(nylas: Simulator) -> None:
    received, was_reset = await nylas.bytes_for(asking("close_delimited=1"))
    head, _, body = received.partition(b"\r\n\r\n")
    assert [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]] == [b"Content-Type", b"x-fastly-id", b"nylas-api-version", b"Connection"]
    assert (body, was_reset) == (b"a" * BODY_BYTES, False)


async def test_a_close_delimited_body_can_be_reset(nylas: Simulator) -> None:
    received, was_reset = await nylas.bytes_for(asking("close_delimited=1; reset=mid_body"))
    assert (received.endswith(b"\r\n\r\n" + b"a" * 500), was_reset) == (True, True)


async def test_a_body_of_known_length_can_be_chunked(nylas: Simulator) -> None:
    received, _ = await nylas.bytes_for(asking("chunked=1; keep=0"))
    assert b"\r\nTransfer-Encoding: chunked\r\n" in received
    assert received.endswith(b"\r\n\r\n3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n")


async def test_a_client_of_http_1_0_gets_no_chunks(nylas: Simulator) -> None:
    for cue in ("chunked=1", "break=mid_body; chunked=1"):
        received, _ = await nylas.bytes_for(asking(cue, version="1.0"))
        assert b" 200 " in received.partition(b"\r\n")[0]
        assert b"chunked" not in received.lower()


async def test_a_delayed_body_comes_in_four_pieces(nylas: Simulator) -> None:
    received, _ = await nylas.bytes_for(asking("chunked=1; chunk_delay_s=0.001; keep=0"))
    assert received.count(b"\r\nfa\r\n") == 4


@pytest.mark.parametrize("cue", ["reset=mid_body", "break=mid_body", "close_delimited=1"])
async def test_an_answer_to_head_has_no_body_however_it_ends(nylas: Simulator, cue: str) -> None:
    received, _ = await nylas.bytes_for(asking(cue, method="HEAD"))
    assert received.endswith(b"\r\n\r\n")


async def test_an_early_answer_comes_before_the_body(nylas: Simulator) -> None:
    reader, writer = await nylas.connect()
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"POST /files HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\nX-Simulator: early=1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    early = (await nylas.arrivals())[0]
    assert (early["body_complete"], early["status"]) == (False, 413)


async def test_an_early_answer_may_have_any_status(nylas: Simulator) -> None:
    reader, writer = await nylas.connect()
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"POST /files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Simulator: early=1; status=401\r\n\r\n5\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_an_expectation_is_met_before_the_body_is_read(nylas: Simulator) -> None:
    reader, writer = await nylas.connect()
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()


async def test_a_connection_serves_one_request_after_the_other(nylas: Simulator) -> None:
    await nylas.bytes_for(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await nylas.bytes_for(b"GET /x HTTP/1.0\r\n\r\n")
    assert [arrival["connection"] for arrival in await nylas.arrivals()] == [1, 1, 1, 2]
