from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest

from page.builders import MADE_AT, a_full_status, a_grant, a_health, a_status, a_traffic, a_usage, a_window, an_empty_status, with_every_text
from proxy.page import page_routes
from proxy.page.rendering import SECTIONS, TITLES, Rendering, standing
from proxy.telemetry.status import Status

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7 * 7 }} </time>"


@cache
def the_rendering() -> Rendering:
    return Rendering()


def page_of(status: Status) -> str:
    return the_rendering().page({name: the_rendering().section(name, status) for name in SECTIONS})


class Reading(HTMLParser):
    """What a page is made of: its tags with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def text_of(name: str, status: Status) -> str:
    return Reading(the_rendering().section(name, status)).text.strip()


@pytest.mark.parametrize("status", [a_full_status(), an_empty_status(), with_every_text(a_full_status(), HOSTILE)], ids=["full", "empty", "hostile"])
def test_what_is_opened_is_closed_and_no_id_stands_twice(status: Status) -> None:
    reading = Reading(page_of(status))
    ids = [attributes["id"] for _, attributes in reading.tags if "id" in attributes]
    assert reading.open == []
    assert len(set(ids)) == len(ids)


def test_no_text_can_become_markup() -> None:
    harmless, hostile = Reading(page_of(a_full_status())), Reading(page_of(with_every_text(a_full_status(), HOSTILE)))
    assert {tag for tag, _ in hostile.tags} <= {tag for tag, _ in harmless.tags}
    assert {name for _, attributes in hostile.tags for name in attributes} <= {name for _, attributes in harmless.tags for name in attributes}
    assert [tag for tag, _ in hostile.tags if tag == "script"] == ["script"]
    assert hostile.text.count(HOSTILE) > 60


def test_every_text_of_a_status_is_on_the_page() -> None:
    """Where the page has words of its own for one, it shows what it does not know as it stands."""
    texts = iter(range(10_000))
    throttled = a_full_status(grants=[a_grant(throttled_ago_s=1.0)])
    numbered = re.sub(rb'":"[^"]*"', lambda _: b'":"text-%d-"' % next(texts), msgspec.json.encode(throttled))
    page = Reading(page_of(msgspec.json.decode(numbered, type=Status))).text
    missing = [name for name in (f"text-{number}-" for number in range(next(texts))) if name not in page]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "windows": "No window is open: nobody is throttled.",
        "waiting": "Nothing waits: every request goes at once.",
        "errors": "No request was answered with an error in the last minute.",
        "limits": "No limit is in use: nothing has passed lately.",
        "grants": "No mailbox has been used yet.",
        "refusals": "The proxy has refused nothing lately.",
        "settings": "Every setting has its default.",
    }.items(),
)
def test_an_empty_section_says_so_in_a_sentence(name: str, text: str) -> None:
    assert text_of(name, an_empty_status()) == text


def test_a_window_says_when_it_opens_what_caused_it_and_who_named_the_time() -> None:
    text = text_of("windows", a_status(windows=[a_window()], windows_open=1))
    told = ("18 min 20 s of 20 min; since 1 min 40 s", "exchange_throttle The Exchange server", "Send nothing for", "upstream named the time")
    assert [words for words in told if words not in text] == []


def test_windows_that_are_not_listed_are_counted() -> None:
    assert text_of("windows", a_full_status()).endswith("And 8 more.")


def test_a_countdown_is_a_moment_so_that_it_stands_still_while_time_passes() -> None:
    def of_a_window(*, later_s: float) -> str:
        window = a_window(closes_in_s=1100.0 - later_s, opened_ago_s=100.0 + later_s)
        return the_rendering().section("windows", a_status(made_at=MADE_AT + later_s, windows=[window], windows_open=1))

    # The bar beside it does move.
    first, second = (re.sub(r'width="[0-9.]+" height', "height", of_a_window(later_s=later_s)) for later_s in (0.0, 5.0))
    assert first != second
    assert standing(first) == standing(second)
    assert f'data-until="{MADE_AT + 1100:.0f}"' in first


def test_settings_that_somebody_chose_stand_first() -> None:
    text = text_of("settings", a_status())
    in_order = ("2 settings that differ from", "upstream.region", "redis.url", "2 settings with the default", "patience.default_s")
    assert all(text.index(before) < text.index(after) for before, after in pairwise(in_order))


def test_a_limit_that_is_nearly_full_says_so_in_words() -> None:
    limits = [a_usage(used=200), a_usage(used=180), a_usage(used=179), a_usage(used=230), a_usage(used=1, count=0)]
    text = text_of("limits", a_status(limits=limits))
    assert re.findall(r"nearly full|full(?!est)", text) == ["full", "nearly full", "full", "full"]


def test_a_number_out_of_bounds_is_warned_of_in_words() -> None:
    def warned(status: Status) -> list[str]:
        return re.findall(r"⚠ ([^⚠]+?)</span>", the_rendering().section("numbers", status))

    assert warned(a_status()) == []
    ill = a_status(health=a_health(loop_lag_s=0.02, retry_budget=0.1), traffic=a_traffic(own_p99_s=0.0011))
    assert warned(ill) == ["p99 over 1 ms", "nearly used up", "over 10 ms"]
    assert warned(a_status(health=a_health(retry_budget=0.0))) == ["used up"]


def test_only_the_verdict_is_read_out_and_not_its_numbers() -> None:
    spoken = [(tag, attributes["aria-live"]) for tag, attributes in Reading(page_of(a_full_status())).tags if "aria-live" in attributes]
    assert spoken[0] == ("p", "polite")
    assert {value for _, value in spoken[1:]} == {"off"}
    assert '<span aria-live="off">12.3 requests/s</span>' in the_rendering().section("verdict", a_status())
    assert '<span aria-live="off"><time data-until=' in the_rendering().section("verdict", a_status(windows=[a_window()], windows_open=1))


@pytest.mark.parametrize("status", [a_full_status(), an_empty_status()], ids=["full", "empty"])
def test_headings_tables_and_drawings_have_names(status: Status) -> None:
    html = page_of(status)
    tags = Reading(html).tags
    headings = [tag for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert headings == ["h1"] + ["h2"] * len(TITLES)
    assert html.count("<table>") == len(re.findall(r"<table><caption>\s*\S", html))
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in tags if tag == "th")
    assert all(attributes.get("aria-hidden") == "true" or attributes.get("aria-label") for tag, attributes in tags if tag in {"svg", "img"})


def test_nothing_is_loaded_from_elsewhere_and_nothing_stands_inline() -> None:
    tags = Reading(page_of(a_full_status())).tags
    addresses = {value for _, attributes in tags for name, value in attributes.items() if name in {"src", "href", "action", "srcset"} and value}
    elsewhere = {address for address in addresses if not address.startswith(("#", "data:image/svg+xml,"))}
    assert elsewhere == {"page/page.css", "page/page.js", "status.json"}
    assert not [name for _, attributes in tags for name in attributes if name == "style" or name.startswith("on")]
    assert "style" not in {tag for tag, _ in tags}


def test_the_routes_are_a_page_a_stream_and_two_files() -> None:
    assert [route.path for route in page_routes(a_status)] == ["/", "/events", "/page/{file}"]


def test_jinja_is_not_loaded_before_somebody_looks_nor_a_web_library_for_the_sentences() -> None:
    for module, unloaded in (("verdict", "aiohttp"), ("verdict", "jinja2"), ("routes", "jinja2")):
        program = f"import sys, proxy.page.{module}; sys.exit({unloaded!r} in sys.modules)"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
