from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from proxy.simulator import corpus
from proxy.simulator.cues import ALLOWED, CueMistake, Cues, read_header
from simulator.rig import GRANT

if TYPE_CHECKING:
    from simulator.rig import Simulator

RECORDED = json.loads(Path(corpus.__file__).with_name("responses.json").read_text())["responses"]
LIST = f"{GRANT}/contacts"


def test_a_header_is_read_key_by_key() -> None:
    assert read_header("status=502; html=1;delay_s=0.5") == Cues(status=502, html=True, delay_s=0.5)
    assert read_header('content_type="application/json; charset=utf-8" ; keep=0;') == Cues(content_type="application/json; charset=utf-8", keep=False)
    assert read_header("break=mid_body") == Cues(break_at="mid_body")
    assert read_header("") == Cues()


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("stats=502", "stats", f"unknown cue 'stats'; allowed are {', '.join(ALLOWED)}"),
        ("status=99", "status", "whole number from 200 to 599"),
        ("status=٥٠٢", "status", "whole number from 200 to 599"),
        ("body_bytes=5000000000000000000000; status=500", "body_bytes", "whole number"),
        ("delay_s=nan", "delay_s", "number of seconds from 0 to 3600"),
        ("delay_s=-1", "delay_s", "number of seconds"),
        ("heartbeat_s=0", "heartbeat_s", "from 0.001"),
        ("html=yes", "html", "0 or 1"),
        ("reset=now", "reset", "before_head, in_head, after_head, mid_body"),
        ("break=in_head", "break", "mid_body"),
        ("corpus=none", "corpus", "recorded response"),
        ("content_type=", "content_type", "printable ASCII"),
        ("keep=1; keep=0", "keep", "twice"),
        ("corpus=docs-v2-400; status=500", "corpus", "own status"),
        ("html=1", "html", "need 'status'"),
        ("body_bytes=5", "body_bytes", "need 'status'"),
        ("reset=mid_body; break=mid_body", "break", "contradicts"),
        ("close_delimited=1; chunked=1", "chunked", "contradicts"),
        ("close_delimited=1; break=mid_body", "break", "looks complete"),
        ("done=1", "done", "needs 'status' or 'corpus'"),
        ("done=1; status=500; early=1", "done", "contradicts 'early'"),
        ("retry_after=0", "retry_after", "needs 'throttle_s'"),
        ("throttle_s=0", "throttle_s", "from 0.001"),
        ("not_ready=1001", "not_ready", "whole number from 0 to 1000"),
        ("status", "X-Simulator", "key=value"),
        ('content_type="a', "X-Simulator", "key=value"),
    ],
)
def test_a_cue_that_cannot_be_followed_is_named(text: str, key: str, words: str) -> None:
    mistake = read_header(text)
    assert isinstance(mistake, CueMistake)
    assert mistake.key == key
    assert words in mistake.text


async def test_a_mistaken_cue_is_a_400_that_names_the_allowed_ones(nylas: Simulator) -> None:
    answer = await nylas.ask("GET", LIST, cue="statsu=502")
    assert answer.status == 400
    assert all(cue in answer.json()["error"]["message"] for cue in ALLOWED)


@pytest.mark.parametrize("entry", RECORDED, ids=[entry["id"] for entry in RECORDED])
async def test_a_recorded_response_is_sent_as_recorded(nylas: Simulator, entry: dict[str, Any]) -> None:
    answer = await nylas.ask("GET", LIST, cue=f"corpus={entry['id']}")
    assert answer.status == entry["status"]
    assert {name: answer.headers.get(name) for name in entry["headers"]} == entry["headers"]
    if entry["body_text"] is None:
        assert json.loads(answer.body) == entry["body"]
    else:
        assert answer.body.decode() == entry["body_text"]


