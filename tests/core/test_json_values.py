from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.json_values import DEPTH_MAX, Numeral, Parsed, read_json, write_json

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "number",
    ["0", "-0", "1.10", "1e999", "-1E+400", "0.1000000000000000055511151231257827", "9007199254740993", "123456789012345678901234567890", "9" * 5000],
)
def test_a_number_keeps_its_text(number: str) -> None:
    parsed = read_json(f"[{number}]")
    assert parsed is not None
    assert write_json(parsed.value) == f"[{number}]"


def test_a_small_integer_is_a_plain_integer() -> None:
    assert read_json("[400, -7]") == Parsed([400, -7])


def test_a_fraction_is_no_integer() -> None:
    assert read_json("400.0") == Parsed(Numeral("400.0"))


@given(ANY_JSON)
def test_what_is_read_and_written_means_the_same(value: object) -> None:
    parsed = read_json(json.dumps(value))
    assert parsed is not None
    assert json.loads(write_json(parsed.value)) == value


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_without_an_exception(text: str) -> None:
    parsed = read_json(text)
    assert parsed is None or isinstance(json.loads(write_json(parsed.value)), object)


def test_words_that_are_no_json_numbers_become_strings() -> None:
    assert read_json('{"a": NaN, "b": -Infinity}') == Parsed({"a": "NaN", "b": "-Infinity"})


def test_half_a_surrogate_pair_passes_as_it_came() -> None:
    parsed = read_json('"\\ud800"')
    assert parsed is not None
    assert write_json(parsed.value) == '"\\ud800"'


def test_null_is_a_value_and_not_a_failure() -> None:
    assert read_json("null") == Parsed(None)


@pytest.mark.parametrize("text", ["", "{", '{"a": 1} trailing', "'a'", '{"a": 01}', "\ud800"])
def test_what_is_no_json_is_refused(text: str) -> None:
    assert read_json(text) is None


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_hundred_thousand_levels_are_refused(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    assert read_json(opening * 100_000 + "1" + closing * 100_000) is None
    assert read_json(opening * 100_000) is None


def test_nesting_is_read_up_to_the_limit_and_no_further() -> None:
    assert read_json("[" * DEPTH_MAX + "]" * DEPTH_MAX) is not None
    assert read_json('{"a":' * DEPTH_MAX + "1" + "}" * DEPTH_MAX) is not None
    assert read_json("[" * (DEPTH_MAX + 3) + "]" * (DEPTH_MAX + 3)) is None
    assert read_json('{"a":' * (DEPTH_MAX + 3) + "1" + "}" * (DEPTH_MAX + 3)) is None
