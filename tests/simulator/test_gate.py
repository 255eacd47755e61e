"""Who passes and who does not, on a clock that the tests move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.simulator import gate as gate_module
from proxy.simulator.gate import Gate
from proxy.simulator.limit_settings import LimitSettings, read_limits
from proxy.simulator.visits import Visit

if TYPE_CHECKING:
    from proxy.simulator.tickets import Ticket

GMAIL_LIST = Visit("v3", "messages", "g", "google", requests=2, units=50)
OUTLOOK = Visit("v3", "calendar", "m", "microsoft", requests=1)
EAS = Visit("v3", "calendar", "e", "eas", requests=1)


def a_gate(**limits: Any) -> Gate:
    settings = read_limits(limits)
    assert isinstance(settings, LimitSettings), settings
    return Gate(settings)


def limit_of(ticket: Ticket) -> str:
    return ticket.refused.limit.name if ticket.refused else ""


def a_send(provider: str, *, multipart: bool = False, api: str = "v3") -> Visit:
    return Visit(api, "send", "g", provider, multipart=multipart, sends=True, requests=1)


def passed_of(gate: Gate, visit: Visit, asked: int, now_s: float = 0.0) -> int:
    """How many of so many requests at once pass; they end at once."""
    passed = 0
    for _ in range(asked):
        ticket = gate.judge(visit, now_s, 1)
        gate.leave(ticket)
        passed += ticket.passes
    return passed


@pytest.mark.parametrize(
    ("visit", "count", "per_s"),
    [
        *[(Visit("v3", family), 50, 1.0) for family in ("applications", "authentication", "connectors", "grants", "webhooks")],
        *[(Visit("v3", family, "g"), 200, 1.0) for family in ("calendar", "contacts", "messages", "send")],
        (Visit("v3", "send", "g", multipart=True), 10, 1.0),
        (Visit("v3", "providers_detect"), 20, 60.0),
        (Visit("v3", "auto_group"), 1, 60.0),
        (Visit("v2", "messages", "t"), 50, 1.0),
        (Visit("v2", "oauth/token"), 500, 1.0),
        (Visit("v2", "a/ip_addresses"), 10, 3600.0),
        (a_send("microsoft"), 30, 60.0),
        (a_send("google", api="v2"), 50, 1.0),
        (a_send("icloud"), 200, 1.0),
        (OUTLOOK, 200, 1.0),
        (EAS, 200, 1.0),
    ],
)
def test_a_limit_lets_its_count_through_in_every_window(visit: Visit, count: int, per_s: float) -> None:
    gate = a_gate()
    assert passed_of(gate, visit, count + 5, now_s=0.0) == count
    assert passed_of(gate, visit, 1, now_s=per_s - 0.25) == 0
    assert passed_of(gate, visit, count + 5, now_s=per_s) == count


@pytest.mark.parametrize(
    ("provider", "name", "api"),
    [("google", "gmail_messages_day", "v3"), ("google", "gmail_messages_day", "v2"), ("icloud", "icloud_messages_day", "v3")],
)
def test_a_day_has_so_many_sends_and_reading_goes_on(provider: str, name: str, api: str) -> None:
    gate = a_gate(**{name: {"count": 3}})
    assert passed_of(gate, a_send(provider, api=api), 5) == 3
    assert limit_of(gate.judge(a_send(provider, api=api), 86_399.0, 1)) == name
    assert passed_of(gate, Visit(api, "messages", "g", provider, requests=1), 1, now_s=86_399.0) == 1
    assert passed_of(gate, a_send(provider, api=api), 5, now_s=86_400.0) == 3


def test_families_grants_and_bodies_are_counted_apart() -> None:
    gate = a_gate(v3_messages={"count": 1}, v3_send={"count": 1}, v3_send_multipart={"count": 1})
    visits = [Visit("v3", "messages", "g"), Visit("v3", "messages", "h"), Visit("v3", "send", "g"), Visit("v3", "send", "g", multipart=True)]
    assert [passed_of(gate, visit, 2) for visit in visits] == [1, 1, 1, 1]


def test_v2_counts_each_endpoint_of_each_token_and_of_all_together() -> None:
    gate = a_gate(v2_account={"count": 2}, v2_application={"count": 3})
    assert passed_of(gate, Visit("v2", "messages", "t"), 3) == 2
    assert passed_of(gate, Visit("v2", "threads", "t"), 3) == 2
    assert passed_of(gate, Visit("v2", "messages", "u"), 3) == 1


def test_a_request_that_one_limit_refuses_counts_at_no_other_of_the_same_side() -> None:
    gate = a_gate(v2_account={"count": 1}, v2_application={"count": 2})
    assert passed_of(gate, Visit("v2", "messages", "t"), 9) == 1
    assert passed_of(gate, Visit("v2", "messages", "u"), 9) == 1


def test_what_nylas_let_through_counts_at_nylas_whatever_the_provider_says() -> None:
    gate = a_gate(v3_calendar={"count": 2}, microsoft_mailbox={"count": 1})
    assert [limit_of(gate.judge(OUTLOOK, 0.0, 1)) for _ in range(3)] == ["", "microsoft_mailbox", "v3_calendar"]


@pytest.mark.parametrize(("endpoint", "count"), [("delta/streaming", 10), ("delta/longpoll", 10), ("messages", 5), ("threads", 5), ("contacts", 5)])
def test_v2_has_so_many_requests_of_a_token_at_once(endpoint: str, count: int) -> None:
    gate = a_gate()
    tickets = [gate.judge(Visit("v2", endpoint, "t"), 0.0, 1) for _ in range(count + 1)]
    assert [ticket.passes for ticket in tickets] == [True] * count + [False]
    gate.leave(tickets[-1])
    assert not gate.judge(Visit("v2", endpoint, "t"), 2.0, 1).passes
    gate.leave(tickets[0])
    assert gate.judge(Visit("v2", endpoint, "t"), 2.0, 1).passes


def test_microsoft_takes_four_requests_for_a_mailbox_at_once() -> None:
    gate = a_gate()
    tickets = [gate.judge(OUTLOOK, 0.0, 1) for _ in range(5)]
    assert [limit_of(ticket) for ticket in tickets] == ["", "", "", "", "microsoft_in_flight"]
    assert gate.judge(Visit("v3", "calendar", "other", "microsoft", requests=1), 0.0, 1).passes
    gate.leave(tickets[0])
    assert gate.judge(OUTLOOK, 0.0, 1).passes


def test_microsoft_counts_the_calls_that_nylas_makes() -> None:
    gate = a_gate(microsoft_mailbox={"count": 10})
    assert passed_of(gate, Visit("v3", "send", "m", "microsoft", sends=True, requests=4), 9) == 2


def test_gmail_counts_units_of_the_second_and_of_the_minute() -> None:
    gate = a_gate(gmail_user_minute={"count": 500})
    assert passed_of(gate, GMAIL_LIST, 9, now_s=0.0) == 5
    assert limit_of(gate.judge(GMAIL_LIST, 0.5, 1)) == "gmail_user_second"
    assert passed_of(gate, GMAIL_LIST, 9, now_s=1.0) == 5
    assert limit_of(gate.judge(GMAIL_LIST, 59.5, 1)) == "gmail_user_minute"
    assert passed_of(gate, GMAIL_LIST, 9, now_s=60.0) == 5


def test_the_profile_of_2026_has_units_of_the_minute_alone() -> None:
    gate = a_gate(gmail_profile="2026", google_user=False)
    assert passed_of(gate, GMAIL_LIST, 150) == 120
    assert limit_of(gate.judge(GMAIL_LIST, 59.0, 1)) == "gmail_user_minute_2026"
    assert "gmail_user_second" not in gate.report(0.0)["limits"]


def test_an_expected_cost_is_settled_by_what_the_answer_tells() -> None:
    gate = a_gate()
    ticket = gate.judge(Visit("v3", "messages", "g", "google", requests=51, units=250), 0.0, 1)
    assert limit_of(gate.judge(GMAIL_LIST, 0.0, 2)) == "gmail_user_second"
    gate.settle(ticket, (("nylas-gmail-quota-usage", "200"),))
    assert gate.judge(GMAIL_LIST, 0.0, 3).passes
    assert gate.report(0.0)["limits"]["gmail_user_second"]["most"] == 250


def test_google_counts_calls_of_the_user_and_of_the_application() -> None:
    gate = a_gate(google_user={"count": 4}, google_application={"count": 6})
    assert passed_of(gate, Visit("v3", "contacts", "g", "google", requests=2), 9) == 2
    assert limit_of(gate.judge(Visit("v3", "contacts", "h", "google", requests=3), 0.0, 1)) == "google_application"


def test_a_cost_of_nothing_meets_no_provider() -> None:
    gate = a_gate(google_user={"count": 1})
    assert passed_of(gate, Visit("v3", "messages", "g", "google"), 9) == 9


def test_an_exchange_server_that_is_asked_too_often_closes_for_twenty_minutes() -> None:
    gate = a_gate(eas_device={"count": 3})
    assert [gate.judge(EAS, 0.0, 1).passes for _ in range(4)] == [True, True, True, False]
    assert gate.judge(EAS, 1199.0, 1).window is not None
    assert passed_of(gate, EAS, 9, now_s=1200.0) == 3


def test_an_early_request_begins_the_window_anew() -> None:
    gate = a_gate(exchange_window_s=100, eas_device={"count": 1})
    gate.judge(EAS, 0.0, 1)
    window = gate.judge(EAS, 0.0, 2).window
    assert window is not None
    gate.judge(EAS, 5.0, 3)  # nobody has been told yet
    window.told_s = 6.0
    assert gate.judge(EAS, 90.0, 4).window is window
    assert gate.judge(EAS, 100.0, 5).window is window
    assert gate.judge(EAS, 200.0, 6).passes
    report = gate.report(200.0)
    assert (report["early"], report["unaware"]) == (2, 1)
    assert [knock["arrival"] for knock in report["windows"][0]["knocks"]] == [4, 5]
    assert report["windows"][0]["knocks"][0]["after_told_s"] == 84.0


def test_a_window_opened_on_cue_holds_without_limits_and_for_its_grant_alone() -> None:
    gate = Gate(LimitSettings())
    ticket = gate.judge(EAS, 0.0, 1)
    gate.throttle(ticket, "e", 0.0, 8.0, names_wait=True)
    assert not ticket.passes
    assert gate.judge(EAS, 7.5, 2).window is not None
    assert gate.judge(OUTLOOK, 7.5, 3).passes
    assert gate.judge(Visit("v3", "messages", "e", "eas"), 7.5, 4).passes  # kept by Nylas: the server is not asked
    assert gate.judge(EAS, 8.0, 5).passes


def test_a_window_that_is_opened_again_becomes_longer_never_shorter() -> None:
    gate = Gate(LimitSettings())
    for length_s in (8.0, 2.0):
        gate.throttle(gate.judge(EAS, 0.0, 1), "e", 0.0, length_s, names_wait=True)
    assert gate.judge(EAS, 7.5, 2).window is not None
    gate.throttle(gate.judge(EAS, 7.5, 1), "e", 7.5, 8.0, names_wait=True)
    assert gate.judge(EAS, 15.0, 2).window is not None


def test_what_nylas_answers_from_memory_does_not_reach_the_provider() -> None:
    gate = a_gate(microsoft_messages={"count": 1}, v3_send={"count": 3})
    send = a_send("microsoft")
    assert gate.judge(send, 0.0, 1).passes
    assert gate.judge(send, 0.0, 2, replayed=True).passes
    assert limit_of(gate.judge(send, 0.0, 3)) == "microsoft_messages"
    assert limit_of(gate.judge(send, 0.0, 4, replayed=True)) == "v3_send"


def test_an_agents_burst_is_queued_until_the_queue_is_full() -> None:
    gate = a_gate(agent_messages={"count": 2}, agent_queue={"count": 3})
    tickets = [gate.judge(a_send("nylas"), 0.0, 1) for _ in range(6)]
    assert [ticket.queued for ticket in tickets[:5]] == [False, False, True, True, True]
    assert [limit_of(ticket) for ticket in tickets] == ["", "", "", "", "", "agent_queue"]
    assert not gate.judge(a_send("nylas"), 1.0, 1).queued


def test_a_faster_clock_shortens_long_periods_and_windows_alone() -> None:
    gate = a_gate(speed=60, eas_device={"count": 1})
    limits = gate.report(0.0)["limits"]
    assert (limits["v3_messages"]["per_s"], limits["v3_providers_detect"]["per_s"], limits["v2_ip_addresses"]["per_s"]) == (1.0, 1.0, 60.0)
    gate.judge(EAS, 0.0, 1)
    gate.judge(EAS, 0.0, 2)
    assert gate.judge(EAS, 19.5, 3).window is not None
    assert gate.judge(EAS, 20.0, 4).passes


def test_the_report_counts_requests_limits_and_peaks_and_can_be_cleared() -> None:
    gate = a_gate(v3_contacts={"count": 2, "per_s": 0.5}, v2_account_in_flight={"count": 1})
    passed_of(gate, Visit("v3", "contacts", "g"), 5)
    assert passed_of(gate, Visit("v3", "contacts", "g"), 1, now_s=0.5) == 1
    report = gate.report(0.5)
    assert report["limits"]["v3_contacts"] == {"count": 2, "per_s": 0.5, "admitted": 3, "refused": 3, "most": 2, "most_asked": 5}
    assert (report["passed"], report["refused"]) == (3, 3)
    under_way = gate.judge(Visit("v2", "messages", "t"), 0.5, 1)
    gate.clear()
    assert gate.report(0.5)["limits"]["v3_contacts"]["admitted"] == gate.report(0.5)["passed"] == 0
    assert passed_of(gate, Visit("v3", "contacts", "g"), 5, now_s=0.5) == 2
    assert not gate.judge(Visit("v2", "messages", "t"), 0.5, 1).passes  # a request does not end by being forgotten
    gate.leave(under_way)
    assert gate.judge(Visit("v2", "messages", "t"), 0.5, 1).passes


def test_without_limits_nothing_is_refused() -> None:
    gate = Gate(LimitSettings())
    assert passed_of(gate, OUTLOOK, 1_000) == 1_000
    assert gate.report(0.0)["limits"] == {}


def test_subjects_are_forgotten_only_when_they_have_nothing_to_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "MAX_SUBJECTS", 3)
    gate = a_gate(v3_contacts={"count": 1})
    for number in range(10):
        gate.judge(Visit("v3", "contacts", f"g{number}"), 0.0, number)
    assert not gate.judge(Visit("v3", "contacts", "g0"), 0.5, 11).passes
    gate.judge(Visit("v3", "contacts", "new"), 1.0, 12)
    assert len(gate._subjects["v3_contacts"]) == 1
