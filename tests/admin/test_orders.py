"""What an operator can order, and what is said of orders that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.rig import ADDRESS, APPLICATION_HASH, GRANT_HASH, Listener
from proxy.admin import Closed, NotClosed
from proxy.admin.orders import Bare, CloseApplication, CloseGrant, Closing, Mistaken, SetLevel, read_bare, read_closing, read_level
from proxy.core.events import Reloaded
from proxy.settings.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPE = 'allowed "grant" (all that is asked of it), "sends" (of a grant) or "application"'
GRANT = "allowed the id or the address of a grant, or its hash as on the status page, at most 320 characters"
SECONDS = "allowed a whole number of seconds from 1 to 86400"
APPLICATION = "allowed the hash of an application as on the status page, 32 hex digits"
LEVEL = 'allowed "debug", "info", "warning", "error"'
OBJECT = "allowed a JSON object"
ONE = {"scope": "grant", "grant": ADDRESS, "seconds": 90}
ALL = {"scope": "application", "seconds": 90}

CLOSINGS: list[tuple[dict[str, object], Closing]] = [
    (ONE, CloseGrant("grant", ADDRESS, 90)),
    (ONE | {"scope": "sends", "seconds": 1}, CloseGrant("sends", ADDRESS, 1)),
    (ONE | {"grant": GRANT_HASH, "seconds": 86400}, CloseGrant("grant", GRANT_HASH, 86400)),
    (ONE | {"grant": "x" * 320}, CloseGrant("grant", "x" * 320, 90)),
    (ALL, CloseApplication("application", 90)),
    (ALL | {"application": APPLICATION_HASH}, CloseApplication("application", 90, APPLICATION_HASH)),
]
NO_CLOSINGS: list[tuple[object, str]] = [
    ({}, f"scope: is missing; {SCOPE}"),
    (ONE | {"scope": "send"}, f"scope: got text; {SCOPE}; did you mean 'sends'?"),
    (ONE | {"scope": ADDRESS}, f"scope: got text; {SCOPE}"),
    (ONE | {"scope": ["grant"]}, f"scope: got an array; {SCOPE}"),
    (ONE | {"scope": None}, f"scope: got null; {SCOPE}"),
    ({"scope": "grant"}, f"grant: is missing; {GRANT}. seconds: is missing; {SECONDS}"),
    (ONE | {"grant": ""}, f"grant: got text; {GRANT}"),
    (ONE | {"grant": 7}, f"grant: got a number; {GRANT}"),
    (ONE | {"grant": None}, f"grant: got null; {GRANT}"),
    (ONE | {"grant": {"id": ADDRESS}}, f"grant: got an object; {GRANT}"),
    (ONE | {"grant": "ME"}, f"grant: is whoever asks, so no particular grant; {GRANT}"),
    (ONE | {"grant": "ann example"}, f"grant: is empty or holds a blank; {GRANT}"),
    (ONE | {"grant": "ann\n"}, f"grant: holds a control character; {GRANT}"),
    (ONE | {"grant": "x" * 321}, f"grant: got text; {GRANT}"),
    *[(ONE | {"seconds": wrong}, f"seconds: got a number; {SECONDS}") for wrong in (0, -1, 86401, 1.5, 90.0, 1e300)],
    (ONE | {"seconds": "90"}, f"seconds: got text; {SECONDS}"),
    (ONE | {"seconds": True}, f"seconds: got true or false; {SECONDS}"),
    (ONE | {"second": 90}, "second: unknown field; allowed scope, grant, seconds; did you mean 'seconds'?"),
    (ONE | {ADDRESS: 90}, "a name that is not shown: unknown field; allowed scope, grant, seconds"),
    (ONE | {"application": APPLICATION_HASH}, "application: unknown field; allowed scope, grant, seconds"),
    (ALL | {"grant": ADDRESS}, "grant: unknown field; allowed scope, seconds, application"),
    *[
        (ALL | {"application": wrong}, f"application: got text; {APPLICATION}")
        for wrong in ("", "billing", APPLICATION_HASH + "\n", APPLICATION_HASH[:-1] + "g")
    ],
    (ALL | {"application": None}, f"application: got null; {APPLICATION}"),
    ([ONE], f"the body is an array; {OBJECT}"),
    (ADDRESS, f"the body is text; {OBJECT}"),
    (90, f"the body is a number; {OBJECT}"),
    (None, f"the body is null; {OBJECT}"),
]
NO_JSON = [
    b"{",
    b"scope=grant&grant=" + ADDRESS.encode(),
    b'"\xff"',
    b'{"scope": "\\ud800"}',
    b"[" * 4000,
    b"{} {}",
    b"\xef\xbb\xbf{}",
    b"NaN",
    b"1e999",
]


@pytest.mark.parametrize(("told", "order"), CLOSINGS)
def test_what_is_to_be_closed_is_read(told: object, order: Closing) -> None:
    assert read_closing(msgspec.json.encode(told)) == order


@pytest.mark.parametrize(("told", "what"), NO_CLOSINGS)
def test_what_is_wrong_is_named_with_what_is_allowed(told: object, what: str) -> None:
    assert read_closing(msgspec.json.encode(told)) == Mistaken(what)


@pytest.mark.parametrize("read", [read_closing, read_level, read_bare])
@pytest.mark.parametrize("body", NO_JSON)
def test_what_is_no_json_is_no_order(read: Callable[[bytes], object], body: bytes) -> None:
    assert read(body) == Mistaken("the body is no JSON; allowed a JSON object in UTF-8")


def test_an_empty_body_says_nothing_and_is_enough_where_nothing_is_to_be_said() -> None:
    assert read_closing(b"") == read_level(b"") == Mistaken("the body is empty; allowed a JSON object in UTF-8")
    assert read_bare(b"") == read_bare(b"{}") == Bare()
    assert read_bare(b'{"now": true}') == Mistaken("now: unknown field; allowed none")


@pytest.mark.parametrize("level", FIELDS["log", "level"].choices)
def test_every_level_of_the_settings_can_be_ordered(level: str) -> None:
    assert read_level(msgspec.json.encode({"level": level})) == SetLevel(level)  # type: ignore[arg-type]  # what is tested


def test_a_level_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    assert read_level(b'{"level": "warn"}') == Mistaken(f"level: got text; {LEVEL}; did you mean 'warning'?")
    assert read_level(b'{"levels": "info"}') == Mistaken(f"level: is missing; {LEVEL}. levels: unknown field; allowed level; did you mean 'level'?")


@pytest.mark.parametrize(
    ("named", "grant_hash"),
    [(GRANT_HASH, GRANT_HASH), (GRANT_HASH.upper(), GRANT_HASH), (ADDRESS, ""), ("5a2e7f10-93b4-4c1d-8e6f-70a1b2c3d4e5", ""), (GRANT_HASH + "0", "")],
)
def test_a_hash_is_told_from_ids_and_addresses(named: str, grant_hash: str) -> None:
    assert CloseGrant("grant", named, 1).grant_hash == grant_hash


def test_an_order_is_not_written_with_its_grant() -> None:
    assert repr(CloseGrant("sends", ADDRESS, 90)) == str(CloseGrant("sends", ADDRESS, 90)) == "CloseGrant(scope='sends', seconds=90, ...)"


WORDS = st.sampled_from(["grant", "sends", "application", "info", GRANT_HASH, "é"])
ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 86402), st.floats(), WORDS, st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)
ANY_FIELDS = st.dictionaries(st.sampled_from(["scope", "grant", "seconds", "application", "level", "x"]), ANY_JSON, max_size=4)
ANY_BODY = st.one_of(ANY_JSON.map(msgspec.json.encode), ANY_FIELDS.map(msgspec.json.encode), st.binary())


@given(body=ANY_BODY, read=st.sampled_from([read_closing, read_level, read_bare]))
def test_any_body_is_an_order_or_told_what_is_wrong(body: bytes, read: Callable[[bytes], object]) -> None:
    order = read(body)
    assert isinstance(order, Mistaken | CloseGrant | CloseApplication | SetLevel | Bare)
    if isinstance(order, Mistaken):
        assert order.what.isprintable()


@given(grant=st.text(min_size=3), where=st.sampled_from(["grant", "scope", "seconds", "application", "key"]))
def test_no_mistake_holds_the_name_of_a_grant(grant: str, where: str) -> None:
    name = f"<{grant}>"
    told = {"scope": "sends", "seconds": 0} | ({name: 1} if where == "key" else {where: name})
    found = read_closing(msgspec.json.encode(told))
    assert isinstance(found, Mistaken)
    assert name not in found.what


async def test_a_window_is_closed_and_told_by_hash(guarded: Listener) -> None:
    guarded.orders.outcome = Closed("sends", GRANT_HASH, 120.5)
    answer = await guarded.order("/windows", ONE | {"scope": "sends"})
    assert (answer.status, answer.json) == (200, {"scope": "sends", "grant": GRANT_HASH, "closed_s": 120.5})
    assert guarded.orders.given == [CloseGrant("sends", ADDRESS, 90)]


async def test_a_window_that_cannot_be_closed_says_why(guarded: Listener) -> None:
    guarded.orders.outcome = NotClosed("there are several applications: name one")
    answer = await guarded.order("/windows", ALL)
    assert (answer.status, answer.error) == (409, ("not_possible", "there are several applications: name one"))


async def test_the_proxy_is_told_to_drain(guarded: Listener) -> None:
    for body, fields in ((b"", {}), (b"{}", {"Content_Type": "application/json; charset=utf-8"})):
        answer = await guarded.ask("POST", "/drain", body=body, **fields)
        assert (answer.status, answer.json) == (202, {"status": "draining"})
    assert guarded.orders.given == ["drain", "drain"]


async def test_the_log_level_is_set(guarded: Listener) -> None:
    answer = await guarded.order("/log-level", {"level": "warning"})
    assert (answer.status, answer.json, guarded.orders.given) == (200, {"level": "warning"}, ["warning"])


async def test_a_reload_tells_what_has_changed_and_what_waits(guarded: Listener) -> None:
    answer = await guarded.ask("POST", "/reload")
    assert (answer.status, answer.json) == (200, {"applied": ["log.level"], "at_restart": ["listen.port"]})


async def test_a_reload_of_settings_with_mistakes_tells_them_all(guarded: Listener) -> None:
    mistakes = ("proxy.toml:3: log.level: got ...", "proxy.toml:7: unknown")
    guarded.orders.reloaded = Reloaded(mistakes, (), ())
    answer = await guarded.ask("POST", "/reload")
    error = {"type": "settings_refused", "message": "the settings cannot be used, those before stay in force"}
    assert (answer.status, answer.json) == (422, {"error": error, "mistakes": [*mistakes]})
