from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from builders import a_context, a_reply, classified, the_handbook

from proxy.core.entries import Entry, Kind
from proxy.core.model import Api, Cause
from proxy.core.rows import Row
from proxy.core.texts import cause_texts
from proxy.facts import load, load_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


A_TEXT = {"meaning": "m", "reason": "r", "solution": "s", "handling": "h", "retryable": False}


def some_texts(**changes: Any) -> dict[str, Any]:
    return {**{str(cause): A_TEXT for cause in Cause}, **changes}


def test_every_text_is_a_sentence_or_two_that_any_terminal_shows() -> None:
    assert set(the_handbook().causes) == set(Cause)
    texts = [text for entry in the_handbook().entries for text in (entry.meaning, entry.reason, entry.solution, the_handbook().handling(entry))]
    wrong = {text for text in texts if not (10 <= len(text) <= 240 and text.isascii() and text.isprintable() and text.endswith("."))}
    assert wrong == set()


def test_every_class_of_an_entry_is_what_the_classifier_makes_of_such_an_answer() -> None:
    """But for those that another sign than status and text tells: the path, the method, the type."""
    told_otherwise = {"base_url_holds_v3", "base_url_prefix", "base_url_prefix_unauthorized", "folders_overload", "empty_put", "nylas_api_rate_limit"}
    wrong: dict[tuple[str, str], Cause] = {}
    for entry in the_handbook().entries:
        if entry.cause and entry.kind is not Kind.CAUSE and entry.name not in told_otherwise:
            wrong |= {(entry.name, text): made for text in texts_of(entry) for made in causes_made_of(entry, text) if made != entry.cause}
    assert wrong == {}


def texts_of(entry: Entry) -> tuple[str, ...]:
    return tuple(filter(None, (entry.says, *entry.phrases))) or (entry.title or "It failed.",)


def causes_made_of(entry: Entry, text: str) -> Iterator[Cause]:
    """What comes of the text with the entry's status, under its own type; a situation of v2 comes under a general one."""
    statuses = [status for status in entry.statuses if 400 <= status < 600]
    # A type that comes with several statuses means something else with each; its row describes the first.
    for status in statuses[:1] if entry.kind is Kind.TYPE else statuses:
        own = {"type": entry.name} if entry.kind is Kind.TYPE else {}
        if entry.api != Api.V3:
            general = {"type": "api_error"} if entry.kind is Kind.SITUATION else {}
            yield classified(a_reply(status, {"message": text, **general, **own}), a_context(Api.V2)).cause
        if entry.api != Api.V2:
            yield classified(a_reply(status, {"request_id": "r", "error": {"message": text, **own}}), a_context(Api.V3)).cause


def test_a_cause_without_a_text_is_named() -> None:
    texts = some_texts()
    del texts["oauth"]
    with pytest.raises(ValueError, match="no text for oauth"):
        cause_texts(texts)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weather": {"meaning": "m", "reason": "r", "solution": "s", "handling": "h", "retryable": False}}, "'weather' is not a valid Cause"),
        ({"oauth": {**A_TEXT, "retryable": None}}, "cause 'oauth': retryable must be of type bool, not None"),
        ({"oauth": {**A_TEXT, "solution": 1}}, "cause 'oauth': solution must be of type str"),
        ({"oauth": {**A_TEXT, "b": 1, "a": 1}}, "cause 'oauth': unknown key a, b"),
    ],
)
def test_a_mistake_in_the_texts_is_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        cause_texts(some_texts(**changes))
    assert complaint in str(refusal.value)


def test_the_texts_cannot_be_changed() -> None:
    assert not hasattr(cause_texts(some_texts()), "update")


def test_a_subject_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FileNotFoundError):
        load("weather")
    with pytest.raises(FileNotFoundError, match="weather"):
        load_folder("weather")


def test_a_row_is_read_key_by_key() -> None:
    row = Row({"count": 1, "names": ["a"]}, "row 1")
    assert row.has("count")
    assert row.take("count", int) == 1
    assert not row.has("count")
    assert row.take_texts("names") == ("a",)
    assert row.take_texts("others") == ()
    row.finish()
