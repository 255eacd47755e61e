from __future__ import annotations

from typing import Final

import pytest
from builders import a_context

from proxy.core.repeat import TABLE, Ending, Repeat, is_known_by_callers_key, repeat_of

SEND: Final = b"/v3/grants/g/messages/send"


def test_the_table_has_every_cell() -> None:
    assert set(TABLE) == {(ending, repeat) for ending in Ending for repeat in Repeat}


@pytest.mark.parametrize(
    ("method", "target", "repeat"),
    [
        ("GET", b"/v3/grants/g/messages", Repeat.FREELY),
        ("HEAD", b"/v3/grants/g/messages", Repeat.FREELY),
        ("PUT", b"/v3/grants/g/messages/m", Repeat.FREELY),
        ("DELETE", b"/v3/grants/g/messages/m", Repeat.FREELY),
        ("POST", b"/v3/grants/g/calendars/free-busy", Repeat.FREELY),
        ("POST", b"/v3/grants/g/messages/send", Repeat.WITH_KEY),
        ("POST", b"/v3/domains/d/messages/send", Repeat.WITH_KEY),
        ("POST", b"/v3/grants/g/drafts/d", Repeat.NOT_ONCE_SENT),
        ("POST", b"/v3/grants/g/events", Repeat.NOT_ONCE_SENT),
        ("DELETE", b"/v3/grants/g/events/e", Repeat.NOT_ONCE_SENT),
        ("GET", b"/v3/admin/domains", Repeat.NOT_ONCE_SENT),
        ("POST", b"/send", Repeat.NOT_ONCE_SENT),
        ("POST", b"/v3/nobody-knows", Repeat.NOT_ONCE_SENT),
    ],
)
def test_how_far_a_request_may_be_repeated_is_a_matter_of_its_route(method: str, target: bytes, repeat: Repeat) -> None:
    assert repeat_of(a_context(target, method), gives_keys=True) is repeat


@pytest.mark.parametrize(("callers_key", "gives_keys"), [(True, True), (False, False), (True, False)])
def test_a_send_without_a_key_of_ours_is_not_repeated_once_sent(*, callers_key: bool, gives_keys: bool) -> None:
    send = a_context(SEND, "POST", callers_key=callers_key)
    assert repeat_of(send, gives_keys=gives_keys) is Repeat.NOT_ONCE_SENT


@pytest.mark.parametrize(
    ("method", "target", "callers_key", "known"),
    [("POST", SEND, True, True), ("POST", SEND, False, False), ("POST", b"/v3/grants/g/events", True, False), ("GET", SEND, True, False)],
)
def test_a_callers_key_tells_repetitions_only_of_what_takes_keys(method: str, target: bytes, *, callers_key: bool, known: bool) -> None:
    assert is_known_by_callers_key(a_context(target, method, callers_key=callers_key)) is known
