"""The pages that are made from data are those that the data makes."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from proxy.telemetry.metric_table import METRICS, PREFIX

ROOT = Path(__file__).resolve().parent.parent
GENERATOR: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("name", GENERATOR["PAGES"])
def test_a_reference_page_is_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATOR["PAGES"][name](), "stale: run python3 dev.py docs"


def test_every_setting_is_described() -> None:
    page = GENERATOR["configuration_page"]()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row[0] for row in rows if not all(cell.strip(" |`") for cell in row)] == []


def test_every_metric_and_every_label_is_described() -> None:
    page = GENERATOR["metrics_page"]()
    labels = {label for metric in METRICS for label in metric.labels}
    rows = {line.split(" | ")[0].strip("| `"): line for line in page.splitlines() if line.startswith("| `")}
    assert {PREFIX + metric.name for metric in METRICS} | labels <= rows.keys()
