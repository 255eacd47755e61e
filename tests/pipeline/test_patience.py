"""How long requests wait: what their callers say, else the setting, and never beyond it."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from builders import a_context

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, SEND, Says, a_way, exchange_throttle, soon
from proxy.patience import Patience, PatienceLimits
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Providers, Windows
from proxy.settings.pacing import Patience as PatienceSettings
from proxy.wire.head import RequestHead

FIELD: Final = b"x-nylas-proxy-patience"
ONE_A_SECOND: Final = Settings(limits=Limits(overrides={"v3_messages": {"count": 1}}))
ONE_AN_HOUR: Final = Settings(limits=Limits(headroom=0.0, overrides={"v3_messages": {"count": 1, "per_s": 3600.0}}))


def patience_s(told: bytes | None = None, limits: PatienceLimits | None = None, *, upstream_s: tuple[float, ...] = ()) -> float:
    patience = Patience(limits or PatienceLimits(default_s=10.0, max_s=60.0, client_timeout_s=90.0))
    route = a_context(READ).route
    for seconds in upstream_s:
        patience.note(route, seconds)
    fields = [] if told is None else [(FIELD, FIELD, told)]
    return patience.of(RequestHead(b"GET", READ, is_http_10=False, fields=fields), route)


@pytest.mark.parametrize(
    ("told", "expected_s"),
    [(None, 10.0), (b"0", 0.0), (b"-0", 0.0), (b"2.5", 2.5), (b" 7 ", 7.0), (b"60", 60.0), (b"61", 60.0), (b"1e3", 60.0)],
)
def test_the_caller_says_how_long_it_waits_up_to_a_bound(told: bytes | None, expected_s: float) -> None:
    assert patience_s(told) == expected_s


@pytest.mark.parametrize("told", [b"", b"a while", b"-1", b"nan", b"inf", b"-inf", b"1,2", b"0x10", b"\xff", b"1, 2"])
def test_nonsense_counts_as_nothing_said(told: bytes) -> None:
    assert patience_s(told) == 10.0


def test_nothing_is_begun_that_would_outlive_the_callers_own_time_out() -> None:
    limits = PatienceLimits(default_s=10.0, max_s=60.0, client_timeout_s=30.0)
    assert patience_s(b"60", limits) == 30.0
    assert patience_s(b"60", limits, upstream_s=(12.0,)) == 18.0
    assert patience_s(b"60", limits, upstream_s=(45.0,)) == 0.0


def test_the_usual_time_of_a_route_follows_its_attempts_slowly() -> None:
    limits = PatienceLimits(default_s=10.0, max_s=60.0, client_timeout_s=30.0)
    assert patience_s(b"60", limits, upstream_s=(10.0, 20.0)) == pytest.approx(19.0)


def test_each_route_has_its_own_usual_time() -> None:
    patience = Patience(PatienceLimits(default_s=10.0, max_s=60.0, client_timeout_s=30.0))
    patience.note(a_context(SEND, "POST").route, 25.0)
    assert patience.of(RequestHead(b"GET", READ, is_http_10=False, fields=[]), a_context(READ).route) == 10.0


@fast_forwarded
async def test_who_does_not_wait_is_refused_at_once_with_the_time_that_it_would_take() -> None:
    async with a_way(settings=ONE_A_SECOND) as way:
        await way.ask(READ)
        await asyncio.sleep(0.25)
        heard = await way.ask(READ, patience="0")
        assert (heard.status, heard.field(b"retry-after"), heard.field(b"x-nylas-proxy-waited")) == (429, b"1", b"0")
        assert {"origin": "proxy", "cause": "rate_limit_nylas", "scope": "grant", "attempts": 0}.items() <= heard.proxy.items()
        assert "0.8 s" in heard.body["error"]["message"]
        assert heard.proxy["retry_at"].endswith("Z")
        assert len(way.upstream.attempts) == 1


@fast_forwarded
async def test_who_does_not_wait_goes_where_there_is_room() -> None:
    async with a_way(settings=ONE_A_SECOND) as way:
        assert (await way.ask(READ, patience="0")).status == 200


@fast_forwarded
async def test_a_wait_as_long_as_the_patience_is_begun_and_a_longer_one_is_not() -> None:
    async with a_way(settings=ONE_AN_HOUR) as way:
        await way.ask(READ)
        await asyncio.sleep(3549.0)
        assert (await way.ask(READ, patience="50")).status == 429
        await asyncio.sleep(1.0)
        assert (await way.ask(READ, patience="50")).status == 200
        assert way.upstream.times_s == [0.0, 3600.0]


@fast_forwarded
async def test_more_patience_than_the_setting_allows_is_cut() -> None:
    async with a_way(settings=ONE_AN_HOUR) as way:
        await way.ask(READ)
        heard = await way.ask(READ, patience="9999")
        assert (heard.status, heard.field(b"retry-after"), heard.field(b"x-nylas-proxy-waited")) == (429, b"3600", b"0")


@fast_forwarded
async def test_nonsense_waits_as_long_as_the_setting_says() -> None:
    async with a_way(*[Says(takes_s=20.0)] * 3, settings=Settings(providers=Providers(known={"ada": "microsoft"}))) as way:
        tasks = [way.start(READ) for _ in range(3)]
        await soon()
        heard = await way.ask(READ, patience="a while")
        assert (heard.status, heard.field(b"x-nylas-proxy-waited")) == (429, b"10.000")
        assert heard.proxy["cause"] == "rate_limit_provider_microsoft"
        await asyncio.gather(*tasks)


@fast_forwarded
async def test_those_in_line_are_told_their_own_turn() -> None:
    async with a_way(settings=ONE_A_SECOND) as way:
        await way.ask(READ)
        waiting = [way.start(READ, patience="60") for _ in range(5)]
        await soon()
        heard = await way.ask(READ, patience="2")
        assert (heard.status, heard.field(b"retry-after"), heard.field(b"x-nylas-proxy-waited")) == (429, b"7", b"0")
        await asyncio.gather(*waiting)


@fast_forwarded
async def test_a_request_that_was_admitted_is_not_cut_short_by_its_patience() -> None:
    async with a_way(Says(takes_s=80.0)) as way:
        assert (await way.ask(READ, patience="1")).status == 200


@fast_forwarded
async def test_who_does_not_wait_does_not_wait_for_the_pace_of_a_reopened_scope_either() -> None:
    settings = Settings(windows=Windows(default_s={"exchange_throttle": 8.0}), patience=PatienceSettings(default_s=0.0))
    async with a_way(exchange_throttle(), settings=settings) as way:
        await way.ask(READ)
        await asyncio.sleep(8.0)
        heard = [await way.ask(READ) for _ in range(3)]
        assert [each.field(b"x-nylas-proxy-waited") for each in heard] == [b"0"] * 3
        assert [each.status for each in heard] == [200, 200, 429]
