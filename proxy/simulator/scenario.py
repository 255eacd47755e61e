"""Scenario files: ordered rules that say which requests get which cues.

    [[rule]]
    method = "POST"                          # optional: any method
    path = "/v3/grants/*/messages/send"      # optional: any path; `*` also matches slashes; the query does not count
    share = 0.05                             # optional: applies to this share of them, by the dice
    count = 2                                # optional: the rule is spent after so many requests
    corpus = "oas-429-rate-limit-error"      # and the cues, by the names of the request header

The first rule that matches and is not spent decides. A request with cues of its own ignores the scenario. `seed` at the top of the file
throws other dice; the same seed and the same requests give the same answers. `[limits]` is described in `limit_settings`.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from proxy.simulator.cues import ALLOWED, GOOD_BEHAVIOUR, CueMistake, Cues, read_cues
from proxy.simulator.limit_settings import LimitSettings, read_limits

if TYPE_CHECKING:
    from pathlib import Path

_MATCHING = ("method", "path", "share", "count")
_TOP = ("rule", "limits", "seed")


class ScenarioError(ValueError):
    """A scenario file that cannot be used; `mistakes` has one line each, with file and key."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(slots=True)
class Rule:
    """One `[[rule]]`: what it matches, how often it still applies (None: always), its cues, to which share of the requests, and its dice."""

    method: str | None
    path: str
    left: int | None
    cues: Cues
    share: float = 1.0
    dice: random.Random = field(default_factory=random.Random)

    def applies(self, method: str, path: str) -> bool:
        """Tell whether the rule decides for this request."""
        matches = self.left != 0 and self.method in {None, method} and fnmatchcase(path, self.path)
        return matches and (self.share == 1.0 or self.dice.random() < self.share)


class Scenario:
    """The rules in order, how often each was used, and which limits are kept."""

    def __init__(self, rules: list[Rule], limits: LimitSettings | None = None) -> None:
        self._rules = rules
        self.limits = limits or LimitSettings()

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
    mistakes = [f"{file}: unknown key {key!r}; allowed are [[rule]], [limits], seed" for key in content if key not in _TOP]
    tables, seed = content.get("rule", []), content.get("seed", 0)
    if type(seed) is not int:
        mistakes.append(f"{file}: key 'seed' must be a whole number")
    limits = read_limits(content["limits"]) if "limits" in content else LimitSettings()
    if isinstance(limits, list):
        mistakes += [f"{file}: limits: {wrong}" for wrong in limits]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ScenarioError([*mistakes, f"{file}: 'rule' must be written as [[rule]] tables"])
    read = [_read_rule(table, f"{seed}:{number}") for number, table in enumerate(tables, start=1)]
    mistakes += [f"{file}: rule {number}: {wrong}" for number, wrong in enumerate(read, start=1) if isinstance(wrong, str)]
    if mistakes or isinstance(limits, list):
        raise ScenarioError(mistakes)
    return Scenario([rule for rule in read if isinstance(rule, Rule)], limits)


def _read_rule(table: dict[str, Any], seed: str) -> Rule | str:
    method, path, count, share = table.get("method"), table.get("path", "*"), table.get("count"), table.get("share", 1.0)
    if method is not None and (not isinstance(method, str) or not method.isalpha() or not method.isupper()):
        return "key 'method' must be a method in capitals"
    if not isinstance(path, str) or not path.startswith(("/", "*")):
        return "key 'path' must be a pattern that begins with / or *"
    if count is not None and (type(count) is not int or count < 1):
        return "key 'count' must be a whole number from 1"
    if type(share) not in {int, float} or not 0 < share <= 1:
        return "key 'share' must be a number above 0, up to 1"
    cues = _read_rule_cues({key: value for key, value in table.items() if key not in _MATCHING})
    return cues if isinstance(cues, str) else Rule(method, path, count, cues, share, random.Random(seed))  # noqa: S311  (dice, no secret)


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
