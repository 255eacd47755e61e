"""The dashboard asks for what there is, says what to look for, and leads to the run-book."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from observability.promql import metrics_in
from observability.tools import DASHBOARD, RULES, RUNBOOK, alerts
from proxy.telemetry.metric_table import METRICS, PREFIX

MODEL: dict[str, Any] = json.loads(DASHBOARD.read_text())
PANELS: dict[str, dict[str, Any]] = {panel["title"]: panel for panel in MODEL["panels"] if panel["type"] != "row"}
OF_THE_PROCESS = {"up", *(f"process_{name}" for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"))}
EXPOSED = {f"{PREFIX}{metric.name}{part}" for metric in METRICS for part in (("_bucket", "_count", "_sum") if metric.buckets else ("",))}
RECORDED = set(re.findall(r"- record: (\S+)", (RULES / "rules.yml").read_text()))


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def test_no_title_stands_twice() -> None:
    assert len(PANELS) == sum(panel["type"] != "row" for panel in MODEL["panels"])


def test_the_questions_come_in_the_order_in_which_an_operator_asks() -> None:
    asked = [panel["title"].partition(" ")[0] for panel in MODEL["panels"] if panel["type"] == "row"]
    assert asked == ["Is", "Who", "What", "What", "What", "Which"]


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_says_what_to_look_for_and_in_which_unit(title: str) -> None:
    panel = PANELS[title]
    assert len(panel["description"].split()) > 4
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_asks_for_metrics_that_there_are_of_the_proxies_that_are_chosen(title: str) -> None:
    for expression in expressions(PANELS[title]):
        assert metrics_in(expression) <= EXPOSED | RECORDED | OF_THE_PROCESS
        assert expression.count("$job") == len(re.findall(r"\{", expression))
        assert all(window == "$__rate_interval" for window in re.findall(r"\[(.*?)\]", expression))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.name))
def test_every_metric_is_looked_at(metric: Any) -> None:
    asked = " ".join(expression for panel in PANELS.values() for expression in expressions(panel)) + (RULES / "rules.yml").read_text()
    assert re.search(rf"\b{PREFIX}{metric.name}\b|\b{PREFIX}{metric.name}_bucket\b", asked)


def test_panels_stand_beside_each_other_and_not_on_each_other() -> None:
    taken = [(x, y) for panel in MODEL["panels"] for x, y in cells(**panel["gridPos"])]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def cells(*, h: int, w: int, x: int, y: int) -> list[tuple[int, int]]:
    return [(x + right, y + down) for right in range(w) for down in range(h)]


def test_every_alert_is_reached_from_a_panel_that_shows_the_same() -> None:
    links = {link["url"].partition("#")[2] for panel in PANELS.values() for link in panel["links"]}
    assert links == {alert.lower() for alert in alerts()}


def test_the_run_book_names_panels_that_there_are() -> None:
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", RUNBOOK.read_text()))
    assert len(named) > 15
    assert named <= PANELS.keys()


def test_data_source_and_proxies_are_chosen_above_the_panels() -> None:
    assert [variable["name"] for variable in MODEL["templating"]["list"]] == ["datasource", "job", "instance", "runbook"]
    sources = [asks["datasource"]["uid"] for panel in PANELS.values() for asks in (panel, *panel["targets"])]
    assert set(sources) == {"${datasource}"}
