"""Rules of the house that no linter knows: sizes, names, what may not stand in the tree."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "proxy").rglob("*.py"))
LOCK_FOLDERS = (ROOT, ROOT / "tests" / "contract", ROOT / "bench", ROOT / "deploy")
LOCKS = sorted(lock for folder in LOCK_FOLDERS for lock in folder.glob("*.lock") if lock.name != "uv.lock")
FILE_MAX_LINES = 250
FUNCTION_MAX_LINES = 40


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_no_module_is_longer_than_a_reader_can_hold(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= FILE_MAX_LINES


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_no_function_is_longer_than_a_screen(module: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    too_long = {node.name: node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno is not None}
    assert {name: lines for name, lines in too_long.items() if lines > FUNCTION_MAX_LINES} == {}


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_no_module_is_named_after_nothing(module: Path) -> None:
    assert not re.search(r"util|helper|manager|misc|common", module.stem)


@pytest.mark.parametrize("lock", LOCKS, ids=named)
def test_a_lock_file_pins_by_hash_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert str(ROOT) not in text
    pins = re.findall(r"^[a-z0-9._-]+==\S+(?: ; [^\\]+)? \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))


def test_locks_that_name_hosts_stay_out_of_the_tree() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"uv.lock", "pylock*.toml"} <= set(ignored)


def test_the_run_time_lock_is_a_part_of_the_whole_one() -> None:
    run, everything = ((ROOT / name).read_text() for name in ("requirements.run.lock", "requirements.lock"))
    pin = re.compile(r"^([a-z0-9._-]+==[^ ;]+)", re.MULTILINE)
    assert set(pin.findall(run)) <= set(pin.findall(everything))
