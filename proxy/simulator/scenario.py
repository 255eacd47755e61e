"""Scenario files: ordered rules that say which requests get which cues.

    [[rule]]
    method = "POST"                          # optional: any method
    path = "/v3/grants/*/messages/send"      # optional: any path; `*` also matches slashes; the query does not count
    count = 2                                # optional: the rule is spent after so many requests
    corpus = "oas-429-rate-limit-error"      # and the cues, by the names of the request header

The first rule that matches and is not spent decides. A request with cues of its own ignores the scenario.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from proxy.simulator.cues import ALLOWED, GOOD_BEHAVIOUR, CueMistake, Cues, read_cues

if TYPE_CHECKING:
    from pathlib import Path

_MATCHING = ("method", "path", "count")


class ScenarioError(ValueError):
    """A scenario file that cannot be used; `mistakes` has one line each, with file and key."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(slots=True)
class Rule:
    """One `[[rule]]`: what it matches, how often it still applies (None: always), its cues."""

    method: str | None
    path: str
    left: int | None
    cues: Cues

    def applies(self, method: str, path: str) -> bool:
        """Tell whether the rule decides for this request."""
        return self.left != 0 and self.method in {None, method} and fnmatchcase(path, self.path)


class Scenario:
    """The rules in order, and how often each was used."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules

    def cues_for(self, method: str, path: str) -> Cues:
        """The cues for one request, which uses up one application of its rule."""
        for rule in self._rules:
            if rule.applies(method, path):
                if rule.left is not None:
                    rule.left -= 1
                return rule.cues
        return GOOD_BEHAVIOUR


def read_scenario(file: Path) -> Scenario:
    """Read a scenario file; raises ScenarioError with everything that is wrong with it."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as failed:
        raise ScenarioError([f"{file}: cannot be read: {failed.strerror}"]) from failed
    except UnicodeDecodeError as failed:
        raise ScenarioError([f"{file}: is not UTF-8"]) from failed
    except tomllib.TOMLDecodeError as failed:
        raise ScenarioError([f"{file}: is not TOML: {failed}"]) from failed
    mistakes = [f"{file}: unknown key {key!r}; allowed is [[rule]]" for key in content if key != "rule"]
    tables = content.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ScenarioError([*mistakes, f"{file}: 'rule' must be written as [[rule]] tables"])
    read = [_read_rule(table) for table in tables]
    mistakes += [f"{file}: rule {number}: {wrong}" for number, wrong in enumerate(read, start=1) if isinstance(wrong, str)]
    if mistakes:
        raise ScenarioError(mistakes)
    return Scenario([rule for rule in read if isinstance(rule, Rule)])


def _read_rule(table: dict[str, Any]) -> Rule | str:
    method, path, count = table.get("method"), table.get("path", "*"), table.get("count")
    if method is not None and (not isinstance(method, str) or not method.isalpha() or not method.isupper()):
        return "key 'method' must be a method in capitals"
    if not isinstance(path, str) or not path.startswith(("/", "*")):
        return "key 'path' must be a pattern that begins with / or *"
    if count is not None and (type(count) is not int or count < 1):
        return "key 'count' must be a whole number from 1"
    cues = _read_rule_cues({key: value for key, value in table.items() if key not in _MATCHING})
    return cues if isinstance(cues, str) else Rule(method, path, count, cues)


def _read_rule_cues(given: dict[str, Any]) -> Cues | str:
    """Bring TOML's values into the header's spelling, so that there is one set of rules for both."""
    pairs: list[tuple[str, str]] = []
    for key, value in given.items():
        if key not in ALLOWED:
            return f"unknown key {key!r}; allowed are {', '.join((*_MATCHING, *ALLOWED))}"
        if not isinstance(value, (bool, int, float, str)):
            return f"key {key!r} must be a plain value"
        pairs.append((key, str(int(value)) if isinstance(value, bool) else str(value)))
    cues = read_cues(pairs)
    return f"key {cues.key!r}: {cues.text}" if isinstance(cues, CueMistake) else cues
