from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from builders import a_context, a_reply, a_verdict, classified, the_catalogue
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.model import Api, Cause, Verdict
from proxy.core.outcome import THROTTLES
from proxy.core.throttle import Source, Throttle, Throttles
from proxy.facts import load

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCES = load("sources")
KNOWN = Throttles(load("windows")["window"], SOURCES)

READ = ("GET", b"/v3/grants/g/messages", ("grant:g",))
SEND = ("POST", b"/v3/grants/g/messages/send", ("grant:g", "sends:g"))
OUTSIDE = ("GET", b"/v3/webhooks", ("application:a",))
TRANSACTIONAL = ("POST", b"/v3/domains/d/messages/send", ("application:a",))
READ_V2 = ("GET", b"/messages", ("application:a", "grant:t"))
SEND_V2 = ("POST", b"/send", ("application:a", "grant:t", "sends:t"))
OUTSIDE_V2 = ("GET", b"/a/c/webhooks", ("application:a",))
ALL = (READ, SEND, OUTSIDE, TRANSACTIONAL, READ_V2, SEND_V2, OUTSIDE_V2)

Asked = tuple[str, bytes, tuple[str, ...]]


def closed(cause: Cause, asked: Asked = READ, named_s: float | None = None, *, status: int = 429, roll: float = 0.0) -> Throttle | None:
    return closed_by(KNOWN, a_verdict(cause, retry_after_s=named_s), asked, status=status, roll=roll)


def closed_by(throttles: Throttles, verdict: Verdict, asked: Asked = READ, *, status: int = 429, roll: float = 0.0) -> Throttle | None:
    method, target, scopes = asked
    return throttles.throttle_for(verdict, a_context(target, method), status=status, scopes=scopes, roll=roll)


def wait_s(cause: Cause, named_s: float | None = None, asked: Asked = READ, roll: float = 0.0) -> float:
    throttle = closed(cause, asked, named_s, roll=roll)
    assert throttle
    return throttle.wait_s


@pytest.mark.parametrize(
    ("cause", "asked", "scope"),
    [
        (Cause.RATE_LIMIT_NYLAS, READ, "grant:g"),
        (Cause.RATE_LIMIT_NYLAS, SEND, "sends:g"),
        (Cause.RATE_LIMIT_NYLAS, OUTSIDE, "application:a"),
        (Cause.RATE_LIMIT_NYLAS, TRANSACTIONAL, "application:a"),
        (Cause.RATE_LIMIT_NYLAS, READ_V2, "grant:t"),
        (Cause.RATE_LIMIT_NYLAS, SEND_V2, "sends:t"),
        (Cause.RATE_LIMIT_NYLAS, OUTSIDE_V2, None),
        (Cause.RATE_LIMIT_AMBIGUOUS, READ, "grant:g"),
        (Cause.RATE_LIMIT_AMBIGUOUS, SEND, "sends:g"),
        (Cause.RATE_LIMIT_AMBIGUOUS, OUTSIDE, "application:a"),
        (Cause.RATE_LIMIT_AMBIGUOUS, READ_V2, "grant:t"),
        (Cause.RATE_LIMIT_AMBIGUOUS, SEND_V2, "sends:t"),
        (Cause.RATE_LIMIT_AMBIGUOUS, OUTSIDE_V2, None),
        (Cause.RATE_LIMIT_PROVIDER, READ, "grant:g"),
        (Cause.RATE_LIMIT_PROVIDER, SEND, "grant:g"),
        (Cause.RATE_LIMIT_PROVIDER, OUTSIDE, None),
        (Cause.RATE_LIMIT_PROVIDER, READ_V2, "grant:t"),
        (Cause.RATE_LIMIT_PROVIDER, SEND_V2, "sends:t"),
        (Cause.RATE_LIMIT_PROVIDER_GOOGLE, SEND, "grant:g"),
        (Cause.RATE_LIMIT_PROVIDER_GOOGLE, READ_V2, "grant:t"),
        (Cause.RATE_LIMIT_PROVIDER_GOOGLE, OUTSIDE, None),
        (Cause.RATE_LIMIT_PROVIDER_MICROSOFT, READ, "grant:g"),
        (Cause.RATE_LIMIT_PROVIDER_MICROSOFT, SEND, "grant:g"),
        (Cause.RATE_LIMIT_PROVIDER_QUOTA, SEND, "sends:g"),
        (Cause.RATE_LIMIT_PROVIDER_QUOTA, SEND_V2, "sends:t"),
        (Cause.RATE_LIMIT_PROVIDER_QUOTA, READ, None),
        (Cause.RATE_LIMIT_PROVIDER_QUOTA, TRANSACTIONAL, None),
        (Cause.EXCHANGE_THROTTLE, READ, "grant:g"),
        (Cause.EXCHANGE_THROTTLE, SEND, "grant:g"),
        (Cause.EXCHANGE_THROTTLE, SEND_V2, "grant:t"),
        (Cause.BLOCKED, SEND, "sends:g"),
        (Cause.BLOCKED, READ, None),
        (Cause.BLOCKED, OUTSIDE, None),
        (Cause.VALIDATION, READ, None),
        (Cause.SERVER_ERROR, READ, None),
    ],
)
def test_each_throttle_closes_what_it_speaks_of(cause: Cause, asked: Asked, scope: str | None) -> None:
    throttle = closed(cause, asked)
    assert (throttle and throttle.scope) == scope


