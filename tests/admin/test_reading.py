"""What can be read: health, readiness, metrics, status, pages."""

from __future__ import annotations

import msgspec
import pytest
from aiohttp import web

from admin.rig import Answer, Listener, a_status, listening
from proxy.admin import Readiness
from proxy.telemetry.status import Status

READABLE = ["/healthz", "/readyz", "/metrics", "/status.json"]


async def test_a_proxy_whose_loop_turns_is_alive(unlocked: Listener) -> None:
    answer = await unlocked.ask("GET", "/healthz")
    assert (answer.status, answer.json) == (200, {"status": "alive"})


@pytest.mark.parametrize(
    ("readiness", "status", "said"),
    [
        (Readiness("ready", "shared", ""), 200, {"status": "ready", "ledger": "shared", "why": ""}),
        (Readiness("degraded", "local-safe", "timeout"), 200, {"status": "degraded", "ledger": "local-safe", "why": "timeout"}),
        (Readiness("draining", "local", ""), 503, {"status": "draining"}),
        (Readiness("starting", "local", ""), 503, {"status": "starting"}),
    ],
)
async def test_readiness_says_whether_requests_are_taken_and_who_counts(
    unlocked: Listener, readiness: Readiness, status: int, said: dict[str, str]
) -> None:
    unlocked.readiness = readiness
    answer = await unlocked.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (status, said)
    assert (await unlocked.ask("GET", "/healthz")).status == 200


async def test_metrics_come_in_the_form_that_was_asked_for(unlocked: Listener) -> None:
    answer = await unlocked.ask("GET", "/metrics", Accept="application/openmetrics-text;version=1.0.0,*/*;q=0.1")
    assert answer.body == b"up 1\n"
    assert answer.headers["Content-Type"] == "text/plain; version=1.0.0; charset=utf-8"
    assert unlocked.accepts == ["application/openmetrics-text;version=1.0.0,*/*;q=0.1"]


async def test_the_status_is_one_json_document(unlocked: Listener) -> None:
    answer = await unlocked.ask("GET", "/status.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert msgspec.json.decode(answer.body, type=Status) == a_status()


async def test_pages_are_served_beside_the_rest() -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>hello</h1>", content_type="text/html", headers={"Cache-Control": "max-age=5"})

    async with listening(web.get("/", page)) as listener:
        answer = await listener.ask("GET", "/?all")
        assert (answer.body, answer.headers["Content-Type"]) == (b"<h1>hello</h1>", "text/html; charset=utf-8")
        assert answer.headers["Cache-Control"] == "max-age=5"


@pytest.mark.parametrize("path", READABLE)
async def test_head_answers_as_get_without_a_body(unlocked: Listener, path: str) -> None:
    got, headed = await unlocked.ask("GET", path), await unlocked.ask("HEAD", path)
    assert (headed.status, headed.body) == (got.status, b"")
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]
    assert headed.headers["Content-Length"] == str(len(got.body))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "REPORT"])
async def test_an_unknown_path_is_not_found(guarded: Listener, method: str) -> None:
    answer = await guarded.ask(method, "/statuz?ann@example.com")
    assert answer.status == 404
    if method != "HEAD":
        assert answer.error == ("not_found", "nothing is served here; there are /, /status.json, /metrics, /healthz and /readyz, and orders by POST")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *[(method, path, "GET, HEAD") for path in READABLE for method in ("POST", "DELETE", "OPTIONS", "TRACE")],
        *[(method, path, "POST") for path in ("/windows", "/drain", "/log-level", "/reload") for method in ("GET", "PUT", "OPTIONS")],
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(guarded: Listener, method: str, path: str, allowed: str) -> None:
    answer = await guarded.ask(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert answer.error == ("method_not_allowed", f"allowed here: {allowed}")


async def every_kind(listener: Listener) -> list[Answer]:
    listener.status = ValueError("ann@example.com")
    asked = [
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/status.json"),
        ("GET", "/statuz"),
        ("PUT", "/metrics"),
        ("POST", "/drain"),
        ("POST", "/windows"),
    ]
    return [await listener.ask(*each) for each in asked] + [await listener.ask("GET", "/metrics", Authorization="Bearer guess")]


async def test_no_answer_names_versions_or_may_be_kept_or_read_by_other_sites(guarded: Listener) -> None:
    answers = await every_kind(guarded)
    assert [answer.status for answer in answers] == [200, 200, 500, 404, 405, 202, 400, 401]
    for answer in answers:
        assert answer.headers["Server"] == "nylas-proxy"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
