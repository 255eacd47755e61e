"""What is installed is what was chosen: every lock by hash and from nowhere in particular, and a bill that names all of the run-time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS: Final = (".", "tests/contract", "bench", "deploy")
LOCKS: Final = sorted(file for folder in FOLDERS for file in (ROOT / folder).glob("*.lock") if file.name != "uv.lock")
PIN: Final = re.compile(r"([a-z0-9][a-z0-9._-]*)==([A-Za-z0-9.!+]+)(?: ; ([^\\]+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")
REMARK: Final = re.compile(r"    # via(?: \S+)?(?: \(pyproject\.toml\))?\n|    #   \S+(?: \(pyproject\.toml\))?\n| +# via -r \S+\n")
HEAD: Final = re.compile(r"(?:#.*\n)*")
TOOL: Final = ROOT / ".venv-sbom" / "bin" / "python"
VALIDATE: Final = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
mistake = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read())
sys.exit(0 if mistake is None else f"{mistake!r}")
"""


class Pin(NamedTuple):
    """A package as a lock pins it."""

    name: str
    version: str
    marker: str
    hashes: frozenset[str]


def pins_of(lock: Path) -> list[Pin]:
    """Read a lock to its last byte; AssertionError where a line is neither a pin with hashes nor a remark about who needs it."""
    text = lock.read_text()
    at = HEAD.match(text).end()  # type: ignore[union-attr]  # it also matches nothing
    pins: list[Pin] = []
    while at < len(text):
        line = PIN.match(text, at) or REMARK.match(text, at)
        assert line, f"{lock.name}: {text[at : at + 80]!r}"
        if line.re is PIN:
            pins.append(Pin(line[1], line[2], line[3] or "", frozenset(re.findall("[0-9a-f]{64}", line[4]))))
        at = line.end()
    return pins


RUN: Final = {pin.name: pin for pin in pins_of(ROOT / "requirements.run.lock")}
HERE: Final = {name: pin.version for name, pin in RUN.items() if not pin.marker or Marker(pin.marker).evaluate()}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_line_of_a_lock_is_a_pin_with_hashes_or_says_who_needs_it(lock: Path) -> None:
    pins = pins_of(lock)
    assert pins
    assert len({(pin.name, pin.marker) for pin in pins}) == len(pins)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_lock_names_no_url_and_no_host_and_chooses_no_index(lock: Path) -> None:
    head = HEAD.match(lock.read_text())
    assert head
    for text in (head[0], *(line for line in lock.read_text().splitlines() if line.startswith("    #"))):
        assert not re.search(r"://|@|(?<!no-emit)-index-url|--find-links|--trusted|\.(?:org|com|io|net|dev|cloud)\b", text)


@pytest.mark.parametrize(
    "line",
    ["evil==1.0\n", "evil>=1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n", "evil @ https://evil.example/evil.whl\n", "-e .\n", "--index-url x\n"],
)
def test_a_line_without_a_hash_or_with_a_place_of_its_own_would_be_found(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text((ROOT / "requirements.run.lock").read_text() + line)
    with pytest.raises(AssertionError, match=r"x\.lock: "):
        pins_of(lock)


def test_the_run_time_is_locked_to_the_very_files_that_the_tests_run_on() -> None:
    tested = {pin.name: pin for pin in pins_of(ROOT / "requirements.lock")}
    assert {name: pin for name, pin in RUN.items() if (tested[name].version, tested[name].hashes) != (pin.version, pin.hashes)} == {}


@pytest.mark.parametrize("wanted", PROJECT["project"]["dependencies"])
def test_every_dependency_of_the_run_time_is_locked_to_a_version_that_it_allows(wanted: str) -> None:
    requirement = Requirement(wanted)
    pin = RUN[canonicalize_name(requirement.name)]
    assert pin.version in requirement.specifier
    assert bool(pin.marker) == bool(requirement.marker)


def test_what_builds_the_package_is_pinned_and_locked_too() -> None:
    locked = {(pin.name, pin.version) for pin in pins_of(ROOT / "requirements.lock")}
    assert {tuple(wanted.split("==")) for wanted in PROJECT["build-system"]["requires"]} <= locked


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The software bill of materials, as an image gets it."""
    file = tmp_path_factory.mktemp("bill") / "sbom.json"
    subprocess.run([sys.executable, str(ROOT / "deploy" / "sbom.py"), str(file)], check=True)
    written: dict[str, Any] = json.loads(file.read_text())
    return written


def test_the_bill_names_every_package_of_the_run_time_with_its_version_and_nothing_else(bill: dict[str, Any]) -> None:
    assert {canonicalize_name(one["name"]): one["version"] for one in bill["components"]} == HERE
    assert {one["purl"] for one in bill["components"]} == {f"pkg:pypi/{name}@{version}" for name, version in HERE.items()}


def test_the_bill_names_a_licence_for_every_package(bill: dict[str, Any]) -> None:
    assert [one["name"] for one in bill["components"] if not licences_of(one)] == []


def licences_of(component: dict[str, Any]) -> list[str]:
    named = [told.get("license", {}) | told for told in component.get("licenses", [])]
    return [text for told in named for key in ("id", "name", "expression") if (text := told.get(key))]


def test_the_bill_is_of_this_package_and_every_other_is_needed_by_it(bill: dict[str, Any]) -> None:
    root = bill["metadata"]["component"]
    assert (root["name"], root["version"]) == (PROJECT["project"]["name"], PROJECT["project"]["version"])
    assert licences_of(root) == [PROJECT["project"]["license"]]
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    reached, waiting = set(), [root["bom-ref"]]
    while waiting:
        reached.add(one := waiting.pop())
        waiting += [other for other in needs[one] if other not in reached]
    assert reached == {root["bom-ref"], *(one["bom-ref"] for one in bill["components"])}


def validated(bill: dict[str, Any]) -> int:
    return subprocess.run([str(TOOL), "-c", VALIDATE], input=json.dumps(bill), text=True, capture_output=True, check=False).returncode


def test_the_bill_is_what_its_schema_allows(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert validated(bill) == 0
    assert validated({**bill, "components": [{"name": "a package of no type"}]}) == 1
