"""A real Prometheus gets data for every expression that somebody could look at, from proxies that are at work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from observability.promql import sides
from observability.stage import set_up
from observability.tools import DASHBOARD, promtool, tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger.conftest import Server

    from observability.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE_S = 40.0  # some five seconds are usual, on a machine that does nothing else
VARIABLES = {"$__rate_interval": "4s", "$job": ".+", "$instance": ".+"}
AS_TEXT, AS_OPENMETRICS = "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, session_server: Server) -> AsyncIterator[Stage]:
    tool("prometheus")
    async with set_up(tmp_path_factory.mktemp("stage"), session_server) as stage:
        assert [await stage.read_settings_again(sidecar) for sidecar in stage.sidecars] == [(422, 200)] * 2
        yield stage


def panel_expressions() -> dict[str, list[str]]:
    """What each panel asks for, with a choice made."""
    panels = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
    return {panel["title"]: [chosen(target["expr"]) for target in panel["targets"]] for panel in panels}


def chosen(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


async def rules(stage: Stage) -> list[dict[str, Any]]:
    groups = (await stage.prometheus.ask("rules"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


async def test_every_panel_gets_data(stage: Stage) -> None:
    asked = {expression: title for title, expressions in panel_expressions().items() for expression in expressions}
    empty = await stage.prometheus.without_data(asked, PATIENCE_S)
    assert {asked[expression]: expression for expression in empty} == {}, stage.load.answers


async def test_every_recorded_series_has_data(stage: Stage) -> None:
    recorded = [name for rule in await rules(stage) if rule["type"] == "recording" for name in (rule["name"], rule["query"])]
    assert len(recorded) == 12
    assert await stage.prometheus.without_data(recorded, PATIENCE_S) == set()


async def test_every_side_of_every_alert_gets_data(stage: Stage) -> None:
    asked = {side: rule["name"] for rule in await rules(stage) if rule["type"] == "alerting" for side in sides(rule["query"])}
    empty = await stage.prometheus.without_data(asked, PATIENCE_S)
    assert {side: asked[side] for side in empty} == {}, stage.load.answers


async def test_prometheus_finds_nothing_wrong_with_rules_and_targets(stage: Stage) -> None:
    assert {rule["name"]: rule["lastError"] for rule in await rules(stage) if rule["health"] != "ok"} == {}
    targets = (await stage.prometheus.ask("targets"))["activeTargets"]
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")] * 2


async def test_a_misspelt_metric_gets_none(stage: Stage) -> None:
    misspelt = chosen('sum(rate(nylas_proxy_requests_totl{job=~"$job"}[$__rate_interval]))')
    assert await stage.prometheus.without_data([misspelt], 0.5) == {misspelt}


async def test_promtool_finds_nothing_wrong_with_what_is_exposed(stage: Stage) -> None:
    for sidecar in stage.sidecars:
        text, form = await stage.exposition(sidecar, AS_TEXT)
        assert form.startswith("text/plain")
        assert promtool("check", "metrics", given=text.encode()) == ""


async def test_what_is_exposed_as_openmetrics_can_be_parsed(stage: Stage) -> None:
    for sidecar in stage.sidecars:
        text, form = await stage.exposition(sidecar, AS_OPENMETRICS)
        assert form.startswith("application/openmetrics-text")
        families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
        assert families["nylas_proxy_requests"].samples
        assert text.endswith("# EOF\n")


async def test_one_series_exists_for_each_set_of_labels(stage: Stage) -> None:
    text, _ = await stage.exposition(stage.sidecars[0], AS_TEXT)
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))
    assert len(series) < 1500
