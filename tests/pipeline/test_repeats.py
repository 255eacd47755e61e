"""What is repeated, how, and what its caller is told: the table of repetitions end to end, and the bounds that hold for all of it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import EVENTS, READ, SEND, Attempt, Fails, Heard, Says, Way, a_way, exchange_throttle, nylas_429, nylas_error
from proxy.core.model import Cause
from proxy.settings import Settings
from proxy.settings.pacing import Patience, Retry

KEY: Final = {"idempotency-key": "the callers own"}
REPLAYED: Final = (b"Idempotent-Response", b"true")
RAW: Final = b"/messages/m1"
REQUESTS: Final[dict[str, tuple[Any, ...]]] = {
    "read": (READ, "GET", b"", {}),
    "update": (READ, "PUT", b"{}", {}),
    "send": (SEND, "POST", b"a mail", {}),
    "own key": (SEND, "POST", b"a mail", KEY),
    "post": (EVENTS, "POST", b"an event", {}),
}
ENDINGS: Final[dict[str, Says | Fails]] = {
    "never left": Fails(Cause.UPSTREAM_UNREACHABLE, sent=False),
    "stale": Fails(stale=True),
    "refused": nylas_429(),
    "refused by the provider": nylas_error(429, "rate_limit_error", "Resource has been exhausted (e.g. check quota)"),
    "not sent": nylas_error(503, "api_error", "Temporary server error. Your message has NOT been sent."),
    "500": nylas_error(500, "api.internal_error"),
    "502": nylas_error(502, "api.internal_error"),
    "503": nylas_error(503, "api.service_unavailable"),
    "provider": nylas_error(503, "provider_error"),
    "504": nylas_error(504, "api.gateway_timeout"),
    "page": Says(502, b"<html>", ((b"Content-Type", b"text/html"),)),
    "time-out": Fails(Cause.RESPONSE_TIMEOUT),
    "broke off": Fails(Cause.UPSTREAM_BROKE_OFF),
    "unreadable": Fails(Cause.UPSTREAM_MALFORMED),
    "in flight": nylas_error(409, "api.concurrent_idempotent_request"),
    "replayed": nylas_error(503, "api.service_unavailable", "it did not work", REPLAYED),
    "final": nylas_error(400, "invalid_request_error"),
}
# What becomes of a request after each: "again", with the "same" key, with a "new" one, or told; "?" where it may have happened.
TABLE: Final = """
    ending                    read   update  send   own_key  post
    never_left                again  again   same   again    again
    stale                     again  again?  same?  told?    told?
    refused                   again  again   new    told     again
    refused_by_the_provider   again  again   new    told     again
    not_sent                  again  again   new    told     again
    500                       again  again?  told?  told?    told?
    502                       again  again?  same?  told?    told?
    503                       again  again?  same?  told?    told?
    provider                  again  again?  told?  told?    told?
    504                       again  again?  same?  told?    told?
    time-out                  again  again?  same?  told?    told?
    broke_off                 again  again?  same?  told?    told?
    unreadable                again  again?  same?  told?    told?
    in_flight                 told   told    same?  told     told
    replayed                  told   told?   told?  told?    told?
    final                     told   told    told   told     told