@pytest.mark.parametrize("target", [b"/v3/providers/detect", b"/v3/workspaces/auto-group"])
@pytest.mark.parametrize("cause", [Cause.RATE_LIMIT_NYLAS, Cause.RATE_LIMIT_AMBIGUOUS])
def test_the_limit_of_one_endpoint_does_not_close_the_application(target: bytes, cause: Cause) -> None:
    assert closed(cause, ("POST", target, ("application:a",))) is None


def test_an_overloaded_folders_api_closes_the_grant_by_its_503_alone() -> None:
    folders = ("GET", b"/v3/grants/g/folders", ("grant:g",))
    folder = ("PUT", b"/v3/grants/g/folders/f", ("grant:g",))
    for asked in (folders, folder):
        throttle = closed(Cause.SERVER_ERROR, asked, status=503)
        assert throttle
        assert (throttle.scope, throttle.wait_s, throttle.opening.cap_us) == ("grant:g", 1, 60_000_000)
    assert closed(Cause.SERVER_ERROR, folders, status=500) is None
    assert closed(Cause.SERVER_ERROR, READ, status=503) is None
    assert closed(Cause.SERVER_ERROR, ("GET", b"/folders", ("grant:t",)), status=503) is None


def test_a_request_that_asked_for_no_scope_closes_none() -> None:
    assert closed(Cause.RATE_LIMIT_NYLAS, ("GET", b"/v3/webhooks", ())) is None


@pytest.mark.parametrize(
    ("cause", "asked", "default_s", "cap_s", "growth_percent", "probes"),
    [
        (Cause.RATE_LIMIT_NYLAS, READ, 1, 5, 200, True),
        (Cause.RATE_LIMIT_NYLAS, READ_V2, 1, 60, 200, True),
        (Cause.RATE_LIMIT_AMBIGUOUS, READ, 1, 120, 200, True),
        (Cause.RATE_LIMIT_AMBIGUOUS, READ_V2, 1, 120, 200, True),
        (Cause.RATE_LIMIT_PROVIDER, READ, 30, 3600, 200, True),
        (Cause.RATE_LIMIT_PROVIDER, SEND_V2, 30, 3600, 200, True),
        (Cause.RATE_LIMIT_PROVIDER_GOOGLE, READ, 5, 3600, 200, True),
        (Cause.RATE_LIMIT_PROVIDER_MICROSOFT, READ, 10, 3600, 200, True),
        (Cause.RATE_LIMIT_PROVIDER_QUOTA, SEND, 3600, 86400, 200, True),
        (Cause.EXCHANGE_THROTTLE, READ, 1200, 3600, 200, True),
        (Cause.BLOCKED, SEND, 3600, 86400, 100, False),
    ],
)
def test_without_a_named_time_the_default_of_the_cause_counts(
    cause: Cause, asked: Asked, default_s: float, cap_s: float, growth_percent: int, *, probes: bool
) -> None:
    throttle = closed(cause, asked)
    assert throttle
    assert throttle.opening == (default_s * 1e6, cap_s * 1e6, growth_percent, cause, probes)
    assert throttle.source is Source.DEFAULT


