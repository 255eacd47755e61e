"""Events are values, and hold nothing that a caller or upstream wrote."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from proxy.core.events import Event, Step

KINDS = (*get_args(Event), Step)
TELLING = {"token", "authorization", "body", "query", "target", "path", "url", "address", "email", "fields", "head"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_is_a_tuple_that_nobody_can_change(kind: Any) -> None:
    event = kind(*range(len(kind._fields)))
    with pytest.raises(AttributeError):
        setattr(event, kind._fields[0], "other")
    assert hash(event) == hash(tuple(range(len(kind._fields))))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_has_no_place_for_what_was_written(kind: Any) -> None:
    assert {word for field in kind._fields for word in field.split("_")} & TELLING == set()


def test_a_request_consists_of_nothing_where_no_traces_are_made() -> None:
    assert get_args(Event)[0]._field_defaults == {"steps": ()}