"""


def cells() -> list[tuple[str, str, str]]:
    (_, *columns), *rows = [[word.replace("_", " ") for word in line.split()] for line in TABLE.strip().splitlines()]
    return [(ending, column, cell) for ending, *line in rows for column, cell in zip(columns, line, strict=True)]


async def asked(way: Way, request: str, **fields: str) -> Heard:
    target, method, body, own = REQUESTS[request]
    return await way.ask(target, method, body, **{**own, **fields})


def keys(way: Way) -> list[str]:
    return [attempt.key for attempt in way.upstream.attempts]


def keys_of(attempts: list[Attempt]) -> str:
    if not attempts[0].key:
        return "again"
    return "same" if attempts[0].key == attempts[1].key else "new"


@pytest.mark.parametrize(("ending", "request_", "cell"), cells())
@fast_forwarded
async def test_every_cell_of_the_table_of_repetitions(ending: str, request_: str, cell: str) -> None:
    async with a_way(ENDINGS[ending]) as way:
        heard = await asked(way, request_)
        attempts = way.upstream.attempts
        if cell.rstrip("?") == "told":
            assert (len(attempts), heard.status >= 400, heard.proxy["attempts"]) == (1, True, 1)
            return
        assert (heard.status, len(attempts), heard.field(b"x-nylas-proxy-attempts")) == (200, 2, b"2")
        assert keys_of(attempts) == cell.rstrip("?")
        assert attempts[0].body == attempts[1].body == REQUESTS[request_][2]
        idempotency = {"same": b"injected", "new": b"renewed", "again": None}[cell.rstrip("?")]
        assert heard.field(b"x-nylas-proxy-idempotency") == idempotency


@pytest.mark.parametrize(("ending", "request_", "cell"), cells())
@fast_forwarded
async def test_the_caller_is_told_whether_it_may_have_happened(ending: str, request_: str, cell: str) -> None:
    async with a_way(ENDINGS[ending], settings=Settings(retry=Retry(max_attempts=1), patience=Patience(default_s=0))) as way:
        heard = await asked(way, request_)
        assert len(way.upstream.attempts) == (2 if (ending, request_) == ("stale", "read") else 1)
        assert heard.status == 200 or heard.in_doubt == cell.endswith("?")


@pytest.mark.parametrize(("request_", "is_told"), [("own key", True), ("send", False), ("post", False)])
@fast_forwarded
async def test_who_gave_a_send_its_own_key_is_told_to_repeat_it_with_that(request_: str, *, is_told: bool) -> None:
    async with a_way(Fails(Cause.RESPONSE_TIMEOUT), settings=Settings(retry=Retry(max_attempts=1))) as way:
        heard = await asked(way, request_)
        told = [text for text in (heard.proxy["solution"], heard.body["message"]) if "repeat it with the same Idempotency-Key" in text]
        assert (heard.in_doubt, len(told)) == (True, 2 if is_told else 0)


@fast_forwarded
async def test_doubt_about_an_earlier_attempt_is_told_of_a_later_refusal() -> None:
    async with a_way(Fails(), nylas_error(400, "invalid_request_error")) as way:
        heard = await asked(way, "send")
        assert (heard.status, heard.proxy["attempts"], heard.in_doubt) == (400, 2, True)


@fast_forwarded
async def test_a_send_whose_caller_has_left_is_finished_and_not_repeated() -> None:
    async with a_way(Fails(takes_s=1.0)) as way:
        target, method, body, _ = REQUESTS["send"]
        errand = way.errand(target, method, body)
        running = asyncio.get_running_loop().create_task(way.pipeline.run(errand))
        await asyncio.sleep(0.5)
        errand.abandoned = True  # and may send it again under a key of its own
        await running
        way.pipeline.leave(errand)
        assert len(way.upstream.attempts) == 1


@fast_forwarded
async def test_a_refusal_after_a_doubtful_attempt_keeps_the_key() -> None:
    async with a_way(Fails(), nylas_429()) as way:
        assert (await asked(way, "send", patience="20")).status == 200
        assert (len(keys(way)), len(set(keys(way)))) == (3, 1)


@fast_forwarded
async def test_doubt_is_told_where_admission_refuses_the_next_attempt() -> None:
    async with a_way(Fails(), exchange_throttle(), roll=0.5) as way:
        sending = way.start(SEND, "POST", b"a mail")
        await asyncio.sleep(0.1)
        await way.ask(READ)
        heard = await sending
        assert (heard.status, heard.proxy["cause"], heard.proxy["attempts"], heard.in_doubt) == (429, "exchange_throttle", 1, True)


@fast_forwarded
async def test_the_answer_to_the_first_of_two_requests_with_one_key_is_final() -> None:
    async with a_way(Fails(), Says(200, {"data": "sent"}, (REPLAYED,))) as way:
        heard = await asked(way, "send")
        assert (heard.status, heard.body, len(way.upstream.attempts)) == (200, {"data": "sent"}, 2)


@pytest.mark.parametrize("request_", ["send", "post", "update"])
@fast_forwarded
async def test_a_202_is_final(request_: str) -> None:
    async with a_way(Says(202)) as way:
        assert ((await asked(way, request_)).status, len(way.upstream.attempts)) == (202, 1)


@fast_forwarded
async def test_a_raw_message_of_v2_that_is_not_ready_is_asked_for_again() -> None:
    async with a_way(Says(202), roll=0.5) as way:
        assert (await way.ask(RAW, accept="message/rfc822")).status == 200
        assert (way.upstream.times_s, way.upstream.abandoned) == ([0.0, 0.25], 1)


@fast_forwarded
async def test_a_raw_message_that_stays_not_ready_passes_as_202() -> None:
    async with a_way(*[Says(202)] * 9) as way:
        assert ((await way.ask(RAW, accept="message/rfc822")).status, len(way.upstream.attempts)) == (202, 3)


@fast_forwarded
async def test_an_earlier_request_with_the_same_key_is_waited_for_a_bounded_time() -> None:
    async with a_way(*[ENDINGS["in flight"]] * 99) as way:
        heard = await asked(way, "send", patience="60")
        assert (heard.status, heard.in_doubt, len(set(keys(way)))) == (409, True, 1)
        assert 10.0 <= way.upstream.times_s[-1] <= 20.0


@fast_forwarded
async def test_a_signed_request_is_not_repeated() -> None:
    async with a_way(nylas_error(503, "api.service_unavailable")) as way:
        assert ((await way.ask(b"/v3/admin/domains")).status, len(way.upstream.attempts)) == (503, 1)


@fast_forwarded
async def test_backoff_is_drawn_at_random_and_doubles() -> None:
    async with a_way(Fails(), Fails(), Fails(), roll=0.5) as way:
        assert (await way.ask(READ)).status == 502
        assert way.upstream.times_s == [0.0, 0.25, 0.75]


@fast_forwarded
async def test_retry_after_is_a_floor_of_the_backoff() -> None:
    async with a_way(nylas_error(503, "api.service_unavailable", "no", (b"Retry-After", b"4")), roll=0.5) as way:
        heard = await way.ask(READ)
        assert (heard.status, way.upstream.times_s) == (200, [0.0, 4.2])
        assert heard.field(b"x-nylas-proxy-waited") == b"4.200"


@fast_forwarded
async def test_a_backoff_beyond_the_patience_is_not_begun() -> None:
    async with a_way(nylas_error(503, "api.service_unavailable", "no", (b"Retry-After", b"11"))) as way:
        heard = await way.ask(READ)
        assert (heard.status, heard.field(b"retry-after"), heard.field(b"x-nylas-proxy-waited")) == (503, b"11", b"0")
        assert asyncio.get_running_loop().time() == way.upstream._began_at


@fast_forwarded
async def test_time_that_attempts_take_counts_against_the_patience() -> None:
    async with a_way(Fails(takes_s=9.9), roll=0.5) as way:
        assert ((await way.ask(READ)).status, len(way.upstream.attempts)) == (502, 1)


@fast_forwarded
async def test_an_empty_budget_passes_errors_on() -> None:
    async with a_way(*[Fails()] * 400) as way:
        heard = [await way.ask(READ) for _ in range(100)]
        assert {each.status for each in heard} == {502}
        assert len(way.upstream.attempts) == 210


@fast_forwarded
async def test_never_repeats_where_its_caller_says_so() -> None:
    for ending in ENDINGS.values():
        async with a_way(ending) as way:
            assert (await asked(way, "send", retry="never")).status >= 400
            assert len(way.upstream.attempts) == 1


@fast_forwarded
async def test_no_key_is_given_where_the_setting_says_so() -> None:
    async with a_way(Fails(), settings=Settings(retry=Retry(idempotency_keys=False))) as way:
        heard = await asked(way, "send")
        assert (heard.status, keys(way), heard.field(b"x-nylas-proxy-idempotency")) == (502, [""], None)
