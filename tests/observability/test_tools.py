"""Who lacks the programs that judge is told so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observability.tools import tool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("NYLAS_PROXY_TEST_REQUIRE_TOOLS", raising=False)
    return monkeypatch


def test_without_the_program_a_test_is_skipped_with_a_reason(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception, match="promtool is not installed"):
        tool("promtool")


def test_where_everything_has_to_be_there_it_fails(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("NYLAS_PROXY_TEST_REQUIRE_TOOLS", "1")
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="promtool is not installed") as told:
        tool("promtool")
    assert told.type is pytest.fail.Exception  # a skip would pass for a test that was not run
