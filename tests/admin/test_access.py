"""Who may ask what."""

from __future__ import annotations

import asyncio

import pytest

from admin.rig import APPLICATION_HASH, TOKEN, Listener, basic, bearer, listening
from proxy.admin.access import Access, Asked
from proxy.settings import Admin

PROBED = ["/healthz", "/readyz"]
READ = ["/metrics", "/status.json", "/", "/nothing"]
ORDERS = {
    "/windows": {"scope": "application", "application": APPLICATION_HASH, "seconds": 1},
    "/drain": {},
    "/log-level": {"level": "debug"},
    "/reload": {},
}
BASIC = 'Basic realm="nylas-proxy admin", charset="UTF-8"'
BEARER = 'Bearer realm="nylas-proxy admin"'
WRONG = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer guess",
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}",
    f"Bearer {TOKEN.upper()}",
    f"Bearer {TOKEN.lower()}",
    TOKEN,
    f"Digest {TOKEN}",
    f"Bearer{TOKEN}",
    bearer(TOKEN).encode("latin-1").decode("utf-8", "surrogateescape"),
    "Basic",
    f"Basic {TOKEN}",
    "Basic !!!",
    "Basic =",
    basic("guess"),
    basic("", user=TOKEN),
    basic(f":{TOKEN}"),
]


def status(admin: Admin, method: str, path: str, authorization: str, host: str = "127.0.0.1") -> int:
    """Of the refusal; 0 where there is none."""
    refusal = Access(admin).refusal(Asked(method, path, host, authorization.encode("utf-8", "surrogateescape")))
    return refusal.status if refusal else 0


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
def test_without_the_token_everything_but_health_and_readiness_is_refused(wrong: str, method: str) -> None:
    admin = Admin(token=TOKEN)
    assert {path: status(admin, method, path, wrong) for path in [*READ, *ORDERS]} == dict.fromkeys([*READ, *ORDERS], 401)
    assert [status(admin, method, path, wrong) for path in PROBED] == [0, 0]


@pytest.mark.parametrize(
    "shown", [bearer(TOKEN), f"bearer {TOKEN}", f"BEARER  {TOKEN} ", basic(TOKEN), basic(TOKEN, user=""), basic(TOKEN).replace("Basic", "basic")]
)
def test_the_token_opens_what_can_be_read_in_either_form(shown: str) -> None:
    assert [status(Admin(token=TOKEN), method, path, shown) for path in READ for method in ("GET", "HEAD")] == [0] * 2 * len(READ)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_what_changes_something_takes_the_bearer_form_alone(method: str) -> None:
    admin = Admin(token=TOKEN)
    assert [status(admin, method, path, bearer(TOKEN)) for path in ORDERS] == [0] * len(ORDERS)
    assert [status(admin, method, path, basic(TOKEN)) for path in ORDERS] == [401] * len(ORDERS)


def test_a_token_with_a_colon_is_the_whole_password() -> None:
    admin = Admin(token="a:b:c")
    assert (status(admin, "GET", "/", basic("a:b:c")), status(admin, "GET", "/", basic("b:c", user="a"))) == (0, 401)


@pytest.mark.parametrize("path", READ)
async def test_a_browser_is_asked_for_the_token(guarded: Listener, path: str) -> None:
    answer = await guarded.ask("GET", path, Authorization="")
    assert (answer.status, answer.challenges) == (401, [BASIC, BEARER])
    assert answer.error == ("unauthorized", "send admin.token as a bearer token, or as the password of Basic with any user name")


@pytest.mark.parametrize("path", ORDERS)
async def test_an_order_is_carried_out_for_the_bearer_form_alone(guarded: Listener, path: str) -> None:
    for shown in ("", basic(TOKEN), bearer("guess")):
        answer = await guarded.ask("POST", path, Authorization=shown)
        assert (answer.status, answer.challenges) == (401, [BEARER])
        assert answer.error == ("unauthorized", "send admin.token as a bearer token: Authorization: Bearer TOKEN")
    assert guarded.orders.given == []
    assert (await guarded.order(path, ORDERS[path])).status in {200, 202}
    assert len(guarded.orders.given) == 1


async def test_the_token_is_compared_as_bytes_of_utf_8(guarded: Listener) -> None:
    assert (await guarded.ask("GET", "/metrics", Authorization=bearer(TOKEN))).status == 200
    assert (await guarded.ask("GET", "/metrics", Authorization=basic(TOKEN))).status == 200


async def test_a_token_in_another_encoding_is_a_wrong_one(guarded: Listener) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
    writer.write(f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer(TOKEN)}\r\n\r\n".encode("latin-1"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
    writer.transport.abort()
    assert guarded.bugs == []


@pytest.mark.parametrize("path", ORDERS)
async def test_without_a_token_in_the_settings_nobody_can_order_anything(unlocked: Listener, path: str) -> None:
    for shown in ("", bearer(""), basic("")):
        answer = await unlocked.ask("POST", path, body=b"{}", Content_Type="application/json", Authorization=shown)
        assert answer.status == 403
        assert answer.error == (
            "forbidden",
            "orders are off: set admin.token (NYLAS_PROXY__ADMIN__TOKEN) and restart the proxy, then send it as a bearer token",
        )
    assert unlocked.orders.given == []


async def test_without_a_token_in_the_settings_everything_can_be_read(unlocked: Listener) -> None:
    assert [(await unlocked.ask("GET", path)).status for path in (*PROBED, "/metrics", "/status.json")] == [200] * 4


NO_NAMES = ["127.0.0.1", "127.0.0.1:8701", "10.0.0.7", "[::1]", "[::1]:8701", "localhost", "localhost:8701", "LocalHost", "", "localhost:"]
NAMES = [
    "evil.example",
    "evil.example:8701",
    "localhost.evil.example",
    "evil.localhost",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "evil.example:127.0.0.1",
    "proxy",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "[evil.example]",
    ":8701:8701",
]


@pytest.mark.parametrize("bound", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_listener_on_loopback_answers_under_no_name_but_localhost(bound: str, token: str) -> None:
    admin = Admin(bound, 8701, token)
    for path in (*PROBED, *READ):
        assert {host: status(admin, "GET", path, bearer(token), host) for host in NO_NAMES} == dict.fromkeys(NO_NAMES, 0)
        assert {host: status(admin, "GET", path, bearer(token), host) for host in NAMES} == dict.fromkeys(NAMES, 403)


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "10.0.0.7", "proxy.internal"])
def test_a_listener_for_other_machines_answers_under_any_name(bound: str) -> None:
    assert [status(Admin(bound, 8701, TOKEN), "GET", "/", bearer(TOKEN), host) for host in (*NO_NAMES, *NAMES)] == [0] * len((*NO_NAMES, *NAMES))


async def test_the_name_that_was_asked_for_is_looked_at_and_not_told(guarded: Listener) -> None:
    for method, path in (("GET", "/metrics"), ("GET", "/healthz"), ("POST", "/drain"), ("GET", "/nothing")):
        answer = await guarded.ask(method, path, Host="evil.example")
        said = "this listener is bound to loopback and answers under localhost and IP addresses only, not under other names"
        assert (answer.status, answer.error) == (403, ("forbidden", said))
    assert guarded.orders.given == []


async def test_a_listener_on_every_address_takes_names() -> None:
    async with listening(host="0.0.0.0") as listener:
        assert (await listener.ask("GET", "/metrics", Host="proxy.internal:8701")).status == 200
