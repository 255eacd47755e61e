"""Who observes: all are told, none harms the others or the request; and no kind of event is told to nobody."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast, get_args

from happened import Clock, LogBook, a_request, an_attempt, one_of_each
from prometheus_client import CollectorRegistry

from proxy.core.book import Book
from proxy.core.events import Event, RequestEnded
from proxy.telemetry.event_lines import EventLines
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.observers import Observers
from proxy.telemetry.recent import watch
from proxy.telemetry.tallies import Tallies

if TYPE_CHECKING:
    from proxy.telemetry.logs import Log


def observers() -> tuple[Observers, LogBook]:
    book = LogBook()
    return Observers(cast("Log", book)), book


def fails(_event: Any) -> None:
    raise KeyError("Bearer s3cret")


def test_all_who_observe_are_told_in_their_order() -> None:
    seen: list[str] = []

    def note(name: str, event: RequestEnded) -> None:
        seen.append(f"{name} {event.request_id}")

    all_of_them, _ = observers()
    for name in ("first", "second"):
        all_of_them.add({RequestEnded: partial(note, name)})
    all_of_them.tell(a_request(request_id="r"))
    all_of_them.tell(an_attempt())
    assert seen == ["first r", "second r"]


def test_one_that_fails_harms_neither_the_others_nor_the_request() -> None:
    seen: list[Any] = []
    all_of_them, book = observers()
    for take in (fails, seen.append, fails):
        all_of_them.add({RequestEnded: take})
    event = a_request()
    all_of_them.tell(event)
    assert seen == [event]
    assert [line.name for line in book.lines] == ["KeyError", "KeyError"]


def test_nobody_who_wants_steps_means_that_none_are_kept() -> None:
    assert not observers()[0].keeps_steps


def everything() -> tuple[Observers, LogBook, CollectorRegistry]:
    """All observers that the proxy has without an export."""
    all_of_them, book = observers()
    clock, registry = Clock(), CollectorRegistry()
    tallies = Tallies(registry)
    for takers in (tallies.takers(), Metrics(registry).takers(), EventLines(cast("Log", book), clock).takers()):
        all_of_them.add(takers)
    watch(all_of_them, tallies, Book(), clock)
    return all_of_them, book, registry


def test_every_kind_of_event_is_taken_by_somebody() -> None:
    all_of_them, _, _ = everything()
    assert set(get_args(Event)) - set(all_of_them._takers) == set()


def test_the_examples_of_these_tests_are_of_every_kind() -> None:
    assert {type(event) for event in one_of_each()} == set(get_args(Event))


def test_nobody_fails_on_any_event() -> None:
    all_of_them, book, _ = everything()
    for event in one_of_each():
        all_of_them.tell(event)
    assert [line for line in book.lines if line.level == "error"] == []
