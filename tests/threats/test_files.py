"""Files that the proxy makes, and files that somebody else has written."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from builders import the_catalogue

from proxy.gate import make_gate
from proxy.ledger.journal import load
from proxy.settings import Settings
from proxy.settings.pacing import Windows
from proxy.telemetry.observers import Observers

if TYPE_CHECKING:
    from pathlib import Path

NOW_S, NOW_US, S = 1_800_000_000.0, 777_000_000_000, 1_000_000
WEEK_US = 7 * 86_400 * S
FOREVER = 10**15


def tampered(**changes: object) -> dict[str, Any]:
    opening = {"wait_us": 8 * S, "cap_us": 60 * S, "growth_percent": 200, "cause": "exchange_throttle", "probes": True}
    row = {"scope": "grant:5b1f", "closes_at_s": NOW_S + 8, "length_us": 8 * S, "reopened_at_s": None, "opening": opening}
    return {"version": 1, "windows": [{**row, **changes}]}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "windows.json"


@pytest.mark.parametrize("length_us", [FOREVER * S, 10**30])
def test_a_journal_of_somebody_elses_closes_nothing_for_longer_than_a_week(journal: Path, length_us: int) -> None:
    journal.write_text(json.dumps(tampered(closes_at_s=NOW_S + FOREVER, length_us=length_us)))
    (window,) = load(journal, NOW_S, NOW_US)[0].values()
    window.advance(NOW_US)
    assert 0 < window.wait_us() <= WEEK_US


async def test_the_key_of_the_hashes_is_for_its_owner_alone_and_stays(journal: Path) -> None:
    key = journal.with_name("windows.json.key")
    kept = set()
    for _ in range(2):
        make_gate(Settings(windows=Windows(journal=str(journal))), the_catalogue(), Observers(Mock()))
        kept.add(key.read_bytes())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [len(one) for one in kept] == [32]
    assert [file for file in journal.parent.iterdir() if file.name.startswith(key.name)] == [key]
