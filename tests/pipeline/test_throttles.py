"""Throttling answers end to end: what they close, for how long, what goes at the end, and what others notice of it."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, SEND, Fails, Says, Way, a_way, daily_quota, exchange_throttle, nylas_429, nylas_error, soon
from proxy.settings import Settings
from proxy.settings.pacing import Patience, Windows

BOB: Final = b"/v3/grants/bob/messages/m1"
PATIENT: Final = Settings(patience=Patience(max_s=10_000.0, client_timeout_s=20_000.0))
SHORT_WINDOWS: Final = Settings(windows=Windows(default_s={"exchange_throttle": 8.0}))


async def closed_windows(way: Way) -> dict[str, float]:
    """For how long each scope is closed, by what its key begins with."""
    now_us = asyncio.get_running_loop().time() * 1e6
    return {scope.partition(":")[0]: round((window.closes_at_us - now_us) / 1e6, 3) for scope, window in way.book.windows.items()}


@fast_forwarded
async def test_an_exchange_throttle_without_a_time_closes_the_mailbox_for_twenty_minutes() -> None:
    async with a_way(exchange_throttle()) as way:
        heard = await way.ask(READ)
        assert (heard.status, heard.field(b"retry-after")) == (429, b"1200")
        assert {"cause": "exchange_throttle", "scope": "grant", "retry_after_s": 1200}.items() <= heard.proxy.items()


@fast_forwarded
async def test_the_next_request_of_a_closed_mailbox_is_refused_at_once_and_without_a_call() -> None:
    async with a_way(exchange_throttle()) as way:
        await way.ask(READ)
        await asyncio.sleep(100.0)
        heard = await way.ask(SEND, "POST", b"a mail")
        assert (heard.status, heard.field(b"x-nylas-proxy-waited"), len(way.upstream.attempts)) == (429, b"0", 1)
        assert {"origin": "proxy", "cause": "exchange_throttle", "retry_after_s": 1100, "attempts": 0}.items() <= heard.proxy.items()
        assert not heard.in_doubt


@fast_forwarded
async def test_another_mailbox_notices_nothing() -> None:
    async with a_way(exchange_throttle()) as way:
        await way.ask(READ)
        heard = await way.ask(BOB, patience="0")
        assert (heard.status, heard.field(b"x-nylas-proxy-waited")) == (200, b"0")


@fast_forwarded
async def test_the_time_that_the_answer_names_counts() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"300"))) as way:
        assert (await way.ask(READ)).proxy["retry_after_s"] == 300


@fast_forwarded
async def test_a_later_shorter_answer_does_not_shorten_the_window() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"300")), exchange_throttle((b"Retry-After", b"5"))) as way:
        heard = await asyncio.gather(way.ask(READ), way.ask(READ))
        assert [each.proxy["retry_after_s"] for each in heard] == [300, 300]


@fast_forwarded
async def test_after_the_window_one_goes_alone_and_others_follow_at_a_rising_pace() -> None:
    script = (exchange_throttle(), Says(takes_s=3.0))
    async with a_way(*script, settings=PATIENT) as way:
        tasks = [way.start(READ, patience="2000")]
        await soon()
        tasks += [way.start(READ, patience="2000") for _ in range(30)]
        heard = await asyncio.gather(*tasks)
        assert {each.status for each in heard} == {200}
        first_s, probe_s, *followers_s = way.upstream.times_s
        assert (first_s, probe_s, followers_s[0]) == (0.0, 1200.0, 1203.0)
        assert followers_s[:6] == [1203.0, 1204.0, 1205.0, 1206.0, 1207.0, 1208.0]
        assert sum(at_s < 1213.0 for at_s in followers_s) <= 6 + 10 + 1


@fast_forwarded
async def test_all_who_wait_together_are_let_in_one_by_one() -> None:
    async with a_way(exchange_throttle(), settings=SHORT_WINDOWS) as way:
        heard = await asyncio.gather(*(way.ask(READ, patience="60") for _ in range(3)), way.ask(SEND, "POST", b"a mail", patience="60"))
        assert {each.status for each in heard} == {200}
        assert sum(8.0 <= at_s < 8.1 for at_s in way.upstream.times_s) <= 2


@fast_forwarded
async def test_a_probe_that_is_throttled_closes_for_longer() -> None:
    async with a_way(exchange_throttle(), exchange_throttle(), settings=SHORT_WINDOWS) as way:
        await way.ask(READ, patience="0")
        await asyncio.sleep(8.0)
        assert (await way.ask(READ, patience="0")).proxy["retry_after_s"] == 16


@fast_forwarded
async def test_a_probe_whose_throttle_comes_in_pieces_closes_for_longer_as_well() -> None:
    async with a_way(exchange_throttle(), exchange_throttle(body_s=0.1)) as way:
        await way.ask(READ)
        await asyncio.sleep(1200.0)
        assert (await way.ask(READ)).proxy["retry_after_s"] == 2400


@fast_forwarded
async def test_a_scope_that_closes_again_begins_slowly_once_more() -> None:
    async with a_way(exchange_throttle(), Says(), exchange_throttle(), settings=SHORT_WINDOWS) as way:
        for wait_s in (8.0, 30.0, 16.0):
            await way.ask(READ, patience="0")
            await asyncio.sleep(wait_s)
        await asyncio.gather(*(way.ask(READ) for _ in range(4)))
        assert way.upstream.times_s == [0.0, 8.0, 38.0, 54.0, 54.0, 54.267, 54.533]


@fast_forwarded
async def test_a_probe_without_an_answer_lets_the_next_one_go() -> None:
    async with a_way(exchange_throttle(), Fails(takes_s=5.0), Says(), settings=SHORT_WINDOWS) as way:
        await way.ask(READ, patience="0")
        await asyncio.sleep(8.0)
        assert [(await way.ask(READ, retry="never")).status for _ in range(2)] == [502, 200]
        assert way.upstream.times_s == [0.0, 8.0, 13.0]


@fast_forwarded
async def test_a_probe_whose_caller_leaves_frees_the_probe() -> None:
    async with a_way(exchange_throttle(), Says(takes_s=50.0), settings=SHORT_WINDOWS) as way:
        await way.ask(READ, patience="0")
        await asyncio.sleep(8.0)
        probe = way.start(READ)
        await soon()
        following = way.start(READ)
        await asyncio.sleep(2.0)
        probe.cancel()
        assert (await following).status == 200
        assert way.upstream.times_s == [0.0, 8.0, 10.0]


@fast_forwarded
async def test_behind_a_probe_patience_ends_with_a_429() -> None:
    async with a_way(exchange_throttle(), Says(takes_s=50.0), settings=SHORT_WINDOWS) as way:
        await way.ask(READ, patience="0")
        await asyncio.sleep(8.0)
        probe = way.start(READ)
        await soon()
        heard = await way.ask(READ, patience="3")
        assert (heard.status, heard.proxy["cause"], heard.field(b"x-nylas-proxy-waited")) == (429, "exchange_throttle", b"3.000")
        await probe


@fast_forwarded
async def test_a_success_of_the_probe_counts_from_its_head() -> None:
    async with a_way(exchange_throttle(), Says(body_s=50.0), settings=SHORT_WINDOWS) as way:
        await way.ask(READ, patience="0")
        await asyncio.sleep(8.0)
        probe = way.start(READ)
        await soon()
        assert (await way.ask(READ, patience="1")).status == 200
        await probe


@fast_forwarded
async def test_a_daily_quota_closes_sends_alone() -> None:
    async with a_way(daily_quota()) as way:
        heard = await way.ask(SEND, "POST", b"a mail", patience="60")
        assert (heard.status, heard.proxy["cause"], heard.proxy["retry_after_s"]) == (429, "rate_limit_provider_quota", 3600)
        assert (await way.ask(SEND, "POST", b"another", patience="60")).status == 429
        assert (await way.ask(READ, patience="0")).status == 200
        assert len(way.upstream.attempts) == 2


@fast_forwarded
async def test_a_daily_quota_that_lasts_is_tried_ever_more_rarely_and_paces_nothing() -> None:
    async with a_way(daily_quota(), daily_quota()) as way:
        await way.ask(SEND, "POST", b"a mail")
        await asyncio.sleep(3600.0)
        assert (await way.ask(SEND, "POST", b"a mail")).proxy["retry_after_s"] == 7200
        assert not way.turnstile._metronomes._ramps


@fast_forwarded
async def test_a_full_second_of_nylas_is_waited_out_and_the_request_goes_again() -> None:
    async with a_way(nylas_429(), nylas_429()) as way:
        heard = await way.ask(READ)
        assert (heard.status, heard.field(b"x-nylas-proxy-attempts")) == (200, b"3")
        assert way.upstream.times_s == [0.0, 1.0, 3.0]


@fast_forwarded
async def test_after_a_full_second_of_nylas_a_mailbox_is_soon_as_fast_as_before() -> None:
    async with a_way(nylas_429(), Says(takes_s=0.2)) as way:
        first = way.start(READ)
        await soon()
        assert {each.status for each in await asyncio.gather(first, *(way.ask(READ) for _ in range(200)))} == {200}
        _, probe_s, *followers_s = way.upstream.times_s
        assert (probe_s, followers_s[0]) == (1.0, 1.2)
        assert sum(at_s < 1.3 for at_s in followers_s) <= 10
        assert followers_s[-1] < 2.5


@fast_forwarded
async def test_nobody_goes_while_the_rest_of_a_throttling_answer_comes() -> None:
    async with a_way(exchange_throttle(body_s=0.5)) as way:
        first = way.start(READ)
        await soon()
        second = way.start(READ)
        await asyncio.gather(first, second)
        assert len(way.upstream.attempts) == 1


@fast_forwarded
async def test_a_throttle_whose_body_never_ends_with_its_caller_gone_leaves_the_next_one_a_chance() -> None:
    async with a_way(exchange_throttle(body_s=500.0)) as way:
        first = way.start(READ)
        await asyncio.sleep(100.0)
        first.cancel()
        await soon()
        assert (await way.ask(READ)).status == 200


@fast_forwarded
async def test_a_refusal_that_answers_an_earlier_request_closes_nothing() -> None:
    async with a_way(exchange_throttle((b"Idempotent-Response", b"true"))) as way:
        await way.ask(SEND, "POST", b"a mail", **{"idempotency-key": "own"})
        assert await closed_windows(way) == {}


@pytest.mark.parametrize("ending", [nylas_error(400, "invalid_request_error"), nylas_error(503, "api.service_unavailable")])
@fast_forwarded
async def test_any_other_answer_to_a_probe_reopens(ending: Says) -> None:
    async with a_way(exchange_throttle(), ending, settings=SHORT_WINDOWS) as way:
        await way.ask(READ, patience="0")
        await asyncio.sleep(8.0)
        await way.ask(READ, patience="0", retry="never")
        assert (await way.ask(READ, patience="2")).status == 200


@fast_forwarded
async def test_a_throttle_in_pieces_closes_what_a_whole_one_closes() -> None:
    async with a_way(exchange_throttle(body_s=0.5)) as way:
        await way.ask(SEND, "POST", b"a mail")
        assert await closed_windows(way) == {"grant": 1200.0}


@fast_forwarded
async def test_a_window_that_nobody_tries_is_forgotten_some_day() -> None:
    async with a_way(exchange_throttle()) as way:
        await way.ask(READ)
        await asyncio.sleep(8 * 86_400.0)
        way.gate.sweep(0.0)
        assert await closed_windows(way) == {}
