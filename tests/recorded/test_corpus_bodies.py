"""Every recorded error reaches the caller in the one shape, with all that upstream said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import normalised, said
from one_shape import assert_one_shape

from proxy.core.identify import speaks_oauth
from recorded.corpus import ENTRIES, context_of, reply_of

ERRORS = [entry for entry in ENTRIES if entry["status"] >= 400]


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in entries]


def is_kept(key: str, value: Any, answer: dict[str, Any]) -> bool:
    """An upstream field stands where it stood, shows inside the object that took its place, or has a new place."""
    now = answer.get(key)
    places = [now, answer.get("original", {}).get(key)]
    if key == "error" and isinstance(value, str):
        places += [answer["type"], answer["message"], answer.get("server_error")]
    if key == "error" and isinstance(value, dict) and isinstance(now, dict):
        return all(now.get(name) == inner or now.get(name) == {"message": inner} for name, inner in value.items())
    return value in places


@pytest.mark.parametrize("entry", ERRORS, ids=ids(ERRORS))
def test_a_recorded_error_gets_the_one_shape(entry: dict[str, Any]) -> None:
    assert_one_shape(normalised(reply_of(entry), context_of(entry)), oauth=speaks_oauth(context_of(entry)))


@pytest.mark.parametrize("entry", ERRORS, ids=ids(ERRORS))
def test_a_recorded_error_loses_nothing(entry: dict[str, Any]) -> None:
    answer = said(normalised(reply_of(entry), context_of(entry)))
    for key, value in (entry["body"] or {}).items():
        assert is_kept(key, value, answer), key
    if entry["body"] is None and entry["body_text"]:
        assert entry["body_text"] in {answer["message"], answer.get("original", {}).get("body")}


@pytest.mark.parametrize("entry", ERRORS, ids=ids(ERRORS))
def test_a_recorded_error_says_more_than_nothing_wherever_an_sdk_looks(entry: dict[str, Any]) -> None:
    answer = said(normalised(reply_of(entry), context_of(entry)))
    assert answer["message"]
    assert answer["type"]
    assert json.dumps(answer["error"]) not in {"{}", '""'}
