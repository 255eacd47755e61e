#!/usr/bin/env python3
"""Writes the software bill of materials of the run-time, CycloneDX 1.6 as JSON: `python3 deploy/sbom.py FILE [PYTHON]`.

PYTHON is the interpreter of an environment to describe, for example that of an image; without one it is an environment made here from
`requirements.run.lock`, which holds those packages and nothing else. Uses the standard library alone, like `dev.py`; the tool that writes has an
environment of its own, made from `deploy/sbom.lock`, so that nothing of it reaches the run-time. It validates what it writes.
"""

from __future__ import annotations

import hashlib
import runpy
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / ".venv-sbom"
RUN_TIME = ROOT / ".venv-run"
USAGE = "usage: python3 deploy/sbom.py FILE [PYTHON]"
_MOST_WORDS = 2


def make_run_time(lock: Path) -> Path:
    """Make the environment of the run-time anew, unless it is current; returns its interpreter. CalledProcessError when pip fails."""
    mark = RUN_TIME / ".made-from"
    fingerprint = hashlib.sha256(lock.read_bytes()).hexdigest()
    interpreter = RUN_TIME / "bin" / "python"
    if mark.exists() and mark.read_text() == fingerprint:
        return interpreter
    venv.create(RUN_TIME, clear=True, with_pip=False)  # the tool's pip installs: one in here would stand in the bill
    pip = [str(TOOL / "bin" / "python"), "-m", "pip", "--python", str(interpreter), "--disable-pip-version-check", "--quiet", "--no-input"]
    subprocess.run([*pip, "install", "--root-user-action=ignore", "--require-hashes", "-r", str(lock)], check=True)  # noqa: S603 - words of our own
    mark.write_text(fingerprint)
    return interpreter


def write(file: Path, described: Path | None) -> None:
    """Write the bill of what an interpreter's environment holds, by default the run-time's; CalledProcessError when a tool fails."""
    make_environment = runpy.run_path(str(ROOT / "dev.py"))["make_environment"]
    make_environment(TOOL, ROOT / "deploy" / "sbom.lock", with_project=False)
    interpreter = described or make_run_time(ROOT / "requirements.run.lock")
    tool = [str(TOOL / "bin" / "cyclonedx-py"), "environment", "--pyproject", str(ROOT / "pyproject.toml"), "--sv", "1.6"]
    subprocess.run([*tool, "--output-reproducible", "--validate", "-o", str(file), str(interpreter)], check=True)  # noqa: S603 - words of our own


def main(words: list[str]) -> int:
    """Write what was asked for; returns the exit status."""
    if not 1 <= len(words) <= _MOST_WORDS or words[0].startswith("-"):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    try:
        write(Path(words[0]), Path(words[1]) if len(words) == _MOST_WORDS else None)
    except subprocess.CalledProcessError as failed:
        sys.stderr.write(f"sbom.py: {Path(failed.cmd[0]).name} exited with {failed.returncode}; its message is above\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
