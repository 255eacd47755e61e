"""A request on its whole way: admission, attempts, what its caller is told, and what must not stay behind."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, SEND, Crashes, Fails, Says, a_way, exchange_throttle, nylas_error, soon
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Patience, Providers

ADA, BOB = b"/v3/grants/ada/messages/m1", b"/v3/grants/bob/messages/m1"
MICROSOFT = Settings(providers=Providers(known={"ada": "microsoft"}))
GOOGLE = Settings(providers=Providers(known={"ada": "google"}))
ONE_A_SECOND = Settings(limits=Limits(overrides={"v3_messages": {"count": 1}}))
OBSERVING = Settings(limits=Limits(mode="observe"))


@fast_forwarded
async def test_a_success_passes_as_it_is() -> None:
    async with a_way(Says(200, {"data": 1})) as way:
        heard = await way.ask(READ)
        assert (heard.status, heard.body) == (200, {"data": 1})
        assert heard.field(b"x-nylas-proxy-attempts") == b"1"
        assert heard.field(b"x-nylas-proxy-waited") == b"0"


@fast_forwarded
async def test_a_place_in_flight_is_held_until_the_body_of_the_answer_is_over() -> None:
    async with a_way(*[Says(body_s=5.0)] * 3, settings=MICROSOFT) as way:
        tasks = [way.start(READ) for _ in range(4)]
        await soon()
        assert (way.leases(), way.turnstile.waiting.requests) == (3, 1)
        await asyncio.gather(*tasks)
        assert way.upstream.times_s == [0.0, 0.0, 0.0, 5.0]


@fast_forwarded
async def test_a_place_in_flight_is_held_until_the_body_of_a_raw_error_is_over() -> None:
    async with a_way(nylas_error(400, "invalid_request_error", body_s=5.0), settings=MICROSOFT) as way:
        task = way.start(READ, errors="raw")
        await asyncio.sleep(1.0)
        leases = way.leases()
        await task
        assert leases == 1


@fast_forwarded
async def test_a_place_in_flight_is_given_back_when_the_caller_leaves() -> None:
    async with a_way(*[Says(takes_s=5.0)] * 3, settings=MICROSOFT) as way:
        tasks = [way.start(READ) for _ in range(4)]
        await asyncio.sleep(1.0)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert way.upstream.times_s == [0.0, 0.0, 0.0, 1.0]


@fast_forwarded
async def test_a_place_in_flight_is_given_back_when_the_caller_leaves_in_the_middle_of_the_body() -> None:
    async with a_way(*[Says(body_s=5.0)] * 3, settings=MICROSOFT) as way:
        tasks = [way.start(READ) for _ in range(3)]
        await asyncio.sleep(1.0)
        tasks[0].cancel()
        await soon()
        assert way.leases() == 2
        await asyncio.gather(*tasks, return_exceptions=True)


@fast_forwarded
async def test_no_place_in_flight_is_held_between_two_attempts() -> None:
    async with a_way(Fails(), settings=MICROSOFT, roll=0.5) as way:
        task = way.start(READ)
        await asyncio.sleep(0.1)
        assert (len(way.upstream.attempts), way.leases()) == (1, 0)
        assert (await task).status == 200


@fast_forwarded
async def test_a_bug_gives_everything_back() -> None:
    async with a_way(Crashes(), settings=MICROSOFT) as way:
        with pytest.raises(RuntimeError, match="a bug"):
            await way.ask(READ, "PUT", b"{}")
        assert (way.leases(), way.kept.used_bytes) == (0, 0)


@fast_forwarded
async def test_a_caller_who_leaves_while_it_waits_gives_everything_back() -> None:
    async with a_way(exchange_throttle()) as way:
        await way.ask(READ)
        task = way.start(SEND, "POST", b"a mail", patience="50")
        leaving = way.start(b"/v3/grants/bob/messages/m1", "PUT", b"{}", patience="0")
        await asyncio.gather(task, leaving)
        assert way.kept.used_bytes == 0


@fast_forwarded
async def test_a_body_that_broke_off_while_its_request_waited_is_not_sent() -> None:
    async with a_way(settings=ONE_A_SECOND) as way:
        await way.ask(READ)
        errand = way.errand(READ, "PUT", b"{}")
        errand.body.ended = False
        task = asyncio.get_running_loop().create_task(way.pipeline.run(errand))
        await soon()
        errand.body.abort("gone")
        result = await task
        way.pipeline.leave(errand)
        assert (result.cause, len(way.upstream.attempts)) == ("request_malformed", 1)  # type: ignore[union-attr]


@fast_forwarded
async def test_an_estimated_cost_is_settled_by_what_the_answer_tells() -> None:
    async with a_way(Says(fields=((b"Nylas-Gmail-Quota-Usage", b"2"),)), settings=GOOGLE) as way:
        await way.ask(READ)
        assert way.booked("gmail_user_second") == 2


@fast_forwarded
async def test_a_cost_above_the_estimate_is_booked_as_well() -> None:
    async with a_way(Says(fields=((b"Nylas-Gmail-Quota-Usage", b"77"),)), settings=GOOGLE) as way:
        await way.ask(READ)
        assert way.booked("gmail_user_second") == 77


@fast_forwarded
async def test_a_cost_that_is_no_number_settles_nothing() -> None:
    async with a_way(Says(fields=((b"Nylas-Gmail-Quota-Usage", b"many"),)), settings=GOOGLE) as way:
        await way.ask(READ)
        assert way.booked("gmail_user_second") == 5


@fast_forwarded
async def test_the_number_of_calls_to_the_provider_is_settled() -> None:
    async with a_way(Says(fields=((b"Nylas-Provider-Request-Count", b"7"),)), settings=MICROSOFT) as way:
        await way.ask(READ)
        assert way.booked("microsoft_mailbox") == 7


@fast_forwarded
async def test_a_charge_moves_to_the_moment_when_its_request_leaves() -> None:
    async with a_way(settings=ONE_A_SECOND, connect_s=0.8) as way:
        await way.ask(READ)
        way.upstream.connect_s = 0.0
        await way.ask(READ)
        first_s, second_s = way.upstream.times_s
        assert second_s - first_s >= 1.0


@fast_forwarded
async def test_a_charge_that_leaves_in_time_stays_where_it_was_booked() -> None:
    async with a_way(settings=ONE_A_SECOND, connect_s=0.024) as way:
        await way.ask(READ)
        way.upstream.connect_s = 0.0
        await way.ask(READ)
        assert way.upstream.times_s == [0.024, 1.05]


@fast_forwarded
async def test_half_of_the_headroom_is_left_to_the_journey() -> None:
    async with a_way(settings=ONE_A_SECOND, connect_s=0.026) as way:
        await way.ask(READ)
        way.upstream.connect_s = 0.0
        await way.ask(READ)
        assert way.upstream.times_s == [0.026, 1.076]


@fast_forwarded
async def test_the_provider_is_learned_from_a_field_of_the_answer() -> None:
    async with a_way(Says(fields=((b"Nylas-Gmail-Quota-Usage", b"5"),))) as way:
        await way.ask(READ)
        assert way.booked("gmail_user_second") == 0
        await way.ask(READ)
        await way.ask(BOB)
        assert way.booked("gmail_user_second") == 5


@fast_forwarded
async def test_the_provider_is_learned_from_an_error() -> None:
    async with a_way(nylas_error(429, "rate_limit_error", "Application is over its MailboxConcurrency limit"), Says(takes_s=1.0)) as way:
        assert (await way.ask(READ, patience="0")).proxy["cause"] == "rate_limit_provider_microsoft"
        await asyncio.sleep(10.0)
        task = way.start(READ)
        await soon()
        assert way.leases() == 1
        await task


@fast_forwarded
async def test_what_a_limit_holds_goes_when_there_is_room_and_is_told_how_long_it_waited() -> None:
    async with a_way(settings=ONE_A_SECOND) as way:
        heard = [await way.ask(READ) for _ in range(2)]
        assert way.upstream.times_s == [0.0, 1.05]
        assert heard[1].field(b"x-nylas-proxy-waited") == b"1.050"


@fast_forwarded
async def test_more_than_may_wait_are_answered_503() -> None:
    settings = Settings(limits=Limits(overrides={"v3_messages": {"count": 1}}), patience=Patience(max_waiting=1))
    async with a_way(settings=settings) as way:
        await way.ask(READ)
        waiting = way.start(READ)
        await soon()
        heard = await way.ask(READ)
        assert (heard.status, heard.proxy["cause"]) == (503, "overloaded")
        assert (await waiting).status == 200


@fast_forwarded
async def test_bodies_that_would_take_too_much_while_they_wait_are_answered_503() -> None:
    settings = Settings(limits=Limits(overrides={"v3_messages": {"count": 1}}), patience=Patience(waiting_max_bytes=10))
    async with a_way(settings=settings) as way:
        await way.ask(READ)
        waiting = way.start(READ, "PUT", b"123456")
        await soon()
        assert (await way.ask(READ, "PUT", b"12345")).status == 503
        assert [(await heard).status for heard in (way.start(READ, "PUT", b"1234"), waiting)] == [200, 200]


@fast_forwarded
async def test_observing_holds_nothing_and_tells_what_it_would_have_held() -> None:
    settings = Settings(limits=Limits(mode="observe", overrides={"v3_messages": {"count": 1}}))
    async with a_way(settings=settings) as way:
        heard = [await way.ask(READ) for _ in range(2)]
        assert way.upstream.times_s == [0.0, 0.0]
        assert [each.field(b"x-nylas-proxy-would-hold") for each in heard] == [None, b"1.050"]


@fast_forwarded
async def test_observing_lets_requests_into_a_window() -> None:
    async with a_way(exchange_throttle(), settings=OBSERVING) as way:
        assert (await way.ask(READ)).status == 429
        heard = await way.ask(READ)
        assert (heard.status, heard.field(b"x-nylas-proxy-would-hold")) == (200, b"1200.000")


@fast_forwarded
async def test_observing_repeats_nothing_in_a_tight_loop() -> None:
    refusal = nylas_error(429, "nylas_rate_limit_exceeded")
    async with a_way(*[refusal] * 50, settings=OBSERVING) as way:
        assert (await way.ask(READ)).status == 429
        times_s = way.upstream.times_s
        assert len(times_s) <= 3
        assert all(later_s - earlier_s >= 1.0 for earlier_s, later_s in itertools.pairwise(times_s))
