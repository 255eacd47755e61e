"""The programs that judge, and where the things are that they judge."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final = ROOT / "config" / "prometheus"
DASHBOARD: Final = ROOT / "config" / "grafana" / "nylas-proxy.json"
RUNBOOK: Final = ROOT / "docs" / "alerts.md"


def tool(name: str) -> str:
    """Where it is; a test that cannot have it is skipped, or fails where everything has to be there."""
    found = shutil.which(name)
    if found:
        return found
    reason = f"{name} is not installed, so that nobody judges this here (Debian: apt-get install --no-install-recommends prometheus)"
    if os.environ.get("NYLAS_PROXY_TEST_REQUIRE_TOOLS"):
        pytest.fail(reason)
    pytest.skip(reason)


def promtool(*words: str, given: bytes = b"") -> str:
    """What it says of something that is in order."""
    judged = subprocess.run([tool("promtool"), *words], input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=RULES, check=False)
    said = judged.stdout.decode()
    assert judged.returncode == 0, said
    return said


def alerts() -> dict[str, str]:
    """Each rule that alerts, as it is written, by its name and severity."""
    written = re.split(r"^ +- (?=alert: |record: )", (RULES / "rules.yml").read_text(), flags=re.MULTILINE)
    return {rule.split(maxsplit=2)[1]: rule for rule in written if rule.startswith("alert: ")}


def paragraphs() -> dict[str, str]:
    """Each paragraph of the run-book, by its heading."""
    _, *parts = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}
