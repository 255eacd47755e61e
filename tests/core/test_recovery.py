"""Gmail mailboxes that recover: which answers begin it, for how long, what it means for changes and lists."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_context, the_catalogue
from hypothesis import given
from hypothesis import strategies as st

from proxy import facts
from proxy.core.book import Admitted, Book
from proxy.core.costs import Lists
from proxy.core.model import Api, Cause
from proxy.core.quota import Ask, Claim, Level, Unit
from proxy.core.recovery import RECOVERING_MAX, SPACING, Care, Recovery

TABLE = facts.load("limits")
GOOGLE = Cause.RATE_LIMIT_PROVIDER_GOOGLE
MAIL = "GET /v3/grants/g/messages/m"
CHANGE = "PUT /v3/grants/g/messages/m"
LONG_LIST = "GET /v3/grants/g/messages?limit=21"
A_CLAIM = Claim("v3_messages:-:g", "v3_messages", Level.GRANT, 200, 1_000_000, 1, Unit.REQUEST)


def the_recovery(rows: list[dict[str, Any]] | None = None, **care: Any) -> Recovery:
    chosen = TABLE["recovery"] if rows is None else rows
    return Recovery(chosen, the_catalogue().routes, facts.load("sources"), Lists(TABLE["lists"]), Care(**care))


def context(call: str) -> Any:
    method, target = call.split(" ")
    return a_context(target.encode(), method)


def begun(answered: str = MAIL, cause: Cause = GOOGLE, *, scope: str = "grant:g", **care: Any) -> Recovery:
    """A recovery whose window, of the mailbox "g", ends at 10 s; by default it lasts until 70 s."""
    recovery = the_recovery(**care)
    recovery.begin(cause, context(answered), scope, 10.0)
    return recovery


def an_ask(subject: str = "g") -> Ask:
    return Ask("app", (A_CLAIM,), (), (f"grant:{subject}",), "lease", subject)


def is_spaced(recovery: Recovery, call: str = CHANGE, now_s: float = 20.0, *, subject: str = "g") -> bool:
    return any(claim.name == SPACING for claim in recovery.spaced(an_ask(subject), context(call), now_s).claims)


def is_advised(recovery: Recovery, call: str = LONG_LIST, now_s: float = 20.0, *, subject: str = "g") -> bool:
    return bool(recovery.advice_for(an_ask(subject), context(call), now_s))


def test_a_mailbox_of_which_google_said_nothing_is_left_alone() -> None:
    ask = an_ask()
    assert the_recovery().spaced(ask, context(CHANGE), 20.0) is ask
    assert not is_advised(the_recovery())


def test_it_recovers_from_the_answer_until_a_while_after_its_window() -> None:
    for now_s, recovers in ((0.0, True), (10.0, True), (69.9, True), (70.0, False), (1e9, False)):
        recovery = begun()
        assert (is_spaced(recovery, now_s=now_s), is_advised(recovery, now_s=now_s)) == (recovers, recovers)


def test_what_is_over_is_forgotten() -> None:
    recovery = begun()
    assert not is_spaced(recovery, now_s=70.0)
    assert not recovery._until_s


def test_it_recovers_under_each_of_its_names_and_changes_are_counted_under_the_first() -> None:
    ask = an_ask()._replace(scopes=("grant:old name", "grant:g"))
    for scope in ask.scopes:
        recovery = begun(scope=scope)
        assert recovery.spaced(ask, context(CHANGE), 20.0).claims[-1].key == f"{SPACING}:-:g"
        assert recovery.advice_for(ask, context(LONG_LIST), 20.0)


def test_another_mailbox_notices_nothing() -> None:
    assert not is_spaced(begun(), subject="another")
    assert not is_advised(begun(), subject="another")


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not GOOGLE])
def test_an_answer_of_any_other_class_begins_nothing(cause: Cause) -> None:
    assert not is_spaced(begun(cause=cause))


@pytest.mark.parametrize(
    ("answered", "begins"),
    [
        ("GET /v3/grants/g/threads", True),
        ("POST /v3/grants/g/messages/send", True),
        ("GET /v3/grants/g/unheard-of", True),
        ("GET /messages", True),
        ("POST /send", True),
        ("GET /v3/grants/g/events", False),
        ("GET /v3/grants/g/contacts", False),
        ("GET /contacts", False),
    ],
)
def test_only_the_mail_of_a_mailbox_is_gmail(answered: str, begins: bool) -> None:
    assert is_spaced(begun(answered)) is begins


@pytest.mark.parametrize(
    ("call", "spaced"),
    [
        (CHANGE, True),
        ("DELETE /v3/grants/g/threads/t", True),
        ("POST /v3/grants/g/drafts", True),
        ("POST /v3/grants/g/messages/send", True),
        ("PATCH /v3/grants/g/unheard-of", True),
        ("PUT /messages/m", True),
        ("POST /labels", True),
        ("POST /send", True),
        (MAIL, False),
        ("HEAD /v3/grants/g/messages/m", False),
        ("GET /messages", False),
        ("PUT /v3/grants/g/events/e", False),
        ("PUT /contacts/c", False),
        ("POST /v3/webhooks", False),
    ],
)
def test_changes_of_mail_keep_a_distance(call: str, spaced: bool) -> None:
    assert is_spaced(begun(), call) is spaced


@pytest.mark.parametrize(
    ("call", "advised"),
    [
        (LONG_LIST, True),
        ("HEAD /v3/grants/g/messages?limit=21", True),
        ("GET /v3/grants/g/messages", True),
        ("GET /v3/grants/g/messages?limit=20", False),
        ("GET /v3/grants/g/messages?in=INBOX&limit=200", True),
        ("GET /v3/grants/g/threads", True),
        ("GET /v3/grants/g/drafts", True),
        ("GET /v3/grants/g/folders", True),
        ("GET /messages?limit=100", True),
        ("GET /messages?limit=5", False),
        ("GET /threads", True),
        ("POST /v3/grants/g/drafts", False),
        ("GET /v3/grants/g/messages/m", False),
        ("GET /v3/grants/g/events", False),
        ("GET /v3/grants/g/contacts?limit=50", False),
        ("GET /v3/grants", False),
    ],
)
def test_long_lists_of_mail_get_the_advice(call: str, advised: bool) -> None:
    assert is_advised(begun(), call) is advised


def test_the_advice_is_a_short_word_and_a_text_that_a_header_may_hold_and_names_nobody() -> None:
    advice = begun(list_items=7, scope="grant:secret").advice_for(an_ask("secret"), context(LONG_LIST), 20.0)
    assert advice.isascii()
    assert advice.isprintable()
    assert len(advice) <= 200
    assert advice.startswith("list_limit: ")
    assert "limit=7" in advice
    assert "starred=true" in advice
    assert "secret" not in advice


def test_the_distance_is_one_claim_more_of_that_mailbox() -> None:
    ask = begun(spacing_s=2.0, headroom=0.5).spaced(an_ask(), context(CHANGE), 20.0)
    assert ask == an_ask()._replace(claims=(A_CLAIM, Claim(f"{SPACING}:-:g", SPACING, Level.GRANT, 1, 3_000_000, 1, Unit.REQUEST)))


def test_a_request_that_keeps_the_distance_already_is_not_asked_for_it_twice() -> None:
    recovery = begun()
    ask = recovery.spaced(an_ask(), context(CHANGE), 20.0)
    assert recovery.spaced(ask, context(CHANGE), 21.0) is ask


def test_each_is_switched_off_by_zero() -> None:
    unspaced, unadvised = begun(spacing_s=0.0), begun(list_items=0)
    assert (is_spaced(unspaced), is_advised(unspaced)) == (False, True)
    assert (is_spaced(unadvised), is_advised(unadvised)) == (True, False)


def test_a_later_answer_prolongs_and_never_shortens() -> None:
    recovery = begun()
    recovery.begin(GOOGLE, context(MAIL), "grant:g", 5.0)
    assert is_spaced(recovery, now_s=69.0)
    recovery.begin(GOOGLE, context(MAIL), "grant:g", 20.0)
    assert is_spaced(recovery, now_s=79.0)
    assert not is_spaced(recovery, now_s=80.0)


def test_of_many_mailboxes_those_are_forgotten_whose_last_answer_is_the_oldest() -> None:
    recovery = begun()
    for number in range(RECOVERING_MAX - 1):
        recovery.begin(GOOGLE, context(MAIL), f"grant:mailbox {number}", 10.0)
    recovery.begin(GOOGLE, context(MAIL), "grant:g", 10.0)
    recovery.begin(GOOGLE, context(MAIL), "grant:one more", 10.0)
    assert [is_spaced(recovery, subject=subject) for subject in ("mailbox 0", "g", "one more")] == [False, True, True]


def test_an_api_that_no_row_describes_is_left_alone() -> None:
    recovery = the_recovery([row for row in TABLE["recovery"] if row["api"] == Api.V3])
    recovery.begin(GOOGLE, context("GET /messages"), "grant:g", 10.0)
    assert not recovery._until_s
    recovery.begin(GOOGLE, context(MAIL), "grant:g", 10.0)
    assert not is_spaced(recovery, "PUT /messages/m")
    assert not is_advised(recovery, "GET /messages")


@given(
    spacing_s=st.sampled_from([0.25, 1.0, 3.0]),
    steps=st.lists(st.tuples(st.floats(0.0, 4.0), st.sampled_from([CHANGE, MAIL, "POST /v3/grants/g/messages/send"])), max_size=40),
)
def test_no_two_changes_that_the_book_lets_go_are_closer_than_the_distance(spacing_s: float, steps: list[tuple[float, str]]) -> None:
    recovery, book, now_s, went_at_s = begun(spacing_s=spacing_s, lasts_s=1e6), Book(), 0.0, [-1e6]
    for number, (pause_s, call) in enumerate(steps, 1):
        now_s += pause_s
        admitted = book.admit(recovery.spaced(an_ask(), context(call), now_s), round(now_s * 1e6), number)
        assert isinstance(admitted, Admitted) or call != MAIL
        if call != MAIL and isinstance(admitted, Admitted):
            assert now_s - went_at_s[-1] >= spacing_s
            went_at_s.append(now_s)
        elif call != MAIL:
            assert now_s - went_at_s[-1] <= spacing_s * 1.05 + 1e-5


A_ROW = {"api": "v3", "causes": ["rate_limit_provider_google"], "families": ["messages"], "lists": ["messages"], "source": "errors_400"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"api": "v4"}, "'v4' is not a valid Api"),
        ({"causes": ["weather"]}, "'weather' is not a valid Cause"),
        ({"families": ["messages", "outbox"]}, "recovery of v3: does not know outbox"),
        ({"lists": ["messages.send"]}, "recovery of v3: does not know messages.send"),
        ({"source": "hearsay"}, "recovery of v3: does not know hearsay"),
        ({"each": True}, "recovery of v3: unknown key each"),
        ({"source": None}, "recovery of v3: source must be of type str"),
    ],
)
def test_a_mistake_in_a_row_is_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        the_recovery([{**A_ROW, **changes}])
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(("now_s", "recovers"), [(69.9, True), (70.0, False)])
def test_under_other_settings_a_mailbox_goes_on_recovering_for_as_long_as_it_would_have(now_s: float, recovers: bool) -> None:
    other = the_recovery(lasts_s=5.0, spacing_s=3.0, list_items=20)
    other.go_on_from(begun())
    assert (is_spaced(other, now_s=now_s), is_advised(other, now_s=now_s)) == (recovers, recovers)
    assert not is_spaced(other, now_s=20.0, subject="another")


def test_what_has_begun_under_other_settings_may_be_prolonged_and_is_the_oldest_to_be_forgotten() -> None:
    other = the_recovery()
    other.go_on_from(begun())
    other.begin(GOOGLE, context(MAIL), "grant:g", 40.0)
    assert is_spaced(other, now_s=99.0)
    other.begin(GOOGLE, context(MAIL), "grant:g", 10.0)
    assert is_spaced(other, now_s=99.0)
