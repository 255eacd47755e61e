"""A Gmail mailbox after a resource-exhausted answer: changes keep their distance, long lists are advised against, for as long as it recovers."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import Mock

import pytest

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, SEND, Says, a_way, exchange_throttle, nylas_error
from proxy.record import Ending, request_ended
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Patience

if TYPE_CHECKING:
    from proxy.settings.kinds import Override

LIST: Final = b"/v3/grants/ada/messages?limit=50"
SHORT_LIST: Final = b"/v3/grants/ada/messages?limit=20"
BOB: Final = b"/v3/grants/bob/messages/m1"
ADVICE: Final = b"x-nylas-proxy-advice"
SPACING: Final = "gmail_recovery_spacing"
WINDOW_S: Final = 5.0
"""For how long such an answer closes the mailbox; after that a change may go every second, and more often later."""


def exhausted(*, status: int = 429, takes_s: float = 0.0) -> Says:
    return nylas_error(status, "rate_limit_error", "Resource has been exhausted (e.g. check quota)", takes_s=takes_s)


def settings(*, spacing_s: float = 3.0, overrides: dict[str, Override] | None = None, **limits: Any) -> Settings:
    """A distance that no other pace brings about."""
    return Settings(
        limits=Limits(headroom=0.0, gmail_recovery_spacing_s=spacing_s, overrides=overrides or {}, **limits),
        patience=Patience(default_s=60.0),
    )


def gaps_s(times_s: list[float]) -> list[float]:
    return [round(later - earlier, 3) for earlier, later in pairwise(times_s)]


@pytest.mark.parametrize("status", [429, 403])
@fast_forwarded
async def test_the_answer_itself_advises_the_list_that_it_answers(status: int) -> None:
    async with a_way(exhausted(status=status)) as way:
        heard = await way.ask(LIST, patience="0")
        assert heard.status == status
        advice = heard.field(ADVICE)
        assert advice is not None
        assert advice.startswith(b"list_limit: ask for limit=20 or lower")


@fast_forwarded
async def test_long_lists_are_advised_against_until_the_mailbox_has_recovered() -> None:
    async with a_way(exhausted()) as way:
        await way.ask(READ, patience="0")
        refused = await way.ask(LIST, patience="0")
        assert (refused.status, refused.field(ADVICE) is not None) == (429, True)
        await asyncio.sleep(WINDOW_S)
        assert [(await way.ask(target)).field(ADVICE) is not None for target in (LIST, SHORT_LIST, READ)] == [True, False, False]
        assert (await way.ask(b"/v3/grants/bob/messages?limit=50")).field(ADVICE) is None
        for at_s, advised in ((WINDOW_S + 59.0, True), (WINDOW_S + 60.0, False)):
            await asyncio.sleep(at_s - way.upstream.times_s[-1])
            assert ((await way.ask(LIST)).field(ADVICE) is not None) is advised


@fast_forwarded
async def test_a_list_that_waited_when_the_recovery_began_is_advised_as_well() -> None:
    async with a_way(exhausted(takes_s=1.0), settings=settings(overrides={"v3_messages": {"count": 1, "per_s": 4.0}})) as way:
        heard = await asyncio.gather(way.ask(READ, retry="never"), way.ask(LIST))
        assert (heard[1].status, heard[1].field(ADVICE) is not None) == (200, True)


@fast_forwarded
async def test_without_a_resource_exhausted_answer_there_is_neither_advice_nor_distance() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"5")), settings=settings()) as way:
        await way.ask(LIST, patience="0")
        await asyncio.sleep(WINDOW_S)
        assert (await way.ask(LIST)).field(ADVICE) is None
        await asyncio.gather(*(way.ask(READ, "PUT", b"{}") for _ in range(3)))
        assert max(gaps_s(way.upstream.times_s[1:])) <= 1.0


@fast_forwarded
async def test_changes_of_a_mailbox_that_recovers_keep_the_distance() -> None:
    async with a_way(exhausted(), settings=settings()) as way:
        await way.ask(READ, retry="never")
        changes = ((READ, "PUT"), (READ, "DELETE"), (SEND, "POST"), (b"/v3/grants/ada/folders", "POST"))
        heard = await asyncio.gather(*(way.ask(target, method, b"{}") for target, method in changes))
        assert {each.status for each in heard} == {200}
        assert min(gaps_s(way.upstream.times_s[1:])) >= 3.0


@fast_forwarded
async def test_reads_and_other_mailboxes_keep_no_distance() -> None:
    async with a_way(exhausted(), settings=settings(spacing_s=50.0)) as way:
        await way.ask(READ, retry="never")
        await asyncio.sleep(WINDOW_S)
        await way.ask(READ, "PUT", b"{}")
        heard = [await way.ask(READ, patience="5"), *[await way.ask(BOB, "PUT", b"{}", patience="0") for _ in range(2)]]
        assert [each.status for each in heard] == [200, 200, 200]


@fast_forwarded
async def test_once_it_has_recovered_nothing_is_held() -> None:
    async with a_way(exhausted(), settings=settings(gmail_recovery_s=30.0)) as way:
        await way.ask(READ, retry="never")
        await asyncio.sleep(WINDOW_S + 30.0)
        heard = [await way.ask(READ, "PUT", b"{}", patience="1") for _ in range(3)]
        assert {each.status for each in heard} == {200}
        assert way.booked(SPACING) == 0


@fast_forwarded
async def test_the_repeat_of_the_very_change_that_was_refused_counts_as_well() -> None:
    async with a_way(exhausted(), settings=settings()) as way:
        heard = await way.ask(READ, "PUT", b"{}")
        assert (heard.status, heard.field(b"x-nylas-proxy-attempts")) == (200, b"2")
        await way.ask(READ, "PUT", b"{}")
        assert gaps_s(way.upstream.times_s)[1] >= 3.0


@pytest.mark.parametrize(
    ("target", "overrides"),
    [
        (READ, {"v3_messages": {"count": 2, "per_s": 10.0}}),
        (b"/messages/m1", {"v2_account": {"count": 2, "per_s": 10.0}, "v2_account_in_flight": {"count": 2}}),
    ],
)
@fast_forwarded
async def test_changes_that_waited_when_the_recovery_began_keep_the_distance(target: bytes, overrides: dict[str, Override]) -> None:
    async with a_way(exhausted(takes_s=2.0), settings=settings(overrides=overrides)) as way:
        heard = await asyncio.gather(*(way.ask(target, "PUT", b"{}", retry="never") for _ in range(5)))
        assert sorted(each.status for each in heard) == [200, 200, 200, 200, 429]
        assert min(gaps_s(way.upstream.times_s[2:])) >= 3.0
        assert way.upstream.times_s[-1] <= 25.0


@fast_forwarded
async def test_what_cannot_wait_for_the_distance_is_told_so_at_once() -> None:
    async with a_way(exhausted(), settings=settings()) as way:
        await way.ask(READ, retry="never")
        await asyncio.sleep(WINDOW_S + 5.0)
        await way.ask(READ, "PUT", b"{}")
        heard = await way.ask(READ, "PUT", b"{}", patience="0")
        told = {key: heard.proxy[key] for key in ("origin", "cause", "scope", "retry_after_s")}
        assert (heard.status, told) == (429, {"origin": "proxy", "cause": "rate_limit_provider_google", "scope": "grant", "retry_after_s": 3})
        assert SPACING in heard.body["message"]


@fast_forwarded
async def test_where_limits_are_only_observed_the_distance_is_told_and_not_kept() -> None:
    async with a_way(exhausted(), settings=settings(mode="observe")) as way:
        await way.ask(READ, retry="never")
        await asyncio.sleep(WINDOW_S)
        heard = [await way.ask(READ, "PUT", b"{}") for _ in range(2)]
        assert [each.field(b"x-nylas-proxy-would-hold") for each in heard] == [None, b"3.000"]
        assert way.upstream.times_s == [0.0, WINDOW_S, WINDOW_S]


@fast_forwarded
async def test_a_refusal_that_answers_an_earlier_send_begins_no_recovery() -> None:
    replayed = nylas_error(429, "rate_limit_error", "Resource has been exhausted", (b"Idempotent-Response", b"true"))
    async with a_way(replayed) as way:
        await way.ask(SEND, "POST", b"a mail", **{"idempotency-key": "own"})
        assert (await way.ask(LIST)).field(ADVICE) is None


@fast_forwarded
async def test_the_record_names_the_advice_that_was_given() -> None:
    async with a_way(exhausted()) as way:
        await way.ask(READ, patience="0")
        await asyncio.sleep(WINDOW_S)
        exchange = Mock(gone=False, cut=False, started_at=0.0, answered_at=0.0, sent_bytes=0, head=None)
        for target, advised in ((LIST, True), (READ, False)):
            errand = way.errand(target)
            await way.pipeline.run(errand)
            way.pipeline.leave(errand)
            recorded = request_ended(exchange, errand.context, errand, Ending(200)).advice
            assert (recorded or "").startswith("list_limit: ask for limit=20") is advised
            assert (recorded is None) is not advised
        assert request_ended(exchange, None, None, Ending(400)).advice is None