@pytest.mark.parametrize(
    ("cause", "asked", "named_s", "expected_s"),
    [
        (Cause.EXCHANGE_THROTTLE, READ, 8.0, 8),
        (Cause.EXCHANGE_THROTTLE, READ, 297.749, 297.749),
        (Cause.EXCHANGE_THROTTLE, READ, 0.0, 5),
        (Cause.EXCHANGE_THROTTLE, READ, 86400.0, 3600),
        (Cause.RATE_LIMIT_NYLAS, READ_V2, 10.0, 10),
        (Cause.RATE_LIMIT_NYLAS, READ, 0.249, 1),
        (Cause.RATE_LIMIT_NYLAS, READ, 600.0, 5),
        (Cause.RATE_LIMIT_PROVIDER_MICROSOFT, READ, 1.0, 5),
        (Cause.RATE_LIMIT_PROVIDER_MICROSOFT, READ, 17.0, 17),
        (Cause.RATE_LIMIT_PROVIDER_GOOGLE, READ, 900.0, 960),
        (Cause.RATE_LIMIT_PROVIDER_GOOGLE, READ, 2.5, 5),
        (Cause.RATE_LIMIT_PROVIDER_QUOTA, SEND, 10.0, 600),
        (Cause.RATE_LIMIT_PROVIDER_QUOTA, SEND, 90000.0, 86400),
    ],
)
def test_a_named_time_counts_between_floor_and_cap(cause: Cause, asked: Asked, named_s: float, expected_s: float) -> None:
    throttle = closed(cause, asked, named_s)
    assert throttle
    assert (throttle.wait_s, throttle.source) == (expected_s, Source.RETRY_AFTER)


def test_randomness_comes_on_top_a_second_for_nylas_a_tenth_or_half_a_minute_else() -> None:
    assert wait_s(Cause.RATE_LIMIT_NYLAS, roll=0.5) == 1.5
    assert wait_s(Cause.EXCHANGE_THROTTLE, 8.0, roll=0.5) == 8.4
    assert wait_s(Cause.EXCHANGE_THROTTLE, roll=0.5) == 1215
    assert wait_s(Cause.EXCHANGE_THROTTLE, 3590.0, roll=0.9) == 3600


def test_a_recorded_gmail_answer_closes_the_grant_until_its_time_and_a_minute_more() -> None:
    body = {"error": {"type": "quota_exceeded_error", "message": "User-rate limit exceeded. Retry after 2023-11-14T22:28:20Z (Mail sending)"}}
    throttle = closed_by(KNOWN, classified(a_reply(429, body), a_context(SEND[1], "POST")), SEND)
    assert throttle
    assert (throttle.scope, throttle.wait_s) == ("grant:g", 960)


@given(
    st.sampled_from(list(Cause)),
    st.sampled_from(ALL),
    st.one_of(st.none(), st.floats(0, 1e6)),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([403, 423, 429, 500, 503]),
)
def test_a_wait_lies_between_floor_and_cap_for_any_verdict(cause: Cause, asked: Asked, named_s: float | None, roll: float, status: int) -> None:
    throttle = closed(cause, asked, named_s, status=status, roll=roll)
    if throttle is None:
        return
    rows = [row for row in KNOWN.rows if cause in row.causes and row.fits(status, a_context(asked[1], asked[0]))]
    assert rows[0].floor_s <= throttle.wait_s <= rows[0].cap_s
    assert throttle.opening.wait_us <= throttle.opening.cap_us
    assert throttle.scope in asked[2]


@given(st.sampled_from(sorted(THROTTLES)), st.sampled_from(ALL), st.floats(0, 1e4), st.floats(0, 1e4))
def test_a_longer_named_time_never_makes_the_wait_shorter(cause: Cause, asked: Asked, one: float, two: float) -> None:
    shorter, longer = (closed(cause, asked, named_s) for named_s in sorted((one, two)))
    assert (shorter is None) == (longer is None)
    if shorter and longer:
        assert shorter.wait_s <= longer.wait_s


@pytest.mark.parametrize("cause", sorted(THROTTLES))
@pytest.mark.parametrize("asked", [READ, SEND, READ_V2, SEND_V2])
def test_every_throttle_of_a_grant_closes_something_of_it(cause: Cause, asked: Asked) -> None:
    throttle = closed(cause, asked)
    assert throttle
    assert not throttle.scope.startswith("application")


def test_the_conditions_name_families_and_routes_that_exist() -> None:
    names = {(route.api, route.name) for route in the_catalogue().routes}
    families = {route.family for route in the_catalogue().routes}
    for row in KNOWN.rows:
        assert families >= set(row.families)
        assert {(row.api or Api.V3, name) for name in row.routes} <= names


