"""What a dashboard consists of, and the form that Grafana imports: its classic model, schema version 42 (Grafana 12.2; later ones read it as well).

Panels say what they show, in which unit, and what to look for. Where they stand follows from their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

_SCHEMA_VERSION: Final = 42
_GRID_WIDTH: Final = 24
_STAT_HEIGHT, _GRAPH_HEIGHT = 4, 8
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLOURS: Final = ("green", "orange", "red")


@dataclass(frozen=True, slots=True)
class Query:
    """What Prometheus is asked.

    Attributes:
        expression: PromQL, with Grafana's variables in it.
        legend: How each series is called; Grafana puts labels in for `{{label}}`.
    """

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture.

    Attributes:
        title: What it shows.
        unit: As Grafana names it: `s`, `bytes`, `reqps`, `percentunit`, `short` and so on.
        queries: One or more.
        look_for: What to look for, and what it means.
        kind: `timeseries` shows a course, `stat` the last value.
        limits: From where it is orange, and from where red; where the first is the larger, below instead of from.
        stacked: Series add up to something.
        says: What a `stat` says: the value, or the name of the series.
        words: For values that are better said in words.
        nothing: What no data means; else Grafana says "No data".
        alerts: The alerts that look at the same, for links to the run-book.
        width: Of 24.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    look_for: str
    kind: Literal["timeseries", "stat"] = "timeseries"
    limits: tuple[float, float] | None = None
    stacked: bool = False
    says: Literal["value", "name", "value_and_name"] = "value"
    words: tuple[tuple[float, str], ...] = ()
    nothing: str = ""
    alerts: tuple[str, ...] = ()
    width: int = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A question, and the panels that answer it."""

    question: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice above the panels: label values of a metric.

    Attributes:
        name: As expressions use it.
        label: As it is shown.
        values_of: A query of Grafana's, `label_values(metric, label)`.
    """

    name: str
    label: str
    values_of: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All of it.

    Attributes:
        title: Its name in Grafana.
        uid: Under which Grafana knows it again.
        about: What it is for.
        runbook: Where the paragraphs about alerts are, unless somebody says otherwise above the panels.
        variables: The choices.
        rows: The questions, in the order in which they are asked.
    """

    title: str
    uid: str
    about: str
    runbook: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]


def as_model(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "annotations": {"list": []},
        "description": dashboard.about,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,  # the cross-hair stands in all panels at once
        "id": None,
        "links": [_link("Run-book", "${runbook:raw}")],
        "panels": _placed(dashboard.rows),
        "preload": False,
        "refresh": "30s",
        "schemaVersion": _SCHEMA_VERSION,
        "tags": ["nylas-proxy"],
        "templating": {"list": _variables(dashboard)},
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": dashboard.title,
        "uid": dashboard.uid,
        "version": 1,
        "weekStart": "",
    }


def _placed(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Lay the panels out from left to right, and below each other where a line is full."""
    placed: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        place = {"h": 1, "w": _GRID_WIDTH, "x": 0, "y": y}
        placed.append({"collapsed": False, "gridPos": place, "id": len(placed) + 1, "panels": [], "title": row.question, "type": "row"})
        x, y, line_height = 0, y + 1, 0
        for panel in row.panels:
            height = _STAT_HEIGHT if panel.kind == "stat" else _GRAPH_HEIGHT
            if x + panel.width > _GRID_WIDTH or line_height not in {0, height}:
                x, y, line_height = 0, y + line_height, 0
            placed.append(_panel(panel, len(placed) + 1, {"h": height, "w": panel.width, "x": x, "y": y}))
            x, line_height = x + panel.width, height
        y += line_height
    return placed


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "datasource": _SOURCE,
        "description": panel.look_for,
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "gridPos": place,
        "id": number,
        "links": [_link(f"Run-book: {alert}", f"${{runbook:raw}}#{alert.lower()}") for alert in panel.alerts],
        "options": _stat_options(panel) if panel.kind == "stat" else _graph_options(),
        "targets": [_target(query, chr(ord("A") + at), is_instant=panel.says == "name") for at, query in enumerate(panel.queries)],
        "title": panel.title,
        "type": panel.kind,
    }


def _target(query: Query, name: str, *, is_instant: bool) -> dict[str, Any]:
    when = {"instant": is_instant, "range": not is_instant}
    return {"datasource": _SOURCE, "editorMode": "code", "expr": query.expression, "legendFormat": query.legend, "refId": name, **when}


def _field(panel: Panel) -> dict[str, Any]:
    words = {str(value): {"index": at, "text": text} for at, (value, text) in enumerate(panel.words)}
    field: dict[str, Any] = {
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
        "mappings": [{"options": words, "type": "value"}] if words else [],
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": _steps(panel.limits)},
        "unit": panel.unit,
    }
    if panel.nothing:
        field["noValue"] = panel.nothing
    if panel.kind == "timeseries":
        field["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 25 if panel.stacked else 0,
            "lineWidth": 1,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if panel.limits else "off"},
        }
    return field


def _steps(limits: tuple[float, float] | None) -> list[dict[str, Any]]:
    if limits is None:
        return [{"color": "blue", "value": None}]
    warning, danger = limits
    if warning <= danger:
        return [{"color": colour, "value": value} for colour, value in zip(_COLOURS, (None, warning, danger), strict=True)]
    return [{"color": colour, "value": value} for colour, value in zip(reversed(_COLOURS), (None, danger, warning), strict=True)]


def _stat_options(panel: Panel) -> dict[str, Any]:
    return {
        "colorMode": "none" if panel.says == "name" else "value",
        "graphMode": "none" if panel.says != "value" or panel.words else "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": panel.says,
        "wideLayout": True,
    }


def _graph_options() -> dict[str, Any]:
    legend = {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True}
    return {"legend": legend, "tooltip": {"hideZeros": True, "mode": "multi", "sort": "desc"}}


def _variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    source = {"label": "Data source", "name": "datasource", "query": "prometheus", "refresh": 1, "regex": "", "type": "datasource"}
    chosen = {"selected": True, "text": dashboard.runbook, "value": dashboard.runbook}
    runbook: dict[str, Any] = {"label": "Run-book (address of docs/alerts.md)", "name": "runbook", "query": dashboard.runbook, "type": "textbox"}
    runbook |= {"current": chosen, "options": [chosen]}
    return [source, *(_choice(variable) for variable in dashboard.variables), runbook]


def _choice(variable: Variable) -> dict[str, Any]:
    return {
        "current": {"text": ["All"], "value": ["$__all"]},
        "datasource": _SOURCE,
        "definition": variable.values_of,
        "includeAll": True,
        "label": variable.label,
        "multi": True,
        "name": variable.name,
        "query": {"qryType": 1, "query": variable.values_of, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,  # with the time range: instances that are gone stay to be chosen while they are in it
        "sort": 1,
        "type": "query",
    }


def _link(title: str, url: str) -> dict[str, Any]:
    return {"targetBlank": True, "title": title, "type": "link", "url": url}
