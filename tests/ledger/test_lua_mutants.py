"""Every mutant of the scripts is killed by the test that it names, and that test passes without it."""

from __future__ import annotations

import inspect
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, is_hypothesis_test, settings
from redis.exceptions import ResponseError

from proxy.ledger import scripts
from proxy.ledger.away import AwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server
    from proxy.ledger.shared import SharedLedger

HERE = Path(__file__).resolve().parent
SOURCES = {name: (scripts._HERE / f"{name}.lua").read_text() for name in ("state", "admit", "correct", "learn")}
EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class Mutant(NamedTuple):
    script: str
    old: str
    new: str
    killed_by: str


MUTANTS = [Mutant(**row) for row in tomllib.loads((HERE / "lua_mutants.toml").read_text())["mutant"]]


async def run(test: str, server: Server, make_shared: Callable[..., SharedLedger], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test, with each of its parameter sets where it has some, each on an empty server."""
    file, function = test.split(".")
    found = getattr(import_module(f"ledger.{file}"), function)
    if is_hypothesis_test(found):
        monkeypatch.setattr(found, "_hypothesis_internal_use_settings", EXAMPLES)  # it has settings, and more cannot be put on top
    for parameters in parameter_sets(found):
        with server.client() as client:
            client.flushall()
        given = {"server": server, "make_shared": make_shared, "monkeypatch": monkeypatch, **parameters}
        outcome = found(**{name: value for name, value in given.items() if name in wanted(found)})
        if inspect.isawaitable(outcome):
            await outcome


def wanted(test: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(test).parameters)


def parameter_sets(test: Callable[..., Any]) -> list[dict[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    return [
        {mark.args[0]: values} if isinstance(mark.args[0], str) else dict(zip(mark.args[0], values, strict=True))
        for mark in marks
        for values in mark.args[1]
    ] or [{}]


def named(mutant: Mutant) -> str:
    return f"{mutant.script}: {' '.join(mutant.old.split())} -> {' '.join(mutant.new.split())}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
async def test_a_mutant_is_killed_by_the_test_that_it_names(
    mutant: Mutant, server: Server, make_shared: Callable[..., SharedLedger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SOURCES[mutant.script].count(mutant.old) == 1, f"no longer one place: {mutant.old!r}"
    for name, source in SOURCES.items():
        (tmp_path / f"{name}.lua").write_text(source.replace(mutant.old, mutant.new) if name == mutant.script else source)
    monkeypatch.setattr(scripts, "_HERE", tmp_path)
    with pytest.raises((AssertionError, ResponseError, AwayError)):
        await run(mutant.killed_by, server, make_shared, monkeypatch)


@pytest.mark.parametrize("test", sorted({mutant.killed_by for mutant in MUTANTS}))
async def test_a_test_that_kills_passes_without_the_mutant(
    test: str, server: Server, make_shared: Callable[..., SharedLedger], monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(test, server, make_shared, monkeypatch)