def with_seconds(cause: Cause, seconds: float) -> Throttles:
    return Throttles(load("windows")["window"], SOURCES, {cause: seconds})


def test_settings_change_the_default_and_leave_named_times() -> None:
    throttles = with_seconds(Cause.EXCHANGE_THROTTLE, 300)
    default, named, other = (
        closed_by(throttles, verdict)
        for verdict in (a_verdict(Cause.EXCHANGE_THROTTLE), a_verdict(Cause.EXCHANGE_THROTTLE, retry_after_s=20.0), a_verdict(Cause.RATE_LIMIT_NYLAS))
    )
    assert default
    assert named
    assert other
    assert (default.wait_s, named.wait_s, other.wait_s) == (300, 20, 1)


def test_a_default_of_settings_beyond_floor_or_cap_moves_them() -> None:
    short, long = (closed_by(with_seconds(Cause.RATE_LIMIT_NYLAS, seconds), a_verdict(Cause.RATE_LIMIT_NYLAS)) for seconds in (0.2, 8))
    assert short
    assert long
    assert (short.wait_s, short.opening.cap_us) == (0.2, 5_000_000)
    assert (long.wait_s, long.opening.cap_us) == (8, 8_000_000)


def test_a_default_of_settings_closes_nothing_more() -> None:
    throttles = with_seconds(Cause.RATE_LIMIT_AMBIGUOUS, 2)
    assert closed_by(throttles, a_verdict(Cause.RATE_LIMIT_AMBIGUOUS), ("POST", b"/v3/providers/detect", ("application:a",))) is None


@pytest.mark.parametrize(
    ("cause", "seconds", "words"),
    [
        (Cause.VALIDATION, 5, "windows: validation opens none"),
        (Cause.EXCHANGE_THROTTLE, 0, "windows: exchange_throttle must be a number of seconds above 0, not 0"),
        (Cause.EXCHANGE_THROTTLE, float("nan"), "not nan"),
        (Cause.EXCHANGE_THROTTLE, float("inf"), "not inf"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(cause: Cause, seconds: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        with_seconds(cause, seconds)


A_ROW: Mapping[str, object] = {
    "causes": ["blocked"], "send": "sends", "default_s": 2, "floor_s": 1, "cap_s": 3, "growth": 1.5, "source": "graph"
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"causes": []}, r"window 1 \(\[\]\): needs causes"),
        ({"causes": ["nonsense"]}, "nonsense"),
        ({"statuses": ["503"]}, "statuses that are numbers"),
        ({"source": "hearsay"}, r"window 1 \(\['blocked'\]\): no source 'hearsay'"),
        ({"colour": "red"}, "unknown key colour"),
        ({"send": "application"}, "closes only what it asks admission for"),
        ({"grant": "sends"}, "closes only what it asks admission for"),
        ({"application": "grant"}, "closes only what it asks admission for"),
        ({"default_s": "2"}, "default_s must be a number, not '2'"),
        ({"default_s": True}, "default_s must be a number, not True"),
        ({"default_s": 4}, "0 < floor_s <= default_s <= cap_s"),
        ({"default_s": 0.5}, "0 < floor_s <= default_s <= cap_s"),
        ({"floor_s": 0}, "0 < floor_s <= default_s <= cap_s"),
        ({"cap_s": float("inf")}, "0 < floor_s <= default_s <= cap_s"),
        ({"growth": 0.9}, "growth of at least 1"),
        ({"margin_s": -1}, "not negative"),
        ({"spread": -0.1}, "not negative"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Throttles([{**A_ROW, **changes}], SOURCES)


def test_a_row_of_little_takes_floor_and_cap_from_its_default() -> None:
    row = {"causes": ["blocked"], "send": "sends", "default_s": 2, "source": "graph"}
    throttle = closed_by(Throttles([row], SOURCES), a_verdict(Cause.BLOCKED), SEND, roll=0.5)
    assert throttle
    assert throttle.opening == (2_000_000, 2_000_000, 100, "blocked", True)


def test_the_first_row_that_fits_decides() -> None:
    rows = [{**A_ROW, "api": "v2"}, {**A_ROW, "routes": ["messages.send"], "default_s": 1}, {**A_ROW, "default_s": 3}]
    throttle = closed_by(Throttles(rows, SOURCES), a_verdict(Cause.BLOCKED), SEND)
    assert throttle
    assert throttle.wait_s == 1
