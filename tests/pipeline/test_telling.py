"""What the way of a request tells of its attempts, its repetitions, and the throttles that it meets."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, SEND, Crashes, Fails, Says, a_way, daily_quota, exchange_throttle, nylas_429, nylas_error
from pipeline.told import limited, subject, told
from proxy.core.events import AttemptEnded, GmailSpent, Retried, Throttled, WindowClosed, WindowOpened
from proxy.core.model import Cause, Origin
from proxy.settings import Settings
from proxy.settings.pacing import Providers
from proxy.telemetry.recent import watch
from proxy.telemetry.tallies import Tallies

BOB: Final = b"/v3/grants/bob/messages/m1"
WEBHOOKS: Final = b"/v3/webhooks"
GOOGLE: Final = Settings(providers=Providers(known={"ada": "google"}))
BROKEN: Final = nylas_error(503, "api_error", "it is down")


@fast_forwarded
async def test_a_success_is_one_attempt_and_nothing_else() -> None:
    async with a_way(Says(201)) as way:
        await way.ask(READ)
        (attempt,) = way.told
        assert isinstance(attempt, AttemptEnded)
        assert (attempt.route.name, attempt.status, attempt.failure) == ("message", 201, None)
        assert attempt.upstream_s >= 0


@fast_forwarded
async def test_an_error_is_an_attempt_with_its_status() -> None:
    async with a_way(nylas_error(404, "not_found_error")) as way:
        await way.ask(READ)
        assert [(type(event), event.status, event.failure) for event in way.told] == [(AttemptEnded, 404, None)]


@pytest.mark.parametrize("cause", [Cause.UPSTREAM_BROKE_OFF, Cause.UPSTREAM_UNREACHABLE, Cause.RESPONSE_TIMEOUT])
@fast_forwarded
async def test_an_attempt_without_an_answer_tells_why(cause: Cause) -> None:
    async with a_way(Fails(cause)) as way:
        await way.ask(READ, retry="never")
        assert [(event.status, event.failure) for event in way.told] == [(0, cause)]


@fast_forwarded
async def test_an_attempt_whose_caller_leaves_is_told_as_such() -> None:
    async with a_way(Says(takes_s=5.0)) as way:
        task = way.start(READ)
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait([task])
        assert [(event.status, event.failure) for event in way.told] == [(0, "caller_left")]


@fast_forwarded
async def test_an_attempt_that_ends_with_a_bug_is_told_as_well() -> None:
    async with a_way(Crashes()) as way:
        with pytest.raises(RuntimeError, match="a bug"):
            await way.ask(READ)
        assert [type(event) for event in way.told] == [AttemptEnded]


@fast_forwarded
async def test_a_repetition_tells_what_went_wrong_how_long_it_waits_and_that_it_takes_a_token() -> None:
    async with a_way(BROKEN, Fails(), roll=0.5) as way:
        await way.ask(READ)
        assert [type(event) for event in way.told] == [AttemptEnded, Retried, AttemptEnded, Retried, AttemptEnded]
        first, second = told(way, Retried)
        assert (first.route.name, first.cause, first.wait_s, first.counts) == ("message", Cause.SERVER_ERROR, 0.25, True)
        assert (second.cause, second.wait_s, second.counts) == (Cause.UPSTREAM_BROKE_OFF, 0.5, True)


@fast_forwarded
async def test_a_repetition_after_a_refusal_tells_the_throttle_and_takes_no_token() -> None:
    async with a_way(nylas_429()) as way:
        await way.ask(READ)
        (again,) = told(way, Retried)
        assert (again.cause, again.counts) == (Cause.RATE_LIMIT_NYLAS, False)


@fast_forwarded
async def test_what_is_not_repeated_tells_no_repetition() -> None:
    async with a_way(BROKEN) as way:
        await way.ask(READ, retry="never")
        assert told(way, Retried) == []


@pytest.mark.parametrize(("fields", "source", "closed_s"), [((), "default", 1200.0), (((b"Retry-After", b"300"),), "retry_after", 300.0)])
@fast_forwarded
async def test_a_throttle_tells_what_it_closes_for_how_long_and_who_named_the_time(fields: Any, source: str, closed_s: float) -> None:
    async with a_way(exchange_throttle(*fields)) as way:
        await way.ask(READ)
        scope = f"grant:{subject(way)}"
        assert told(way, Throttled) == [
            Throttled(Cause.EXCHANGE_THROTTLE, Origin.PROVIDER, scope, "grant", subject(way), 429, source, closed_s),
        ]


@fast_forwarded
async def test_a_throttle_of_sends_and_one_of_the_application_tell_those() -> None:
    async with a_way(daily_quota(), nylas_429()) as way:
        await way.ask(SEND, "POST", b"a mail")
        await way.ask(WEBHOOKS, retry="never")
        of_sends, of_application = told(way, Throttled)
        assert (of_sends.level, of_sends.scope, of_sends.grant) == ("sends", f"sends:{subject(way)}", subject(way))
        sole = way.gate.identity.sole_application
        assert (of_application.level, of_application.scope, of_application.grant) == ("application", f"application:{sole}", sole)


@fast_forwarded
async def test_a_second_shorter_throttle_tells_for_how_long_it_is_closed_in_truth() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"300")), exchange_throttle((b"Retry-After", b"5"))) as way:
        await asyncio.gather(way.ask(READ), way.ask(READ))
        assert [throttled.closed_s for throttled in told(way, Throttled)] == [300.0, 300.0]


@fast_forwarded
async def test_a_throttle_that_closes_nothing_is_told_all_the_same() -> None:
    async with a_way(nylas_429()) as way:
        await way.ask(b"/v3/providers/detect?email=x", "POST", retry="never")
        (throttled,) = told(way, Throttled)
        whose = way.gate.identity.sole_application
        assert throttled == Throttled(Cause.RATE_LIMIT_NYLAS, Origin.NYLAS, "", "-", whose or "", 429, "-", 0.0)


@fast_forwarded
async def test_an_error_that_is_no_throttle_tells_none() -> None:
    async with a_way(nylas_error(400, "invalid_request_error"), BROKEN) as way:
        await way.ask(READ)
        await way.ask(READ, retry="never")
        assert told(way, Throttled) == []


@pytest.mark.parametrize(("field", "units"), [(b"77", 77), (b"2", 2), (b"many", 5), (None, 5)])
@fast_forwarded
async def test_units_of_a_gmail_mailbox_are_told_as_its_answer_says_else_as_estimated(field: bytes | None, units: int) -> None:
    async with a_way(Says(fields=((b"Nylas-Gmail-Quota-Usage", field),) if field else ()), settings=GOOGLE) as way:
        await way.ask(READ)
        await way.ask(BOB)
        assert told(way, GmailSpent) == [GmailSpent(units)]


@fast_forwarded
async def test_every_answer_for_a_gmail_mailbox_tells_its_units() -> None:
    async with a_way(BROKEN, Fails(), settings=GOOGLE) as way:
        await way.ask(READ)
        assert told(way, GmailSpent) == [GmailSpent(5), GmailSpent(5)]


@fast_forwarded
async def test_a_window_is_told_from_its_throttle_until_its_probe_has_succeeded() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"6"))) as way:
        recent = watch(way.observers, Tallies(CollectorRegistry()), way.book, asyncio.get_running_loop().time)
        await way.ask(READ, patience="0")
        opened = WindowOpened("grant", subject(way), "exchange_throttle", "retry_after", 6.0)
        for sweeps_after_s in (1.0, 7.0):
            await asyncio.sleep(sweeps_after_s)
            way.gate.sweep(0.0)
            recent.sweep(0.0)
        assert (told(way, WindowOpened), told(way, WindowClosed)) == ([opened], [])
        await way.ask(READ)
        recent.sweep(0.0)
        assert [closed[:3] for closed in told(way, WindowClosed)] == [("grant", subject(way), "exchange_throttle")]
        assert [round(closed.lasted_s, 3) for closed in told(way, WindowClosed)] == [8.0]


@fast_forwarded
async def test_steps_are_kept_where_somebody_wants_them_in_their_order() -> None:
    script = (Says(), BROKEN, exchange_throttle((b"Retry-After", b"6")))
    async with a_way(*script, settings=limited(), roll=0.5) as way:
        await way.ask(READ)
        errand = way.errand(READ)
        errand.steps = []
        await way.pipeline.run(errand)
        way.pipeline.leave(errand)
        assert [(step.name, step.says) for step in errand.steps] == [
            ("hold", "v3_messages"), ("attempt", "503"), ("backoff", Cause.SERVER_ERROR),
            ("hold", "v3_messages"), ("attempt", "429"), ("hold", "exchange_throttle"), ("attempt", "200"),
        ]  # fmt: skip
        assert all(step.began_at <= step.ended_at for step in errand.steps)


@fast_forwarded
async def test_steps_are_not_kept_where_nobody_wants_them() -> None:
    async with a_way(BROKEN) as way:
        errand = way.errand(READ)
        await way.pipeline.run(errand)
        way.pipeline.leave(errand)
        assert errand.steps is None
