"""What one process learns about mailboxes the others know: providers, and which names are one mailbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from builders import a_context

from ledger.asks import ask
from proxy.core.identity import Applications, Identity, fingerprint
from proxy.core.model import Api, Cause
from proxy.errand import Errand
from proxy.ledger.learned import REMEMBERED_MS, Known, SharedKnowledge, learned_key
from proxy.mailboxes import ASKED_AGAIN_AFTER_S, Mailboxes, Stranger
from proxy.wire.body import Body
from proxy.wire.head import RequestHead

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server
    from proxy.core.quota import Ask
    from proxy.ledger.scripts import Command
    from proxy.ledger.shared import SharedLedger

KEY = b"the same key in all processes"
ID, ADDRESS = b"5b1f", b"ada@x.example"
NAMES = (ID, ADDRESS)


class Process:
    """What one of several proxies knows; what it would ask Nylas about is only noted."""

    def __init__(self, ledger: SharedLedger, *, is_there: bool = True, applications: Applications = "single") -> None:
        self.now_s = 0.0
        self.identity = Identity(KEY, applications=applications)
        self.knowledge = SharedKnowledge(ledger._pipe, lambda: is_there)
        self.mailboxes = Mailboxes(self.identity, {}, self.knowledge, lambda: self.now_s)
        self.looked_up: list[Stranger] = []
        self.mailboxes.look_up = self.looked_up.append
        self._ledger = ledger

    async def settled(self) -> None:
        """Until all that follows from what was told and asked before has been told."""
        for _ in range(3):
            await self._ledger.touch()

    async def meet(self, name: bytes) -> str | None:
        """A request of a mailbox, and what follows from it; returns its provider as far as it is known afterwards."""
        errand, asked = self.request(name)
        if self.mailboxes.provider_of(asked.subject) is None:
            self.mailboxes.met(errand, asked)
        await self.settled()
        return self.mailboxes.provider_of(self.subject(name))

    def subject(self, name: bytes) -> str:
        return self.request(name)[1].subject

    def request(self, name: bytes) -> tuple[Errand, Ask]:
        head = RequestHead(b"GET", b"/", is_http_10=False, fields=[(b"authorization", b"Authorization", b"Bearer nyk_token")])
        errand = Errand(a_context(b"/v3/grants/" + name + b"/messages"), head, Body(None), lambda _head: None)  # type: ignore[arg-type]
        application, subject = self.identity.who(errand.context, b"Bearer nyk_token")
        return errand, ask(scopes=(f"grant:{subject}",), application=application)._replace(subject=subject)

    async def learn(self, name: bytes, provider: str = "microsoft", names: tuple[bytes, ...] = NAMES) -> None:
        _, asked = self.request(name)
        self.mailboxes.learn(Stranger(asked.application, asked.subject, Api.V3, name, b""), provider, names)
        await self.settled()


async def heard(knowledge: SharedKnowledge, application: str, subject: str) -> Known:
    told = asyncio.get_running_loop().create_future()
    knowledge.ask(application, subject, told.set_result)
    known: Known = await told
    return known


async def told(knowledge: SharedKnowledge, known: Known, *, is_sure: bool = True, subject: str = "s") -> Known:
    answer = asyncio.get_running_loop().create_future()
    knowledge.tell("app", subject, known, answer.set_result, is_sure=is_sure)
    agreed: Known = await answer
    return agreed


async def test_what_is_sure_is_taken_over_what_was_guessed_and_a_guess_never_over_anything(make_shared: Callable[..., SharedLedger]) -> None:
    knowledge = SharedKnowledge(make_shared()._pipe, lambda: True)
    assert await told(knowledge, Known("ews"), is_sure=False) == Known("ews")
    assert await told(knowledge, Known("google"), is_sure=False) == Known("ews")
    assert await told(knowledge, Known("microsoft")) == Known("microsoft")
    assert await told(knowledge, Known("ews"), is_sure=False) == Known("microsoft")
    assert await heard(knowledge, "app", "s") == Known("microsoft")


async def test_the_first_who_says_what_stands_for_a_mailbox_is_right(make_shared: Callable[..., SharedLedger]) -> None:
    knowledge = SharedKnowledge(make_shared()._pipe, lambda: True)
    assert await told(knowledge, Known("imap", "one")) == Known("imap", "one")
    assert await told(knowledge, Known("ews", "two")) == Known("ews", "one")
    assert await told(knowledge, Known("imap")) == Known("imap", "one")


async def test_a_provider_is_told_before_anybody_knows_what_stands_for_the_mailbox(make_shared: Callable[..., SharedLedger]) -> None:
    knowledge = SharedKnowledge(make_shared()._pipe, lambda: True)
    assert await told(knowledge, Known("imap")) == Known("imap")
    assert await told(knowledge, Known("imap", "one")) == Known("imap", "one")


async def test_nobody_knows_what_nobody_told(make_shared: Callable[..., SharedLedger]) -> None:
    knowledge = SharedKnowledge(make_shared()._pipe, lambda: True)
    await told(knowledge, Known("imap"))
    assert (await heard(knowledge, "app", "t"), await heard(knowledge, "another", "s")) == (Known(), Known())


async def test_what_is_learned_is_forgotten_after_a_month_in_which_nobody_told_it(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    knowledge = SharedKnowledge(make_shared()._pipe, lambda: True)
    await told(knowledge, Known("imap"))
    with server.client() as client:
        key = learned_key("app", "s")
        assert client.keys() == [key.encode()]
        assert "{app}" in key
        assert REMEMBERED_MS - 5000 < client.pttl(key) <= REMEMBERED_MS
        client.pexpire(key, 1000)
        await told(knowledge, Known("imap"))
        assert client.pttl(key) > 1000


async def test_a_server_that_is_away_is_not_asked_and_knows_nothing(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    knowledge = SharedKnowledge(ledger._pipe, lambda: False)
    assert (await told(knowledge, Known("imap")), await heard(knowledge, "app", "s")) == (Known(), Known())
    await ledger.touch()
    with server.client() as client:
        assert client.keys("*learned*") == []


async def test_a_server_that_does_not_answer_knows_nothing(make_shared: Callable[..., SharedLedger]) -> None:
    knowledge = SharedKnowledge(make_shared("redis://127.0.0.1:1/0")._pipe, lambda: True)
    assert (await told(knowledge, Known("imap")), await heard(knowledge, "app", "s")) == (Known(), Known())


async def test_who_asked_and_has_left_makes_no_noise(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    answers: list[Known] = []
    sent: list[asyncio.Future[Any]] = []
    send = ledger._pipe.send

    def watched(command: Command) -> asyncio.Future[Any]:
        sent.append(send(command))
        return sent[-1]

    ledger._pipe.send = watched  # type: ignore[method-assign]
    SharedKnowledge(ledger._pipe, lambda: True).ask("app", "s", answers.append)
    sent[0].cancel()
    await ledger.touch()
    assert answers == [Known()]


async def test_a_provider_that_one_process_was_told_is_known_to_the_others_under_every_name(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = Process(make_shared()), Process(make_shared())
    await ours.learn(ADDRESS)
    assert (await theirs.meet(ID), await theirs.meet(ADDRESS), theirs.looked_up) == ("microsoft", "microsoft", [])


async def test_a_provider_that_an_answer_gave_away_is_known_to_the_others(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = Process(make_shared()), Process(make_shared())
    errand, asked = ours.request(ID)
    ours.mailboxes.told_by_cause(errand, asked, Cause.EXCHANGE_THROTTLE)
    ours.mailboxes.told_by_cause(errand, asked, Cause.RATE_LIMIT_PROVIDER_GOOGLE)
    await ours.settled()
    assert (await ours.meet(ID), await theirs.meet(ID), theirs.looked_up) == ("ews", "ews", [])
    assert theirs.identity.grant(ID) == theirs.identity.named(ID)


async def test_processes_that_learn_at_once_agree_on_what_stands_for_a_mailbox(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs, third = Process(make_shared()), Process(make_shared()), Process(make_shared())
    await asyncio.gather(ours.learn(ADDRESS), theirs.learn(ID))
    for name in NAMES:
        await third.meet(name)
    subjects = {process.subject(name) for process in (ours, theirs, third) for name in NAMES}
    assert len(subjects) == 1
    assert all(process.mailboxes.provider_of(*subjects) == "microsoft" for process in (ours, theirs, third))


async def test_a_window_under_another_name_than_the_id_holds_still(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = Process(make_shared()), Process(make_shared())
    await ours.learn(ADDRESS)
    await theirs.learn(ID)
    _, asked = theirs.request(ID)
    assert theirs.mailboxes.under_all_names(asked).scopes == tuple(f"grant:{theirs.identity.named(name)}" for name in (ADDRESS, ID))


async def test_an_address_of_two_mailboxes_is_for_all_that_of_the_one_that_was_told_first(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs, third = Process(make_shared()), Process(make_shared()), Process(make_shared())
    await ours.learn(ID, "google")
    await theirs.learn(b"77aa", "imap", (b"77aa", ADDRESS))
    assert await third.meet(ADDRESS) == "google"
    for process in (ours, theirs, third):
        assert [process.subject(name) for name in (ID, ADDRESS, b"77aa")] == [process.identity.grant(name) for name in (ID, ID, b"77aa")]
        assert [await process.meet(name) for name in (ID, b"77aa")] == ["google", "imap"]


async def test_an_address_is_no_mailbox_of_another_application(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = Process(make_shared()), Process(make_shared(), applications={fingerprint(b"nyk_token"): "another"})
    await ours.learn(ADDRESS)
    assert (await theirs.meet(ADDRESS), theirs.subject(ADDRESS), len(theirs.looked_up)) == (None, theirs.identity.grant(ADDRESS), 1)


async def test_a_process_asks_nylas_where_the_others_know_nothing_and_those_again_after_a_while(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = Process(make_shared()), Process(make_shared())
    for _ in range(2):
        assert await theirs.meet(ID) is None
    assert [stranger.name for stranger in theirs.looked_up] == [ID, ID]
    await ours.learn(ID)
    theirs.now_s = ASKED_AGAIN_AFTER_S - 1
    assert await theirs.meet(ID) is None
    theirs.now_s = ASKED_AGAIN_AFTER_S
    assert await theirs.meet(ID) == "microsoft"


async def test_nothing_is_kept_under_a_token_that_is_another_one_tomorrow(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ours = Process(make_shared())
    errand, asked = ours.request(b"Me")
    ours.mailboxes.told_by_cause(errand, asked, Cause.EXCHANGE_THROTTLE)
    await ours.learn(b"Me")
    with server.client() as client:
        kept = {learned_key(asked.application, ours.identity.named(name)).encode() for name in NAMES}
        assert set(client.keys("*learned*")) == kept


async def test_names_are_kept_as_keyed_hashes_alone(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ours = Process(make_shared())
    await ours.learn(ADDRESS)
    with server.client() as client:
        kept = [*client.keys(), *(word for key in client.keys("*learned*") for word in client.hgetall(key).values())]
    assert not any(name in word for name in NAMES for word in kept)


async def test_a_process_alone_learns_and_guesses_for_itself(make_shared: Callable[..., SharedLedger]) -> None:
    alone = Process(make_shared(), is_there=False)
    await alone.learn(ADDRESS)
    assert await alone.meet(ID) == "microsoft"
    assert await alone.meet(b"another") is None
    assert [stranger.name for stranger in alone.looked_up] == [b"another"]


async def test_without_a_look_up_what_others_know_is_enough(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = Process(make_shared()), Process(make_shared())
    theirs.mailboxes.look_up = None
    assert await theirs.meet(b"unknown") is None
    await ours.learn(ID)
    assert await theirs.meet(ID) == "microsoft"
