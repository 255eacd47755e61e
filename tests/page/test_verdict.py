from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from page.builders import a_failing, a_health, a_refusal, a_status, a_traffic, a_waiting, a_window, an_empty_status
from proxy.core.model import Cause
from proxy.page.finding import Level, Since, Until, Whom
from proxy.page.verdict import findings, verdict

if TYPE_CHECKING:
    from proxy.telemetry.status import Status, Window

AWAY = {"state": "degraded", "ledger": "local-safe", "ledger_since_s": 12.0}
A_SHORT_ONE = {"cause": "rate_limit_nylas", "closes_in_s": 3.0}


def throttled_by(*windows: Window, unlisted: int = 0) -> Status:
    return a_status(windows=list(windows), windows_open=len(windows) + unlisted)


def failing_with(*kinds: tuple[str, str, float], requests_per_s: float = 12.3, uptime_s: float = 12_000.0) -> Status:
    failing = [a_failing(cause, origin, per_s, throttles=False) for cause, origin, per_s in kinds]
    return a_status(traffic=a_traffic(failing=failing, requests_per_s=requests_per_s), uptime_s=uptime_s)


SAID = {
    "calm": (a_status(), Level.WELL, Whom.NOBODY, "All is well: 12.3 requests/s, nothing waits."),
    "just started": (an_empty_status(), Level.WELL, Whom.NOBODY, "All is well: no requests lately, nothing waits."),
    "a short wait": (a_status(waiting=[a_waiting()]), Level.WELL, Whom.NOBODY, "All is well: 12.3 requests/s, 14 wait for a moment."),
    "one waits": (a_status(waiting=[a_waiting(requests=1)]), Level.WELL, Whom.NOBODY, "All is well: 12.3 requests/s, 1 waits for a moment."),
    "observing": (
        a_status(health=a_health(mode="observe")), Level.WELL, Whom.NOBODY,
        "All is well: 12.3 requests/s, nothing waits; limits are only observed (limits.mode).",
    ),
    "draining": (
        a_status(health=a_health(state="draining")), Level.TROUBLE, Whom.OPERATOR,
        "The proxy is shutting down: 37 requests are still at hand, new ones should go elsewhere.",
    ),
    "redis away": (
        a_status(health=a_health(**AWAY, ledger_why="no answer within 50 ms")), Level.TROUBLE, Whom.REDIS,
        "Redis has been away for 12 s (no answer within 50 ms): this proxy keeps to its share of the limits.",
    ),
    "redis away, refusing": (
        a_status(health=a_health(**AWAY), traffic=a_traffic(failing=[a_failing("ledger_away", "proxy", 3.0)])), Level.TROUBLE, Whom.REDIS,
        "Redis has been away for 12 s: requests are refused, as redis.on_loss says.",
    ),
    "redis away a moment ago": (
        failing_with(("ledger_away", "proxy", 3.0)), Level.NOTICE, Whom.REDIS,
        "Redis was away a moment ago: 3 requests/s were refused meanwhile, as redis.on_loss says.",
    ),
    "redis back": (
        a_status(health=a_health(ledger="rejoining", ledger_since_s=2.0)), Level.NOTICE, Whom.NOBODY,
        "Redis is back: for 2 s what it missed is being written to it.",
    ),
    "one mailbox": (
        throttled_by(a_window()), Level.NOTICE, Whom.PROVIDER,
        "1 mailbox is throttled (exchange_throttle), open again in 18 min 20 s; others are not affected.",
    ),
    "a mailbox by hand": (
        throttled_by(a_window(source="operator")), Level.NOTICE, Whom.OPERATOR,
        "1 mailbox is throttled (closed by hand), open again in 18 min 20 s; others are not affected.",
    ),
    "three mailboxes": (
        throttled_by(a_window(), a_window(grant="b", closes_in_s=60.0), a_window(grant="c", **A_SHORT_ONE)), Level.NOTICE, Whom.PROVIDER,
        "3 mailboxes are throttled (mostly exchange_throttle), the last opens in 18 min 20 s; others are not affected.",
    ),
    "two windows of one mailbox": (
        throttled_by(a_window(), a_window(scope="sends")), Level.NOTICE, Whom.PROVIDER,
        "1 mailbox is throttled (exchange_throttle), the last opens in 18 min 20 s; others are not affected.",
    ),
    "more than are listed": (
        throttled_by(a_window(), unlisted=61), Level.NOTICE, Whom.PROVIDER,
        "62 mailboxes are throttled (exchange_throttle), the last opens in 18 min 20 s; others are not affected.",
    ),
    "sends alone": (
        throttled_by(a_window(scope="sends", cause="blocked")), Level.NOTICE, Whom.NYLAS,
        "1 mailbox may not send (blocked), open again in 18 min 20 s; reading goes on.",
    ),
    "a window that is tried": (
        throttled_by(a_window(state="probing", closes_in_s=0.0)), Level.NOTICE, Whom.PROVIDER,
        "1 mailbox is throttled (exchange_throttle), its time is over: one request tries it; others are not affected.",
    ),
    "windows that are tried": (
        throttled_by(a_window(state="waiting", closes_in_s=0.0), a_window(grant="b", state="probing", closes_in_s=0.0)), Level.NOTICE, Whom.PROVIDER,
        "2 mailboxes are throttled (exchange_throttle), their time is over: one request tries each; others are not affected.",
    ),
    "reopened": (
        throttled_by(a_window(state="recovering", closes_in_s=0.0)), Level.WELL, Whom.NOBODY, "All is well: 12.3 requests/s, nothing waits.",
    ),
    "the application for a moment": (
        throttled_by(a_window(scope="application", **A_SHORT_ONE)), Level.NOTICE, Whom.NYLAS,
        "The application itself is throttled (rate_limit_nylas), open again in 3 s; what API v3 asks of mailboxes is not affected.",
    ),
    "the application for long": (
        throttled_by(a_window(scope="application", cause="rate_limit_ambiguous", closes_in_s=90.0)), Level.TROUBLE, Whom.NYLAS,
        "The application itself is throttled (rate_limit_ambiguous), open again in 1 min 30 s; what API v3 asks of mailboxes is not affected.",
    ),
    "Nylas fails": (
        failing_with(("upstream_unavailable", "nylas", 4.2)), Level.TROUBLE, Whom.NYLAS,
        "Nylas answers 34 % of requests with errors: upstream_unavailable.",
    ),
    "Nylas fails in several ways": (
        failing_with(("server_error", "nylas", 1.0), ("upstream_unavailable", "nylas", 3.2)), Level.TROUBLE, Whom.NYLAS,
        "Nylas answers 34 % of requests with errors: mostly upstream_unavailable.",
    ),
    "providers fail": (
        failing_with(("provider_timeout", "provider", 1.0)), Level.TROUBLE, Whom.PROVIDER,
        "Mail providers answer 8 % of requests with errors: provider_timeout.",
    ),
    "the network fails": (
        failing_with(("upstream_unreachable", "network", 12.3)), Level.TROUBLE, Whom.NETWORK,
        "100 % of requests fail on the way to Nylas: upstream_unreachable.",
    ),
    "wrong requests": (
        failing_with(("not_found", "nylas", 4.2)), Level.NOTICE, Whom.APPLICATION, "34 % of requests are refused for what they ask: not_found.",
    ),
    "a bug": (
        failing_with(("proxy_bug", "proxy", 0.017)), Level.TROUBLE, Whom.PROXY,
        "The proxy itself fails 0.017 requests/s (proxy_bug): please report it with a request id and the log.",
    ),
    "no room": (
        failing_with(("overloaded", "proxy", 2.0)), Level.TROUBLE, Whom.PROXY,
        "The proxy has no room for 2 requests/s (overloaded): more connect or wait than it may hold.",
    ),
    "late": (
        a_status(health=a_health(loop_lag_s=0.08)), Level.NOTICE, Whom.MACHINE,
        "The proxy was held up for 80 ms lately: the machine is short of CPU, or something blocks it.",
    ),
    "very late": (
        a_status(health=a_health(loop_lag_s=0.3)), Level.TROUBLE, Whom.MACHINE,
        "The proxy was held up for 300 ms lately: the machine is short of CPU, or something blocks it.",
    ),
    "slow": (
        a_status(traffic=a_traffic(own_p99_s=0.02)), Level.NOTICE, Whom.MACHINE,
        "The proxy's own work takes up to 20 ms a request (p99): the machine is short of CPU.",
    ),
    "refusals for a limit": (
        a_status(traffic=a_traffic(refused_per_s=0.35), refusals=[a_refusal(by="limit", name="v3_send")]), Level.NOTICE, Whom.APPLICATION,
        "The proxy refuses 0.35 requests/s, lately for the limit v3_send: more is asked than can be waited for.",
    ),
    "refusals for a window": (
        a_status(traffic=a_traffic(refused_per_s=0.35), refusals=[a_refusal()]), Level.NOTICE, Whom.APPLICATION,
        "The proxy refuses 0.35 requests/s, lately for a throttle window (exchange_throttle): more is asked than can be waited for.",
    ),
    "refusals for room": (
        a_status(traffic=a_traffic(refused_per_s=0.35), refusals=[a_refusal(by="room", name="")]), Level.NOTICE, Whom.APPLICATION,
        "The proxy refuses 0.35 requests/s, lately for want of room: more is asked than can be waited for.",
    ),
    "long waits": (
        a_status(waiting=[a_waiting(longest_s=4.2), a_waiting(by="turn", name="", requests=2)]), Level.NOTICE, Whom.APPLICATION,
        "16 requests wait, most for the limit v3_messages; the longest has waited for 4 s.",
    ),
    "a long wait for a turn": (
        a_status(waiting=[a_waiting(by="turn", name="", requests=1, longest_s=75.0)]), Level.NOTICE, Whom.APPLICATION,
        "1 request waits, most for their turn; the longest has waited for 1 min 15 s.",
    ),
    "no budget": (
        a_status(health=a_health(retry_budget=0.0), traffic=a_traffic(failing=[a_failing("upstream_broke_off", "network", 0.1, throttles=False)])),
        Level.NOTICE, Whom.NETWORK, "The retry budget is used up: errors are passed on without a repetition.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "level", "whom", "text"), SAID.values(), ids=SAID)
def test_it_says_what_is_and_who_has_to_see_to_it(status: Status, level: Level, whom: Whom, text: str) -> None:
    found = verdict(status)
    assert (found.level, found.whom, found.text) == (level, whom, text)


def test_few_errors_are_everyday_life() -> None:
    assert verdict(failing_with(("server_error", "nylas", 0.5))).level is Level.WELL
    assert verdict(failing_with(("not_found", "nylas", 2.0))).level is Level.WELL


def test_two_errors_out_of_two_are_too_few_to_judge_by() -> None:
    assert verdict(failing_with(("server_error", "nylas", 2 / 60), requests_per_s=2 / 60)).level is Level.WELL
    assert verdict(failing_with(("server_error", "nylas", 3 / 60), requests_per_s=3 / 60)).level is Level.TROUBLE


def test_just_after_the_start_the_count_is_of_the_time_that_there_was() -> None:
    assert verdict(failing_with(("server_error", "nylas", 1.0), requests_per_s=1.0, uptime_s=2.0)).level is Level.WELL
    assert verdict(failing_with(("server_error", "nylas", 1.0), requests_per_s=1.0, uptime_s=3.0)).level is Level.TROUBLE


def test_throttling_answers_are_no_failures() -> None:
    assert verdict(a_status(traffic=a_traffic(failing=[a_failing(per_s=12.0)]))).level is Level.WELL


def test_trouble_comes_before_notices_and_what_hurts_callers_before_what_could() -> None:
    failing = [a_failing("server_error", "nylas", 6.0)]
    status = a_status(health=a_health(**AWAY, retry_budget=0.0), windows=[a_window()], windows_open=1, traffic=a_traffic(failing=failing))
    assert [found.whom for found in findings(status)] == [Whom.NYLAS, Whom.REDIS, Whom.PROVIDER, Whom.NYLAS]
    assert [found.level for found in findings(status)] == [Level.TROUBLE, Level.TROUBLE, Level.NOTICE, Level.NOTICE]


def test_trouble_comes_first_whatever_is_looked_at_first() -> None:
    status = a_status(health=a_health(loop_lag_s=0.08), windows=[a_window(scope="application")], windows_open=1)
    assert [found.level for found in findings(status)] == [Level.TROUBLE, Level.NOTICE]


def test_times_stand_apart_from_words_so_that_a_view_can_keep_them_running() -> None:
    assert Until(1100.0) in verdict(throttled_by(a_window())).parts
    assert Since(12.0) in verdict(a_status(health=a_health(**AWAY))).parts


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("origin", ["proxy", "nylas", "provider", "network", "something new"])
def test_of_any_cause_there_is_something_to_say(cause: str, origin: str) -> None:
    said = verdict(failing_with((cause, origin, 12.0)))
    assert said.level is not Level.WELL or cause == Cause.SHUTTING_DOWN
