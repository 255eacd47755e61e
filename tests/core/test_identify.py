from __future__ import annotations

import pytest
from builders import OUR_ID, a_context
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.identify import collapse_leading_slashes, path_of, speaks_oauth
from proxy.core.model import Api

UNSAFE = [
    ("POST", b"/v3/grants/g/messages/send"),
    ("POST", b"/v3/grants/g/drafts"),
    ("POST", b"/v3/grants/g/drafts/d"),
    ("POST", b"/v3/grants/g/events"),
    ("PUT", b"/v3/grants/g/events/e"),
    ("DELETE", b"/v3/grants/g/events/e"),
    ("POST", b"/v3/grants/g/events/e/send-rsvp"),
    ("POST", b"/v3/grants/g/messages/smart-compose"),
    ("POST", b"/v3/grants/g/contacts"),
    ("POST", b"/v3/connect/token"),
    ("POST", b"/v3/connect/custom"),
    ("PUT", b"/v3/webhooks/w/rotate-secret"),
    ("POST", b"/v3/scheduling/bookings"),
    ("DELETE", b"/v3/scheduling/bookings/b"),
    ("POST", b"/send"),
    ("POST", b"/send-multiple"),
    ("POST", b"/v2/send"),
    ("POST", b"/drafts"),
    ("POST", b"/files"),
    ("POST", b"/events"),
    ("PUT", b"/events/e"),
    ("DELETE", b"/events/e"),
    ("POST", b"/send-rsvp"),
    ("POST", b"/oauth/token"),
    ("GET", b"/oauth/token"),
]
REPEATABLE = [
    ("GET", b"/v3/grants/g/messages"),
    ("PUT", b"/v3/grants/g/messages/m"),
    ("DELETE", b"/v3/grants/g/messages/m"),
    ("PUT", b"/v3/grants/g/messages/clean"),
    ("PUT", b"/v3/grants/g/drafts/d"),
    ("POST", b"/v3/grants/g/calendars/free-busy"),
    ("POST", b"/v3/calendars/availability"),
    ("POST", b"/calendars/free-busy"),
    ("POST", b"/calendars/availability"),
    ("POST", b"/calendars/availability/consecutive"),
    ("POST", b"/delta/latest_cursor"),
    ("DELETE", b"/v3/grants/g"),
    ("GET", b"/v3/nothing-known"),
]


@pytest.mark.parametrize(
    ("sent", "collapsed"),
    [(b"/v3/x", b"/v3/x"), (b"//v3/x", b"/v3/x"), (b"////v3//x//", b"/v3//x//"), (b"//", b"/"), (b"/", b"/"), (b"/?a=//b", b"/?a=//b")],
)
def test_only_leading_slashes_are_collapsed(sent: bytes, collapsed: bytes) -> None:
    assert collapse_leading_slashes(sent) == collapsed


@pytest.mark.parametrize(
    ("target", "api"),
    [
        (b"/v3/grants", Api.V3),
        (b"/v3/", Api.V3),
        (b"/v3", Api.V2),
        (b"/v3?x=/v3/", Api.V2),
        (b"/v30/x", Api.V2),
        (b"/V3/x", Api.V2),
        (b"/v2/send", Api.V2),
    ],
)
def test_the_path_alone_tells_the_api(target: bytes, api: Api) -> None:
    assert a_context(target).route.api is api


@pytest.mark.parametrize(
    ("target", "grant"),
    [
        (b"/v3/grants/5967ca40/messages?limit=5", b"5967ca40"),
        (b"/v3/grants/user%2Bx%40ex.com/messages", b"user%2Bx%40ex.com"),
        (b"/v3/grants/me", b"me"),
        (b"/v3/grants/\xff?", b"\xff"),
        (b"/v3/grants", None),
        (b"/v3/grants?grant=a/b", None),
        (b"/v3/grants/", None),
        (b"/v3/grants//messages", None),
        (b"/v3/applications", None),
        (b"/grants/5967ca40", None),
        (b"/messages?x=/v3/grants/a", None),
    ],
)
def test_the_grant_is_the_raw_segment_of_a_v3_path(target: bytes, grant: bytes | None) -> None:
    assert a_context(target).grant == grant


def test_a_context_holds_what_was_asked_as_it_was_asked() -> None:
    context = a_context(b"/v3/grants/g/messages/m?fields=a%20b", "PUT")
    assert (context.method, context.target, context.route.name, context.request_id) == (
        "PUT",
        b"/v3/grants/g/messages/m?fields=a%20b",
        "message",
        OUR_ID,
    )


def test_the_query_takes_no_part_in_the_match() -> None:
    assert a_context(b"/v3/grants/g/messages?next=/v3/grants/g/messages/send", "GET").route.name == "messages"
    assert path_of(b"/a?b?c") == b"/a"


@pytest.mark.parametrize(("method", "target"), UNSAFE)
def test_what_a_user_would_notice_twice_is_unsafe(method: str, target: bytes) -> None:
    assert method in a_context(target, method).route.unsafe


@pytest.mark.parametrize(("method", "target"), REPEATABLE)
def test_what_may_be_repeated_is_not_unsafe(method: str, target: bytes) -> None:
    assert method not in a_context(target, method).route.unsafe


@pytest.mark.parametrize(
    ("method", "target", "long_lived"),
    [
        ("GET", b"/delta/streaming", True),
        ("GET", b"/delta/longpoll", True),
        ("POST", b"/v3/grants/g/messages/smart-compose", True),
        ("POST", b"/v3/grants/g/messages/m/smart-compose", True),
        ("GET", b"/delta", False),
        ("GET", b"/v3/grants/g/messages", False),
    ],
)
def test_streams_are_known_as_long_lived(method: str, target: bytes, long_lived: bool) -> None:
    assert a_context(target, method).route.long_lived is long_lived


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", [b"/v3/connect/auth?client_id=x", b"/oauth/authorize"])
def test_sign_in_pages_are_known_as_hosted(method: str, target: bytes) -> None:
    assert a_context(target, method).route.hosted_auth
    assert not a_context(target, "POST").route.hosted_auth


@pytest.mark.parametrize(
    ("target", "oauth"),
    [
        (b"/v3/connect/token", True),
        (b"/v3/connect/revoke?token=x", True),
        (b"/v3/connect/tokeninfo", True),
        (b"/prefix/v3/connect/token", True),
        (b"/oauth/token", True),
        (b"/v3/connect/custom", False),
        (b"/v3/webhooks?x=connect/token", False),
    ],
)
def test_oauth_paths_are_known_whatever_their_prefix(target: bytes, oauth: bool) -> None:
    assert speaks_oauth(a_context(target, "POST")) is oauth


@given(st.binary(max_size=60), st.sampled_from(["GET", "POST", "DELETE"]))
def test_any_target_has_a_route_and_keeps_its_bytes(tail: bytes, method: str) -> None:
    context = a_context(b"/" + tail, method)
    assert context.target == b"/" + tail
    assert context.route.name
