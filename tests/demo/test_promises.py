from __future__ import annotations

import pytest

from proxy.demo.cases import Case
from proxy.demo.sdk import Crash, Outcome, OwnError, PoorError, Returned

CRASH = Crash("JSONDecodeError", "Expecting value")
CLEAN = OwnError("NylasApiError", 502, "api.gateway_error", "text")
POOR = PoorError("NylasApiError", "a type")


def a_case(*, status: int | None = None, never_succeeds: bool = False) -> Case:
    return Case("case", lambda _: "unused", status=status, never_succeeds=never_succeeds)


def test_a_call_that_succeeds_must_return_the_same_on_both_ways() -> None:
    assert a_case().is_as_promised(Returned("3 messages"), Returned("3 messages"))
    assert not a_case().is_as_promised(Returned("3 messages"), Returned("2 messages"))
    assert not a_case().is_as_promised(CLEAN, CLEAN)


@pytest.mark.parametrize("through", [CRASH, POOR, Returned("3 messages"), OwnError("NylasApiError", 500, "api.internal_error", "text")])
def test_an_error_must_be_the_sdks_own_complete_one_with_the_right_status(through: Outcome) -> None:
    assert a_case(status=502).is_as_promised(CRASH, CLEAN)
    assert not a_case(status=502).is_as_promised(CRASH, through)


def test_an_answer_that_breaks_off_must_not_look_complete() -> None:
    assert a_case(never_succeeds=True).is_as_promised(CRASH, CRASH)
    assert not a_case(never_succeeds=True).is_as_promised(CRASH, Returned("1 message"))
