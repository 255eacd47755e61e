from __future__ import annotations

from typing import Any

import pytest
from builders import the_texts

from proxy.core.model import Cause
from proxy.core.rows import Row
from proxy.core.texts import cause_texts
from proxy.facts import load


def some_texts(**changes: Any) -> dict[str, Any]:
    return {**{str(cause): {"meaning": "m", "solution": "s", "retryable": False} for cause in Cause}, **changes}


def test_every_cause_has_a_meaning_and_a_solution_of_one_sentence_or_two() -> None:
    assert set(the_texts()) == set(Cause)
    for text in the_texts().values():
        for sentence in (text.meaning, text.solution):
            assert sentence.endswith(".")
            assert 10 <= len(sentence) < 200


def test_a_cause_without_a_text_is_named() -> None:
    texts = some_texts()
    del texts["oauth"]
    with pytest.raises(ValueError, match="no text for oauth"):
        cause_texts(texts)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weather": {"meaning": "m", "solution": "s", "retryable": False}}, "'weather' is not a valid Cause"),
        ({"oauth": {"meaning": "m", "solution": "s"}}, "cause 'oauth': retryable must be of type bool, not None"),
        ({"oauth": {"meaning": "m", "solution": 1, "retryable": False}}, "cause 'oauth': solution must be of type str"),
        ({"oauth": {"meaning": "m", "solution": "s", "retryable": False, "b": 1, "a": 1}}, "cause 'oauth': unknown key a, b"),
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


def test_a_row_is_read_key_by_key() -> None:
    row = Row({"count": 1, "names": ["a"]}, "row 1")
    assert row.has("count")
    assert row.take("count", int) == 1
    assert not row.has("count")
    assert row.take_texts("names") == ("a",)
    assert row.take_texts("others") == ()
    row.finish()
