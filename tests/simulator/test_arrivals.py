from __future__ import annotations

import asyncio
import hashlib
import io
from typing import TYPE_CHECKING

import aiohttp
import pytest

from proxy.simulator import arrivals, request_body
from simulator.rig import GRANT, PATIENCE_S

if TYPE_CHECKING:
    from simulator.rig import Simulator

ODD = (
    b"POST /v3/grants/a%2Fb/x%2fy/..;z=1//?q=%2B+%20&empty=&&a=1&a=2 HTTP/1.1\r\n"
    b"hOsT: example.com\r\nX-Twice: one\r\nx-other: \xe9;  two  words\r\nX-TWICE: two\r\nEmpty:\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x00\xff"
)


async def test_a_request_is_recorded_byte_for_byte(nylas: Simulator) -> None:
    await nylas.bytes_for(ODD)
    (arrival,) = await nylas.arrivals()
    assert (arrival["method"], arrival["version"]) == ("POST", "1.1")
    assert arrival["target"].encode("latin-1") == ODD.split(b" ")[1]
    assert arrival["fields"] == [
        ["hOsT", "example.com"],
        ["X-Twice", "one"],
        ["x-other", "\xe9;  two  words"],
        ["X-TWICE", "two"],
        ["Empty", ""],
        ["Content-Encoding", "gzip"],
        ["Content-Length", "4"],
        ["Connection", "close"],
    ]


@pytest.mark.parametrize("target", [b"/x?", b"/?a", b"//x//y/../z", b"/x?a=%zz&b=%FF", b"http://example.com/x?", b"/%2e%2E/[]|^"])
async def test_a_target_is_recorded_as_sent(nylas: Simulator, target: bytes) -> None:
    await nylas.bytes_for(b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
    assert [arrival["target"].encode("latin-1") for arrival in await nylas.arrivals()] == [target]


async def test_a_body_is_recorded_with_framing_length_and_hash(nylas: Simulator) -> None:
    await nylas.bytes_for(ODD)
    await nylas.bytes_for(b"PUT /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    await nylas.bytes_for(b"GET /x HTTP/1.0\r\n\r\n")
    recorded = [(arrival["framing"], arrival["body_bytes"], arrival["body_sha256"], arrival["body_complete"]) for arrival in await nylas.arrivals()]
    assert recorded == [
        ("content-length", 4, hashlib.sha256(b"\x1f\x8b\x00\xff").hexdigest(), True),
        ("chunked", 3, hashlib.sha256(b"abc").hexdigest(), True),
        ("none", 0, hashlib.sha256(b"").hexdigest(), True),
    ]


async def test_arrivals_are_numbered_and_listed_from_any_number(nylas: Simulator) -> None:
    for path in ("/a", "/b", "/c"):
        await nylas.ask("GET", path)
    assert [arrival["target"] for arrival in await nylas.arrivals(since=1)] == ["/b", "/c"]
    times = [arrival["arrived_s"] for arrival in await nylas.arrivals()]
    assert times == sorted(times)
    assert (await nylas.ask("GET", "/__simulator/arrivals?since=x")).status == 400


async def test_the_record_can_be_cleared_and_numbers_go_on(nylas: Simulator) -> None:
    await nylas.ask("POST", f"{GRANT}/messages/send", json={"to": [{"email": "x@example.com"}]})
    assert (await nylas.ask("DELETE", "/__simulator/arrivals")).status == 204
    assert (await nylas.ask("DELETE", "/__simulator/deliveries")).status == 204
    await nylas.ask("GET", "/b")
    assert [arrival["number"] for arrival in await nylas.arrivals()] == [2]
    assert (await nylas.deliveries())["messages"] == []


async def test_the_record_is_bounded(nylas: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MAX_DELIVERIES", 2)
    for subject in ("a", "b", "c"):
        await nylas.ask("POST", f"{GRANT}/messages/send", json={"to": [{"email": "x@example.com"}], "subject": subject})
    assert [message["subject"] for message in (await nylas.deliveries())["messages"]] == ["b", "c"]
    record = arrivals.Arrivals()
    assert record._kept.maxlen == 10_000


async def test_what_became_of_a_request_is_recorded(nylas: Simulator) -> None:
    await nylas.ask("GET", "/account")
    await nylas.bytes_for(b"GET /x HTTP/1.1\r\nHost: x\r\nX-Simulator: reset=in_head\r\n\r\n")
    await nylas.ask("GET", "/x", cue="unknown=1")
    assert [(arrival["status"], arrival["outcome"]) for arrival in await nylas.arrivals()] == [(200, "answered"), (401, "cut"), (400, "answered")]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /x HTTP/1.1\r\nHost: x\r\nX-Simulator: delay_s=3600\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        b"GET /files/size-900000000/download HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n",
    ],
    ids=["while it waits", "in mid-upload", "in mid-download"],
)
async def test_a_client_that_leaves_is_noticed(nylas: Simulator, request_bytes: bytes) -> None:
    _, writer = await nylas.connect()
    async with asyncio.timeout(PATIENCE_S):
        writer.write(request_bytes)
        while not (record := await nylas.arrivals()):
            pass
        writer.close()
        while (record := await nylas.arrivals())[0]["outcome"] is None:
            pass
    assert record[0]["outcome"] == "client_left"


async def test_a_body_with_broken_chunks_is_recorded_as_incomplete(nylas: Simulator) -> None:
    _, writer = await nylas.connect()
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        while not (record := await nylas.arrivals()) or not record[0]["body_bytes"]:
            pass
        writer.write(b"ZZ\r\n")
        writer.close()
        while (record := await nylas.arrivals())[0]["outcome"] is None:
            pass
    assert [(arrival["body_bytes"], arrival["body_complete"], arrival["outcome"]) for arrival in record] == [(3, False, "client_left")]


async def test_a_body_over_the_limit_is_refused(nylas: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 1_000)
    answer = await nylas.ask("POST", f"{GRANT}/messages/send", data=io.BytesIO(bytes(5_000)), headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json()["error"]["message"]) == (413, "The request body is too large")


async def test_a_body_too_long_to_be_kept_is_hashed_all_the_same(nylas: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "KEPT_BYTES", 1_000)
    content = bytes(range(256)) * 40
    answer = await nylas.ask("POST", f"{GRANT}/messages/send", data=io.BytesIO(content), headers={"Content-Type": "application/json"})
    assert answer.status == 413
    assert (await nylas.arrivals())[0]["body_sha256"] == hashlib.sha256(content).hexdigest()


async def test_connections_are_told_apart(nylas: Simulator) -> None:
    async with aiohttp.ClientSession() as other:
        await nylas.ask("GET", "/account")
        async with other.get(f"{nylas.url}/account") as response:
            await response.read()
        await nylas.ask("GET", "/account")
    assert [arrival["connection"] for arrival in await nylas.arrivals()] == [1, 2, 1]


async def test_a_head_as_large_as_a_proxy_lets_through_is_taken(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", "/account", headers={"X-Large": "a" * 60_000, **{f"X-{number}": "b" for number in range(190)}})).status == 200
    assert (await nylas.ask("GET", "/account?q=" + "a" * 60_000)).status == 200