async def test_a_made_up_error_has_the_shape_of_its_path(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", LIST, cue="status=504")).json()["error"]["type"] == "provider_error"
    assert (await nylas.ask("GET", "/messages", cue="status=503")).json() == {"message": "Service Unavailable", "type": "api_error"}
    assert (await nylas.ask("POST", "/v3/connect/token", cue="status=429")).json()["error_code"] == 429
    assert (await nylas.ask("GET", LIST, cue="status=599")).status == 599
    assert (await nylas.ask("GET", LIST, cue="status=201")).data == {}


async def test_an_html_page_can_be_of_any_size(nylas: Simulator) -> None:
    small = await nylas.ask("GET", LIST, cue="status=502; html=1")
    large = await nylas.ask("GET", LIST, cue="status=502; html=1; body_bytes=10000000")
    assert (small.headers["Content-Type"], small.body[:6]) == ("text/html", b"<html>")
    assert (len(large.body), large.body[-9:]) == (10_000_000, b"</html>\r\n")


async def test_a_made_up_body_has_the_wished_size_and_type(nylas: Simulator) -> None:
    answer = await nylas.ask("GET", LIST, cue='status=500; body_bytes=1234; content_type="a/b; c=d"')
    assert (len(answer.body), answer.headers.getall("Content-Type")) == (1234, ["a/b; c=d"])


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_none(nylas: Simulator, status: int) -> None:
    received, _ = await nylas.bytes_for(b"GET /messages HTTP/1.1\r\nHost: x\r\nX-Simulator: keep=0; status=%d\r\n\r\n" % status)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (body, b"transfer-encoding" in head.lower()) == (b"", False)


async def test_bodies_and_streams_can_be_gzipped(nylas: Simulator) -> None:
    plain = await nylas.ask("GET", LIST, cue="gzip=1", headers={"Accept-Encoding": "identity"})
    assert plain.headers["Content-Encoding"] == "gzip"
    assert plain.data  # aiohttp's client decoded it
    raw, _ = await nylas.bytes_for(
        b"GET /files/size-100000/download HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nX-Simulator: gzip=1; close_delimited=1\r\n\r\n"
    )
    assert len(gzip.decompress(raw.partition(b"\r\n\r\n")[2])) == 100_000


async def test_a_delay_comes_after_the_deed(nylas: Simulator) -> None:
    with pytest.raises(TimeoutError):
        await nylas.ask(
            "POST", f"{GRANT}/messages/send", cue="delay_s=3600", json={"to": [{"email": "x@example.com"}]}, timeout=aiohttp.ClientTimeout(total=0.3)
        )
    assert (await nylas.deliveries())["delivered"] == 1


async def test_a_closed_connection_is_announced(nylas: Simulator) -> None:
    received, was_reset = await nylas.bytes_for(b"GET /x HTTP/1.1\r\nHost: x\r\nX-Simulator: keep=0\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in received
    assert not was_reset


async def test_the_cues_of_a_request_may_stand_in_several_fields(nylas: Simulator) -> None:
    received, _ = await nylas.bytes_for(b"GET /x HTTP/1.1\r\nHost: x\r\nX-Simulator: keep=0\r\nX-Simulator: status=418\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 418 ")


@pytest.mark.parametrize(("cue", "delivered"), [("status=503", 0), ("status=504; done=1", 1), ("corpus=se-503-database-send; done=1", 1)])
async def test_an_error_can_come_with_or_without_the_deed(nylas: Simulator, cue: str, delivered: int) -> None:
    answer = await nylas.ask("POST", f"{GRANT}/messages/send", cue=cue, json={"to": [{"email": "x@example.com"}]})
    assert answer.status in {503, 504}
    assert (await nylas.deliveries())["delivered"] == delivered


@pytest.mark.parametrize("cue", ["reset=before_head", "reset=after_head", "status=503; done=1; reset=before_head"])
async def test_a_connection_is_dropped_after_the_deed(nylas: Simulator, cue: str) -> None:
    with pytest.raises(aiohttp.ClientError):
        await nylas.ask("POST", f"{GRANT}/messages/send", cue=cue, json={"to": [{"email": "x@example.com"}]})
    assert (await nylas.deliveries())["delivered"] == 1


@pytest.mark.parametrize("path", [f"{GRANT}/messages/send", f"{GRANT}/drafts/draft-1"])
async def test_a_send_can_be_accepted_for_later(nylas: Simulator, path: str) -> None:
    answer = await nylas.ask("POST", path, cue="queued=1", json={"to": [{"email": "x@example.com"}]})
    assert (answer.status, answer.data["object"]) == (202, "message")
    assert (await nylas.deliveries())["delivered"] == 1


async def test_the_raw_form_of_a_message_can_be_late(nylas: Simulator) -> None:
    raw = {"Accept": "message/rfc822"}
    answers = [await nylas.ask("GET", "/messages/message-1", cue="not_ready=2", headers=raw) for _ in range(4)]
    assert [answer.status for answer in answers] == [202, 202, 200, 200]
    assert (await nylas.ask("GET", "/messages/message-2", cue="not_ready=1", headers=raw)).status == 202
    assert (await nylas.ask("GET", "/messages/message-1", cue="not_ready=2")).status == 200
