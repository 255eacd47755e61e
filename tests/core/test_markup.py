from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.markup import one_line, visible_text

PAGE = """<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title><style>body { color: red > blue }</style>
<script type="text/javascript">if (a < b) { document.write("<p>no</p>") }</script ></head>
<body><center><h1>502 Bad&nbsp;Gateway</h1></center><hr>nginx &amp; friends<br/>a < b</body></html>"""


def test_a_page_is_reduced_to_what_a_browser_shows() -> None:
    assert visible_text(PAGE) == "502 Bad Gateway 502 Bad Gateway nginx & friends a < b"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("no tags", "no tags"),
        ("<p>a</p><p>b</p>", "a b"),
        ("<SCRIPT>x</SCRIPT>a", "a"),
        ("<script>never closed <b>x</b>", ""),
        ("<script src='a'/>shown", "shown"),
        ("cut off <a href='x", "cut off <a href='x"),
        ("1 <2> 3", "1 <2> 3"),
        ("<?xml version='1.0'?><t:Value>7</t:Value>", "7"),
        ("<!-- note -->after", "after"),
        ("&lt;b&gt; &unknown; &#0;", "<b> &unknown; \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_tags_go_and_text_stays(markup: str, text: str) -> None:
    assert visible_text(markup) == text


def test_control_characters_and_runs_of_blanks_become_one_blank() -> None:
    assert one_line("  a\r\n\tb\x00\x1b[31mc\u2028d  ") == "a b [31mc d"


@given(st.text(alphabet="<>/!? scriptyle&;ab\n", max_size=80))
def test_any_markup_becomes_one_printable_line(markup: str) -> None:
    text = visible_text(markup)
    assert text == text.strip()
    assert all(character.isprintable() for character in text)
