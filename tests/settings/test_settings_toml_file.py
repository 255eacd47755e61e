from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.settings.toml_file import Keys, TomlFile, key_lines, parse_toml, read_toml

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ['"a # b = [{"', "'c = ]'", '"""\n x = 1\n \\""" """', "'''\n[y]\n'''''"]
VALUES = [*TEXTS, "1", "-1.5e3", "true", "1979-05-27 07:32:00", "[\n1, # ]\n{ a = [2] },\n]", "{}"]
WORDS = ["a", "b-c", "7", '"a"', "'b-c'", '"\\u0061"', '"x.y"', "'='", '"]"', '""', "é", "inf"]
MARKS = ["=", "\n", "[", "]", "{", "}", ",", ".", " ", "\t", "#", '"', "'", '"""', "'''", "\\", "\r\n", "\r", "\0", "[[", "]]"]
SCRAPS = [*VALUES, *WORDS, *MARKS]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", {}),
        ("# a = 1\n\nb = 2 # c = 3\n", {("b",): 3}),
        ("[a]\nb = 1\n[c]\nb = 2", {("a",): 1, ("a", "b"): 2, ("c",): 3, ("c", "b"): 4}),
        ("[a]\r\nb = 1\r\n", {("a",): 1, ("a", "b"): 2}),
        ("a.b = 1\na.c = 2", {("a",): 1, ("a", "b"): 1, ("a", "c"): 2}),
        ("\"a\" . 'b' = 1", {("a",): 1, ("a", "b"): 1}),
        ('"\\u0061b" = 1', {("ab",): 1}),
        ("a = { b = 1, c.d = { e = 2 } }\nf = 3", {("a",): 1, ("a", "b"): 1, ("a", "c"): 1, ("a", "c", "d"): 1, ("a", "c", "d", "e"): 1, ("f",): 2}),
        ("a = {}\nb = 1", {("a",): 1, ("b",): 2}),
        ('a = """\nb = 1\n\\"""\n"""\nc = 2', {("a",): 1, ("c",): 5}),
        ('a = """x"""""\nb = 1', {("a",): 1, ("b",): 2}),
        ("a = '''\n[b]\n'''''\nc = 2", {("a",): 1, ("c",): 4}),
        ("a = '''x''''\nb = 'y'", {("a",): 1, ("b",): 2}),
        ('a = """x""""\nb = "y"', {("a",): 1, ("b",): 2}),
        ('a = """x\\""""\nb = "y"', {("a",): 1, ("b",): 2}),
        ('a = """"""\nb = "y"', {("a",): 1, ("b",): 2}),
        ('a = """ \\\\ "\nb = 1\n"""\nc = 2', {("a",): 1, ("c",): 4}),
        ('a = { x = "1\\", y = 2", z = 3 }', {("a",): 1, ("a", "x"): 1, ("a", "z"): 1}),
        ('a = ""\nb = 1', {("a",): 1, ("b",): 2}),
        ("a = [\n 'b = ]', # ]\n [2],\n]\nc = 3", {("a",): 1, ("c",): 5}),
        ("a = [{ b = 1 }]\nc = 3", {("a",): 1, ("c",): 2}),
        ("[[a.b]]\nc = 1\n[[a.b]]\nc = 2", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 2}),
        ("[ a . 'b.c' ]\nd = 1.5", {("a",): 1, ("a", "b.c"): 1, ("a", "b.c", "d"): 2}),
        ("a = 1979-05-27 07:32:00.5\nb = 1", {("a",): 1, ("b",): 2}),
    ],
)
def test_every_key_has_the_line_on_which_it_is_first_named(text: str, lines: dict[Keys, int]) -> None:
    tomllib.loads(text)
    assert key_lines(text) == lines


def test_an_inline_table_may_span_lines_as_in_toml_1_1() -> None:
    assert key_lines("a = {\n b = 1, # c = 2\n\n d = 3,\n}\ne = 4") == {("a",): 1, ("a", "b"): 2, ("a", "d"): 4, ("e",): 6}


def paths(table: dict[str, object], base: Keys = ()) -> set[Keys]:
    found = set()
    for key, value in table.items():
        found.add((*base, key))
        if isinstance(value, dict):
            found |= paths(value, (*base, key))
    return found


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Keys, int]]:
    """Valid TOML of headers, dotted and quoted keys, inline tables and values over several lines, with the line of every `k0`, `k1`, ..."""
    text = ""
    table: Keys = ()
    lines: dict[Keys, int] = {}
    for number in range(draw(st.integers(0, 6))):
        text += draw(st.sampled_from(["", "\n", "# k0 = 1\n", "\r\n", "  "]))
        word = draw(st.sampled_from([f"k{number}", f'"k{number}"', f"'k{number}'", f'"\\u006b{number}"']))
        value, line = draw(st.sampled_from(VALUES)), 1 + text.count("\n")
        match draw(st.sampled_from(["pair", "dotted", "inline", "header"])):
            case "pair":
                text += f"{word} = {value}\n"
                lines[(*table, f"k{number}")] = line
            case "dotted":
                text += f"{word} . x = {value} # {word}\n"
                lines[(*table, f"k{number}", "x")] = line
            case "inline":
                text += f"{word} = {{ x = {value}, y = 2 }}\n"
                lines[(*table, f"k{number}", "x")] = line
                lines[(*table, f"k{number}", "y")] = line + value.count("\n")
            case _:
                text += f"[ {word} ]\n"
                table = (f"k{number}",)
                lines[table] = line
    return text, lines


@settings(deadline=None)
@given(documents())
def test_keys_of_all_styles_are_found_on_their_lines(document: tuple[str, dict[Keys, int]]) -> None:
    text, lines = document
    found = key_lines(text)
    assert {path: found.get(path) for path in lines} == lines
    assert paths(tomllib.loads(text)) == set(found)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(), st.lists(st.sampled_from(SCRAPS)).map("".join)))
def test_any_text_gives_a_document_with_lines_or_a_mistake(text: str) -> None:
    key_lines(text)
    match parse_toml(text):
        case TomlFile() as file:
            assert paths(file.document) <= set(file.lines)
        case mistake:
            assert mistake.startswith(":")


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_in_a_file_give_a_document_or_a_mistake(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(content)
    assert isinstance(read_toml(path), TomlFile | str)
