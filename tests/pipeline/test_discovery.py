"""Mailboxes of which nothing is known are looked up at Nylas, beside the requests that they are met with."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from builders import a_context

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, Crashes, Fails, Says, Way, a_way, exchange_throttle, nylas_429, nylas_error, soon
from proxy.discovery import AFTER_FAILURE_S, AFTER_REFUSAL_S, ANSWER_MAX_BYTES, AT_ONCE_MAX
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Providers

if TYPE_CHECKING:
    from proxy.errand import Errand
    from proxy.settings.kinds import Override

LOOK_UP = b"/v3/grants/ada"
BY_ID, BY_ADDRESS, BY_ME = READ, b"/v3/grants/Ada%40x.example/messages/m1", b"/v3/grants/me/messages/m1"
TOKEN = "Bearer nyk_s3cret"


def discovering(**limits: Override) -> Settings:
    return Settings(providers=Providers(discover=True), limits=Limits(overrides=limits))


def a_grant(provider: str = "microsoft", takes_s: float = 0.0, **more: Any) -> Says:
    return Says(200, {"request_id": "r", "data": {"id": "ada", "provider": provider, "email": "ada@x.example", **more}}, takes_s=takes_s)


async def ask(way: Way, target: bytes = READ, method: str = "GET", **fields: str) -> int:
    """One request, and all that goes on beside it as far as it can now."""
    status = (await way.ask(target, method, b"", **{"authorization": TOKEN, "patience": "0", **fields})).status
    await soon()
    return status


def look_ups(way: Way, *, of: tuple[bytes, ...] = (LOOK_UP, b"/account")) -> list[float]:
    return [attempt.at_s for attempt in way.upstream.attempts if attempt.target in of]


@fast_forwarded
async def test_the_provider_is_known_from_the_second_request_on() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = a_grant()
        assert await ask(way) == 200
        way.upstream.script = [Says(takes_s=5.0)] * 4
        tasks = [way.start(READ, authorization=TOKEN) for _ in range(4)]
        await asyncio.sleep(1.0)
        assert way.leases() == 3
        await asyncio.gather(*tasks)
        assert len(look_ups(way)) == 1


@fast_forwarded
async def test_a_look_up_delays_nobody() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = a_grant(takes_s=50.0)
        for _ in range(3):
            assert await ask(way) == 200
        assert way.upstream.times_s == [0.0] * 4
        await asyncio.sleep(60.0)


@fast_forwarded
async def test_a_look_up_asks_with_the_callers_credential_and_for_nothing_that_must_be_unpacked() -> None:
    async with a_way(settings=discovering()) as way:
        errands: list[Errand] = []
        attempt = way.upstream.attempt

        async def watched(errand: Errand, on_leaving: Any) -> Any:
            errands.append(errand)
            return await attempt(errand, on_leaving)

        way.upstream.attempt = watched  # type: ignore[method-assign]
        await ask(way, BY_ADDRESS)
        asked = errands[1]
        assert (asked.context.target, asked.head.method) == (b"/v3/grants/Ada%40x.example", b"GET")
        told = {name: asked.head.index[name] for name in (b"authorization", b"accept-encoding")}
        assert told == {b"authorization": TOKEN.encode(), b"accept-encoding": b"identity"}


@fast_forwarded
async def test_a_look_up_counts_against_the_application_and_goes_only_where_there_is_room() -> None:
    async with a_way(settings=discovering(v3_grants={"count": 1, "per_s": 20.0})) as way:
        way.upstream.known[LOOK_UP] = a_grant()
        assert await ask(way, b"/v3/grants") == 200
        assert await ask(way) == 200
        assert look_ups(way) == []
        await asyncio.sleep(21.0)
        assert await ask(way) == 200
        assert (look_ups(way), way.booked("v3_grants")) == ([21.0], 1)


@fast_forwarded
async def test_no_look_up_goes_into_a_window_of_the_application() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = nylas_429((b"Retry-After", b"30"))
        assert await ask(way) == 200
        assert [window.partition(":")[0] for window in way.book.windows] == ["application"]
        assert await ask(way, b"/v3/grants/bob/messages/m1") == 200
        assert look_ups(way, of=(b"/v3/grants/bob",)) == []


@pytest.mark.parametrize(("first", "then"), [(BY_ADDRESS, BY_ID), (BY_ID, BY_ADDRESS), (BY_ME, BY_ADDRESS), (BY_ADDRESS, BY_ME)])
@fast_forwarded
async def test_a_window_that_was_open_before_the_names_were_known_holds_under_each_of_them(first: bytes, then: bytes) -> None:
    async with a_way(exchange_throttle(), settings=discovering()) as way:
        names = {target.rpartition(b"/messages")[0] for target in (first, then)}
        way.upstream.known = {name: a_grant("ews", takes_s=1.0) for name in names}
        assert await ask(way, first) == 429
        await asyncio.sleep(2.0)
        if then == BY_ME:  # a token is known as the mailbox once it has been looked up
            way.upstream.script = [Says()]
            await ask(way, then)
            await asyncio.sleep(2.0)
        met = len(way.upstream.attempts)
        assert (await ask(way, first), await ask(way, then), len(way.upstream.attempts)) == (429, 429, met)


@fast_forwarded
async def test_a_window_opened_after_the_names_are_known_holds_under_each_of_them_and_is_probed_once() -> None:
    async with a_way(Says(), exchange_throttle(), settings=discovering()) as way:
        way.upstream.known[b"/v3/grants/Ada%40x.example"] = a_grant("ews")
        assert await ask(way, BY_ADDRESS) == 200
        assert (await ask(way, BY_ADDRESS), await ask(way, BY_ID)) == (429, 429)
        await asyncio.sleep(1200.0)
        assert await ask(way, BY_ID) == 200
        assert len(way.book.windows) == 1


@fast_forwarded
async def test_a_window_of_a_name_that_was_in_use_holds_under_the_one_that_stands() -> None:
    async with a_way(Says(), exchange_throttle(), settings=discovering()) as way:
        way.upstream.known = {LOOK_UP: a_grant("ews", takes_s=1.0), b"/v3/grants/Ada%40x.example": Says(404)}
        assert (await ask(way, BY_ID), await ask(way, BY_ADDRESS)) == (200, 429)
        await asyncio.sleep(2.0)
        met = len(way.upstream.attempts)
        assert (await ask(way, BY_ID), await ask(way, BY_ADDRESS), len(way.upstream.attempts)) == (429, 429, met)


@fast_forwarded
async def test_all_names_count_together_once_they_are_known() -> None:
    # But for the first request, when nobody knew yet whose the address is.
    async with a_way(settings=discovering(v3_messages={"count": 2, "per_s": 60.0})) as way:
        way.upstream.known[b"/v3/grants/Ada%40x.example"] = a_grant("imap")
        assert [await ask(way, target) for target in (BY_ADDRESS, BY_ID, BY_ADDRESS, BY_ID, BY_ADDRESS)] == [200, 200, 200, 429, 429]


@fast_forwarded
async def test_names_learned_one_after_the_other_count_under_the_id() -> None:
    # But for the first request of each, when nobody knew it yet.
    async with a_way(settings=discovering(v3_messages={"count": 3, "per_s": 60.0})) as way:
        way.upstream.known = {target: a_grant("imap") for target in (LOOK_UP, b"/v3/grants/me")}
        assert [await ask(way, target) for target in (BY_ID, BY_ID, BY_ME, BY_ADDRESS, BY_ME)] == [200, 200, 200, 200, 429]


@fast_forwarded
async def test_two_grants_with_one_address_have_their_own_providers_and_windows_and_the_first_has_the_address() -> None:
    async with a_way(settings=discovering()) as way:
        bob = READ.replace(b"ada", b"bob")
        way.upstream.known = {LOOK_UP: a_grant("google"), b"/v3/grants/bob": a_grant("ews", id="bob")}
        assert (await ask(way), await ask(way, bob)) == (200, 200)
        identity, mailboxes = way.gate.identity, way.gate.mailboxes
        assert [mailboxes.provider_of(identity.grant(name)) for name in (b"ada", b"bob")] == ["google", "ews"]
        way.upstream.script = [exchange_throttle()]
        assert [await ask(way, target) for target in (bob, bob, BY_ID, BY_ADDRESS)] == [429, 429, 200, 200]
        way.upstream.script = [exchange_throttle()]
        assert [await ask(way, target) for target in (BY_ID, BY_ADDRESS)] == [429, 429]


@fast_forwarded
async def test_an_address_that_two_applications_know_is_a_mailbox_of_each() -> None:
    limits = Limits(application="credential")
    async with a_way(settings=Settings(providers=Providers(discover=True), limits=limits)) as way:
        other = "Bearer nyk_other"
        way.upstream.known[b"/v3/grants/Ada%40x.example"] = a_grant("google")
        assert await ask(way, BY_ADDRESS) == 200
        way.upstream.known[b"/v3/grants/Ada%40x.example"] = a_grant("imap", id="bob")
        assert await ask(way, BY_ADDRESS, authorization=other) == 200
        identity, mailboxes = way.gate.identity, way.gate.mailboxes
        context = a_context(BY_ADDRESS)
        subjects = [identity.who(context, token.encode()).subject for token in (TOKEN, other)]
        assert subjects == [identity.grant(name) for name in (b"ada", b"bob")]
        assert [mailboxes.provider_of(subject) for subject in subjects] == ["google", "imap"]


@fast_forwarded
async def test_what_settings_say_of_an_address_stays_when_nylas_gives_it_to_another_grant() -> None:
    settings = Settings(providers=Providers(discover=True, aliases={"ada@x.example": "carol"}))
    async with a_way(settings=settings) as way:
        way.upstream.known = {b"/v3/grants/Ada%40x.example": a_grant("google"), LOOK_UP: a_grant("google")}
        for _ in range(2):
            assert (await ask(way, BY_ADDRESS), await ask(way)) == (200, 200)
        identity = way.gate.identity
        assert identity.who(a_context(BY_ADDRESS), TOKEN.encode()).subject == identity.grant(b"carol")
        assert identity.who(a_context(BY_ID), TOKEN.encode()).subject == identity.grant(b"ada")
        assert look_ups(way, of=(b"/v3/grants/Ada%40x.example",)) == [0.0]


@fast_forwarded
async def test_the_provider_that_settings_tell_of_an_address_is_not_that_of_another_grant_which_shares_it() -> None:
    settings = Settings(providers=Providers(discover=True, aliases={"ada@x.example": "carol"}, known={"carol": "imap"}))
    async with a_way(settings=settings) as way:
        way.upstream.known[LOOK_UP] = a_grant("google")
        await ask(way)
        assert way.gate.mailboxes.provider_of(way.gate.identity.grant(b"ada")) == "google"


@fast_forwarded
async def test_an_answer_that_tells_gmail_units_tells_the_provider() -> None:
    async with a_way(Says(200, {}, ((b"Nylas-Gmail-Quota-Usage", b"5"),))) as way:
        await ask(way)
        assert way.gate.mailboxes.provider_of(way.gate.identity.grant(b"ada")) == "google"


@fast_forwarded
async def test_an_account_of_v2_is_looked_up_as_the_credentials_own() -> None:
    async with a_way(settings=discovering(icloud_messages_day={"count": 1})) as way:
        way.upstream.known[b"/account"] = Says(200, {"id": "a", "provider": "icloud", "email_address": "ada@x.example"})
        assert [await ask(way, b"/send", "POST") for _ in range(3)] == [200, 200, 429]
        assert len(look_ups(way)) == 1
        identity = way.gate.identity
        assert identity.grant(b"a") == identity.named(b"a")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
@fast_forwarded
async def test_what_nylas_does_not_tell_is_not_asked_again_for_a_while(status: int) -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = nylas_error(status, "not_found_error")
        for wait_s in (0.0, AFTER_REFUSAL_S - 1.0, 2.0):
            await asyncio.sleep(wait_s)
            assert await ask(way) == 200
        assert look_ups(way) == [0.0, AFTER_REFUSAL_S + 1.0]


@pytest.mark.parametrize(
    "failure",
    [
        Fails(),
        Says(503),
        Says(202, {"data": {"id": "ada", "provider": "google"}}),
        Says(200, b"<html>"),
        Says(200, {"data": {"provider": 3}}),
        Says(200, {"data": {"provider": "A b"}}),
        Says(200, {"provider": "google"}),
        a_grant(scope=["x" * ANSWER_MAX_BYTES]),
        Crashes(),
    ],
)
@fast_forwarded
async def test_a_look_up_that_brings_nothing_is_not_repeated_at_once(failure: Says | Fails | Crashes) -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = failure
        for wait_s in (0.0, 1.0, AFTER_FAILURE_S - 2.0, 2.0):
            await asyncio.sleep(wait_s)
            assert await ask(way) == 200
        assert look_ups(way) == [0.0, AFTER_FAILURE_S + 1.0]


@fast_forwarded
async def test_a_bug_in_a_look_up_is_told() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = Crashes()
        await ask(way)
        assert way.log.bug.call_args.args[1].startswith("discovery-")


@fast_forwarded
async def test_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = a_grant(scope=["x" * ANSWER_MAX_BYTES])
        await ask(way)
        assert way.upstream.abandoned == 1


@fast_forwarded
async def test_a_provider_without_limits_of_its_own_is_learned_as_well() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = a_grant("virtual-calendar")
        await ask(way)
        await asyncio.sleep(10 * AFTER_REFUSAL_S)
        await ask(way)
        assert look_ups(way) == [0.0]


@fast_forwarded
async def test_few_are_looked_up_at_a_time_and_each_once() -> None:
    async with a_way(settings=discovering()) as way:
        grants = [b"/v3/grants/%d" % number for number in range(AT_ONCE_MAX + 3)]
        way.upstream.known = {grant: a_grant("imap", takes_s=10.0, id=grant.decode(), email="") for grant in grants}
        for _ in range(2):
            for grant in grants:
                await ask(way, grant + b"/messages/m1")
        assert len(look_ups(way, of=tuple(grants))) == AT_ONCE_MAX
        await asyncio.sleep(11.0)
        for grant in grants:
            await ask(way, grant + b"/messages/m1")
        await asyncio.sleep(11.0)
        assert len(look_ups(way, of=tuple(grants))) == len(grants)


@pytest.mark.parametrize(
    ("settings", "target", "fields"),
    [
        (Settings(), READ, {}),
        (Settings(providers=Providers(discover=True, known={"ada": "google"})), READ, {}),
        (discovering(), READ, {"authorization": ""}),
        (discovering(), b"/v3/webhooks", {}),
        (discovering(), LOOK_UP, {}),
        (discovering(), b"/a/client/accounts", {}),
    ],
    ids=["switched off", "a provider that settings tell", "no credential", "no grant", "the grant itself", "a client of v2"],
)
@fast_forwarded
async def test_nothing_is_looked_up_where_nothing_is_to_be_learned(settings: Settings, target: bytes, fields: dict[str, str]) -> None:
    async with a_way(settings=settings) as way:
        await ask(way, target, **fields)
        await asyncio.sleep(1.0)
        assert len(way.upstream.attempts) == 1


@fast_forwarded
async def test_what_nylas_says_is_taken_over_what_an_error_text_made_believe() -> None:
    async with a_way(exchange_throttle(), settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = a_grant("microsoft", takes_s=1.0)
        await ask(way)
        await asyncio.sleep(1201.0)
        way.upstream.script = [Says(takes_s=1.0)]
        probe = way.start(READ)
        await asyncio.sleep(0.5)
        assert way.leases() == 1
        await probe


@fast_forwarded
async def test_what_settings_say_of_one_name_counts_for_all() -> None:
    settings = Settings(providers=Providers(discover=True, known={"ada@x.example": "microsoft"}))
    async with a_way(settings=settings) as way:
        way.upstream.known[LOOK_UP] = a_grant("google")
        await ask(way)
        way.upstream.script = [Says(takes_s=1.0)]
        task = way.start(READ)
        await asyncio.sleep(0.5)
        assert way.leases() == 1
        await task


@fast_forwarded
async def test_no_name_and_no_credential_is_logged() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = a_grant()
        await ask(way)
        await ask(way, BY_ME)
        told = json.dumps([[call.args, call.kwargs] for call in way.log.event.call_args_list])
        assert (way.log.event.call_count, "ada" in told, "s3cret" in told) == (2, False, False)


@fast_forwarded
async def test_a_look_up_under_way_ends_with_the_proxy() -> None:
    async with a_way(settings=discovering()) as way:
        way.upstream.known[LOOK_UP] = a_grant(takes_s=1000.0)
        await ask(way)
        began_at = asyncio.get_running_loop().time()
        await way.gate.close()
        assert asyncio.get_running_loop().time() == began_at
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
