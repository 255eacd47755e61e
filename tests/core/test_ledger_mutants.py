"""Every mutant of the ledger's arithmetic is killed by the test that it names, and that test passes without it."""

from __future__ import annotations

import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, is_hypothesis_test, seed, settings

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
JUDGED = ("proxy.core.coalescing_log", "proxy.core.window", "proxy.core.book")
DRIVERS = ("ledger_desk", "ledger_scope", "ledger_office")
SEED = 5
EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class Mutant(NamedTuple):
    module: str
    old: str
    new: str
    killed_by: str


MUTANTS = [Mutant(**row) for row in tomllib.loads((HERE / "ledger_mutants.toml").read_text())["mutant"]]


def source_of(name: str) -> str:
    file = import_module(name).__file__
    assert file is not None
    return Path(file).read_text()


def load(name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Execute `source` as the module that every later import of `name` finds."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(source, f"<mutant of {name}>", "exec"), module.__dict__)
    return module


def runnable(test: str, monkeypatch: pytest.MonkeyPatch, mutant: Mutant | None = None) -> Callable[[], None]:
    """Return a test that judges the mutant: everything that knows the mutated module is executed anew, in memory."""
    for name in JUDGED:
        source = source_of(name)
        if mutant and name.endswith(f".{mutant.module}"):
            assert source.count(mutant.old) == 1, f"no longer one place in {name}: {mutant.old!r}"
            source = source.replace(mutant.old, mutant.new)
        load(name, source, monkeypatch)
    file, function = test.split(".")
    for driver in DRIVERS:
        load(f"core.{driver}", (HERE / f"{driver}.py").read_text(), monkeypatch)
    found: Callable[[], None] = getattr(load(f"core.{file}", (HERE / f"{file}.py").read_text(), monkeypatch), function)
    return seed(SEED)(EXAMPLES(found)) if is_hypothesis_test(found) else found


def named(mutant: Mutant) -> str:
    return f"{mutant.module}: {' '.join(mutant.old.split())} -> {' '.join(mutant.new.split())}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
def test_a_mutant_is_killed_by_the_test_that_it_names(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    test = runnable(mutant.killed_by, monkeypatch, mutant)
    with pytest.raises((AssertionError, LookupError, ArithmeticError, RuntimeError, StopIteration)):
        test()


@pytest.mark.parametrize("test", sorted({mutant.killed_by for mutant in MUTANTS}))
def test_a_test_that_kills_passes_without_the_mutant(test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runnable(test, monkeypatch)()
