"""Alerts fire and stay quiet as written, and whoever is woken finds out what to do."""

from __future__ import annotations

import re

import pytest

from observability.tools import ROOT, RULES, alerts, paragraphs, promtool
from proxy.page.rendering import TITLES
from proxy.settings.fields import FIELDS, SECTIONS

ALERTS = alerts()
CASES = (RULES / "rules_test.yml").read_text()
SOURCES = "".join(file.read_text() for file in (ROOT / "proxy").rglob("*.py"))
EXPECTED = re.findall(r"alertname: (\w+)[,\n]\s*exp_alerts:( \[\])?", CASES)


def test_the_rules_are_in_order() -> None:
    assert f"SUCCESS: {len(ALERTS) + 6} rules found" in promtool("check", "rules", "rules.yml")


def test_the_scrape_example_is_in_order() -> None:
    assert "is valid prometheus config file syntax" in promtool("check", "config", "prometheus.yml")


def test_every_alert_fires_and_stays_quiet_as_written() -> None:
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml")


@pytest.mark.parametrize("name", ALERTS)
def test_there_is_a_case_in_which_an_alert_fires_and_one_in_which_it_stays_quiet(name: str) -> None:
    assert {bool(quiet) for alert, quiet in EXPECTED if alert == name} == {True, False}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert re.findall(r"severity: (\w+)", rule)[0] in {"page", "ticket"}
    assert re.findall(r"^ +(summary|description): \S", rule, re.MULTILINE) == ["summary", "description"]
    assert f"runbook_url: docs/alerts.md#{name.lower()}\n" in rule + "\n"


def test_the_run_book_has_a_paragraph_for_each_alert_and_for_nothing_else() -> None:
    assert list(paragraphs()) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_paragraph_says_what_it_means_how_to_make_sure_what_to_do_and_when_to_leave_it_alone(name: str) -> None:
    paragraph = paragraphs()[name]
    assert re.findall(r"^- \*\*(\w+):\*\* \S", paragraph, re.MULTILINE) == ["Means", "Confirm", "Do", "Ignore"]
    assert re.findall(r"severity: (\w+)", ALERTS[name])[0] == re.findall(r"^\*(\w+),", paragraph, re.MULTILINE)[0]


@pytest.mark.parametrize("name", ALERTS)
def test_a_paragraph_names_settings_and_log_lines_that_there_are(name: str) -> None:
    named = {tuple(word.split(".")) for word in re.findall(r"`([a-z]+\.[a-z_0-9]+)\b", paragraphs()[name])}
    settings = {(section, key) for section, key in named if section in SECTIONS}
    assert settings <= FIELDS.keys()
    assert {event for event in map(".".join, named - settings) if f'"{event}"' not in SOURCES} == set()


def test_the_run_book_names_sections_of_the_page_that_there_are() -> None:
    named = re.findall(r'"([A-Z][a-z ]+)"', "".join(paragraphs().values()))
    assert len(named) > 5
    assert set(named) <= set(TITLES.values())
