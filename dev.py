"""Everything a developer runs, from a bare Python: `python3 dev.py demo | test | check | docs | bench | setup | COMMAND ...`.

Uses the standard library alone and makes `.venv` from `requirements.lock` on first use. Any other word is run inside
that environment: `python3 dev.py nylas-proxy serve`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / "bin"
OLDEST_PYTHON = (3, 11)
PURE_TESTS = ("tests/core", "tests/recorded", "tests/telemetry")
LEDGER_TESTS = ("tests/ledger", "tests/threats/test_redis.py", "tests/pipeline/test_journal.py", "--ignore=tests/ledger/test_lua_mutants.py")
USAGE = """\
usage: python3 dev.py VERB [ARGUMENT ...]

  demo     simulator, proxy and the official SDK: what happens without and with the proxy
  test     the test suite (arguments go to pytest)
  check    lint, types, import contracts, coverage of core and ledger
  docs     write the reference pages anew from the data
  bench    the benchmark beside nginx, Envoy and a plain aiohttp proxy
  setup    only make the environment
  COMMAND  anything else runs inside the environment: python3 dev.py nylas-proxy serve"""


def environment_is_current(environment: Path, fingerprint: str) -> bool:
    """Tell whether `environment` was made completely from the files that `fingerprint` stands for."""
    mark = environment / ".made-from"
    return mark.exists() and mark.read_text() == fingerprint


def make_environment(environment: Path, lock: Path, *, with_project: bool) -> None:
    """Make `environment` from a hashed lock file, unless it is current; raises CalledProcessError when pip fails."""
    sources = [lock, ROOT / "pyproject.toml"] if with_project else [lock]
    fingerprint = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    if environment_is_current(environment, fingerprint):
        return
    print(f"dev.py: making {environment.name} from {lock.name}", file=sys.stderr)
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input", "install", "--root-user-action=ignore"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    if with_project:
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    (environment / ".made-from").write_text(fingerprint)


def run(command: list[str]) -> int:
    """Run `command` inside the environment and return its exit status."""
    inside = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}", "VIRTUAL_ENV": str(ENVIRONMENT)}
    inside.pop("PYTHONHOME", None)
    try:
        return subprocess.run(command, cwd=Path.cwd(), env=inside, check=False).returncode
    except FileNotFoundError:
        print(f"dev.py: no command {command[0]!r} in the environment\n\n{USAGE}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def check() -> int:
    """Lint, types, import contracts, sizes, coverage of core and ledger: all are run, the first failure's status is returned."""
    os.chdir(ROOT)
    commands = (
        ["ruff", "check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
        ["pytest", "-q", "tests/test_architecture.py"],
        *(
            ["pytest", "-q", *tests, f"--cov={package}", "--cov-branch", "--cov-fail-under=100", "--cov-report=term:skip-covered"]
            for package, tests in (("proxy.core", PURE_TESTS), ("proxy.ledger", LEDGER_TESTS))
        ),
    )
    statuses = [run(command) for command in commands]
    return next((status for status in statuses if status), 0)


def main(words: list[str]) -> int:
    """Set up, then do what the first word says."""
    if sys.version_info < OLDEST_PYTHON:
        print(f"dev.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if not words or words[0] in {"-h", "--help", "help"}:
        print(USAGE)
        return 0 if words else 2
    verb, *arguments = words
    try:
        make_environment(ENVIRONMENT, ROOT / "requirements.lock", with_project=True)
        if verb == "test":
            for name in ("nylas6", "nylas5"):
                make_environment(ROOT / f".venv-{name}", ROOT / "tests" / "contract" / f"{name}.lock", with_project=False)
            make_environment(ROOT / ".venv-sbom", ROOT / "deploy" / "sbom.lock", with_project=False)
    except subprocess.CalledProcessError as failed:
        print(f"dev.py: setting up failed: pip exited with {failed.returncode}; its message is above", file=sys.stderr)
        return 1
    return carry_out(verb, arguments)


def carry_out(verb: str, arguments: list[str]) -> int:
    """Run what a verb stands for inside the environment; returns its exit status."""
    if verb == "setup":
        return 0
    if verb == "check":
        return check()
    if verb == "test":
        os.chdir(ROOT)
    commands = {"test": ["pytest"], "demo": ["nylas-proxy", "demo"], "bench": ["python", str(ROOT / "bench" / "compare.py")]}
    commands["docs"] = ["python", str(ROOT / "docs" / "generate.py")]
    return run([*commands.get(verb, [verb]), *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
