"""docs/admin.md describes what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.admin.access import OPEN_PATHS, Access
from proxy.admin.answers import TYPES
from proxy.admin.endpoints import BODY_MAX_BYTES, BODY_TIMEOUT_S, Endpoints
from proxy.settings import Admin
from proxy.settings.changes import LIVE

if TYPE_CHECKING:
    from admin.rig import Listener

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "admin.md").read_text(encoding="utf-8")


def test_every_error_is_described() -> None:
    rows = PAGE.partition("## Errors")[2]
    assert re.findall(r"^\| (\d{3}) \| `(\w+)` \| .", rows, re.MULTILINE) == [(str(status), kind) for status, kind in TYPES.items()]


async def test_every_endpoint_is_described_with_who_may_ask_it(unlocked: Listener) -> None:
    described = {(method, path): wants for method, path, wants in re.findall(r"^\| `(\w+) (/\S*)` \| .+ \| ([\w ]+) \|$", PAGE, re.MULTILINE)}
    del described["GET", "/"]
    wants = {"POST": "always", "GET": "where there is one"}
    routes = Endpoints(unlocked.desk(), Access(Admin())).routes()
    assert described == {(route.method, route.path): "no" if route.path in OPEN_PATHS else wants[route.method] for route in routes}


@pytest.mark.parametrize("section", ["limits", "patience", "retry"])
def test_sections_that_take_effect_at_once_are_described(section: str) -> None:
    assert f"`[{section}]`" in PAGE


def test_other_settings_that_take_effect_at_once_are_described() -> None:
    others = [f"`{section}.{key}`" for section, key in LIVE if section not in {"limits", "patience", "retry"}]
    assert [name for name in others if name not in PAGE] == []


def test_the_bounds_of_a_body_are_described() -> None:
    assert f"at most {BODY_MAX_BYTES} bytes" in PAGE
    assert f"within {BODY_TIMEOUT_S:g} seconds" in PAGE
