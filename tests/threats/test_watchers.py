"""What those see who read the log, the metrics and the status page: no secret, and not more for more callers."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import pytest
from wire.cases import HOST
from wire.rig import running
from wire.stream import lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.rig import Rig

SECRET = b"s3cr3t"
OPERATORS_TOKEN = "a-s3cret"
SHOWN = ("/metrics", "/status.json", "/")
ANSWERS = (
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 404 s3cr3t",
    b"HTTP/1.1 429 Too Many Requests",
    b"HTTP/1.1 503 s3cr3t",
)
TARGETS = (
    b"/v3/grants/s3cr3t@example.com/messages?q=s3cr3t",
    b"/v3/grants/s3cr3t/s3cr3t",
    b"/v3/s3cr3t",
)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Rig]:
    with running({"admin": {"token": OPERATORS_TOKEN}}, tmp_path) as rig:
        yield rig


def shown(rig: Rig, path: str) -> bytes:
    listening = rig.proxy.wait_for(lambda event: event.get("event") == "proxy.listening")
    admin = http.client.HTTPConnection("127.0.0.1", int(listening["admin_port"]), timeout=8)
    admin.request("GET", path, headers={"Authorization": f"Bearer {OPERATORS_TOKEN}"})
    answer = admin.getresponse()
    assert answer.status == 200
    body = answer.read()
    admin.close()
    return body


def told(target: bytes, *more: bytes) -> bytes:
    return lines(b"POST " + target + b" HTTP/1.1", HOST, b"Authorization: Bearer s3cr3t", b"Cookie: s3cr3t", *more, b"Content-Length: 6", body=SECRET)


def test_no_secret_of_a_request_or_an_answer_is_shown_to_who_watches(watched: Rig) -> None:
    for target in TARGETS:
        for line in ANSWERS:
            answer = lines(line, b"Set-Cookie: s3cr3t", b"Content-Type: application/json", b"Content-Length: 22", body=b'{"message": "s3cr3t" }')
            watched.exchange(told(target), answer, method=b"POST")
    for request in (told(b"/v3/x", b"X s3cr3t: 1"), told(b"/v3/x#s3cr3t"), b"s3cr3t\r\n\r\n"):
        client = watched.dial()
        client.send(request)
        client.response()
    for path in SHOWN:
        body = shown(watched, path)
        assert SECRET not in body
        assert OPERATORS_TOKEN.encode() not in body
        assert b"request_malformed" in body  # it does tell of these requests
    assert "s3cr3t" not in repr(watched.proxy._events)


def series(rig: Rig) -> set[str]:
    """What is measured, of requests; of the process itself it may become more."""
    samples = (line.rpartition(" ")[0] for line in shown(rig, "/metrics").decode().splitlines() if line.startswith("nylas_proxy_"))
    return {sample for sample in samples if "_created" not in sample}


def asked_for(rig: Rig, name: bytes) -> None:
    for method, target in ((b"GET", b"/v3/grants/%b/messages" % name), (b"GET", b"/v3/%b" % name), (b"PROPFIND", b"/%b" % name)):
        client = rig.dial()
        client.send(lines(method + b" " + target + b" HTTP/1.1", HOST, b"Authorization: Bearer nyk_v0_%b" % name))
        (rig.origin if target.startswith(b"/v3/") else rig.legacy).next_request().answer()
        assert client.response().status == 200


def test_however_many_are_asked_for_no_more_is_measured(watched: Rig) -> None:
    asked_for(watched, b"first")
    before = series(watched)
    for number in range(40):
        asked_for(watched, b"other-%d" % number)
    assert series(watched) == before
