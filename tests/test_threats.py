"""Every threat that the threat model names is guarded by a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
BOUNDARY: Final = re.compile(r"^## (\d+\. [^\n]+)\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
GUARDS: Final = re.compile(r"(?:`tests/[\w/]+\.py::test_\w+` ?)+")
HEAD_LINES: Final = 2


class Row(NamedTuple):
    """One threat: what is tried, what holds against it, and the tests that guard it as the page writes them."""

    tried: str
    holds: str
    guards: str


def rows_of(section: str) -> list[Row]:
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in lines[HEAD_LINES:]]


BOUNDARIES: Final = {found[1]: rows_of(found[2]) for found in BOUNDARY.finditer(PAGE)}
ROWS: Final = [pytest.param(row, id=f"{name[:2]} {row.tried}") for name, rows in BOUNDARIES.items() for row in rows]


@cache
def collected_in(file: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The tests of a file as pytest collects them: functions at its top."""
    found = ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else []
    return {each.name: each for each in found if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def missing(guards: str) -> list[str]:
    """Those of the named tests that do not exist, or that are not expected to pass."""
    named = [guard.split("::") for guard in re.findall("`([^`]+)`", guards)]
    return [f"{file}::{test}" for file, test in named if test not in collected_in(ROOT / file) or is_idle(collected_in(ROOT / file)[test])]


def is_idle(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(re.search(r"mark\.(?:xfail|skip)\b", ast.unparse(each)) for each in test.decorator_list)


@pytest.mark.parametrize("row", ROWS)
def test_a_threat_is_guarded_by_tests_that_exist(row: Row) -> None:
    assert row.holds
    assert GUARDS.fullmatch(row.guards)
    assert missing(row.guards) == []


def test_every_boundary_has_its_threats() -> None:
    assert [name.partition(".")[0] for name in BOUNDARIES] == [str(number) for number in range(1, 9)]
    assert {name: len(rows) for name, rows in BOUNDARIES.items() if len(rows) < 5} == {}


@pytest.mark.parametrize(
    "guards",
    [
        "`tests/test_threats.py::test_that_nobody_wrote`",
        "`tests/nowhere.py::test_every_boundary_has_its_threats`",
    ],
    ids=["no such test", "no such file"],
)
def test_a_guard_that_guards_nothing_would_be_found(guards: str) -> None:
    assert len(missing(guards)) == 1


@pytest.mark.parametrize("decorator", ["pytest.mark.xfail(strict=True)", "pytest.mark.skip"])
def test_a_guard_that_is_not_expected_to_pass_would_be_found(decorator: str) -> None:
    (test,) = ast.parse(f"@{decorator}\ndef test(): ...").body
    assert isinstance(test, ast.FunctionDef)
    assert is_idle(test)
