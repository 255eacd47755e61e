"""Finds what somebody asks about: by status, name, message, or words; a near miss is answered with what may have been meant.

Case and punctuation do not count: `grant.expired`, `Grant expired` and `GRANT_EXPIRED` are the same question.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.entries import Kind
from proxy.core.model import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxy.core.entries import Entry

FULL_MAX: Final = 4
"""So many entries are told in full; more are told in a line each, unless the question names them exactly."""

SUGGESTIONS_MAX: Final = 3
_LIKE_ENOUGH: Final = 0.7
_RUN_MIN_WORDS: Final = 3
_TELLING_WORD_MIN_CHARS: Final = 12
"""A word so long stands for itself within other text: `mailboxconcurrency`."""

_STATUS: Final = re.compile(r"(?:(?:http|error|status|code) )*([1-9][0-9]{2})(?: (.+))?")


class Finding(NamedTuple):
    """The answer to a question.

    Attributes:
        full: What to tell in full, the best first.
        brief: What else fits, to be told in a line each.
        suggestions: Where nothing fits: what may have been meant, as questions that find something.
    """

    full: tuple[Entry, ...] = ()
    brief: tuple[Entry, ...] = ()
    suggestions: tuple[str, ...] = ()


class _Known(NamedTuple):
    """An entry, and all of it that somebody may have seen, as plain words."""

    entry: Entry
    names: tuple[str, ...]


def look_up(entries: Iterable[Entry], question: str) -> Finding:
    """Return what fits `question`: a status, a name, a message, words, or a status and words; to no words everything fits."""
    asked, apis = _without_api(plain(question))
    known = [_Known(entry, _names(entry)) for entry in entries if entry.api in apis]
    if status := _STATUS.fullmatch(asked):
        return _of_status_and_words(int(status[1]), status[2], known)
    return _of_words(asked, known)


def _of_status_and_words(status: int, words: str | None, known: list[_Known]) -> Finding:
    found = [one for one in known if status in one.entry.all_statuses]
    if not found:
        return Finding(suggestions=_nearest_statuses(status, known))
    of_words = Finding() if words is None else _of_words(words, found)
    return of_words if of_words.full or of_words.brief else _of_status([one.entry for one in found])


def _of_words(asked: str, known: list[_Known]) -> Finding:
    words = frozenset(asked.split())
    if exact := [one.entry for one in known if asked in one.names]:
        return Finding(full=tuple(_in_order(exact)))
    # Each way of fitting is tried on all before the next, looser one.
    ways: tuple[Callable[[list[_Known]], Iterable[_Known]], ...] = (
        lambda all_known: _quoted(asked, all_known),
        lambda all_known: (one for one in all_known if any(f" {asked} " in f" {name} " for name in one.names)),
        lambda all_known: (one for one in all_known if words <= set(" ".join(one.names).split())),
        lambda all_known: (one for one in all_known if words <= set(_all_words(one))),
        lambda all_known: _sharing_words(asked.split(), all_known),
    )
    for way in ways:
        if fitting := [one.entry for one in way(known)]:
            return _finding(fitting)
    return Finding(suggestions=_suggestions(asked, known))


def _without_api(asked: str) -> tuple[str, set[Api | None]]:
    """Take "v2" or "v3" out of a question: what belongs to the other API is not meant."""
    words = asked.split()
    named = {api for api in Api if api in words}
    if len(named) != 1 or len(words) == 1:
        return asked, {None, *Api}
    return " ".join(word for word in words if word not in named), {None, *named}


def plain(text: str) -> str:
    """Return the words of `text`, in lower case, a space between them."""
    return " ".join(re.findall(r"\w+", text.lower().replace("_", " ")))


def _names(entry: Entry) -> tuple[str, ...]:
    return tuple(plain(text) for text in (entry.name, entry.title, entry.says, *entry.phrases) if text)


def _all_words(one: _Known) -> list[str]:
    entry = one.entry
    return plain(" ".join((*one.names, entry.category, entry.meaning, entry.reason, entry.solution))).split()


def _of_status(found: list[Entry]) -> Finding:
    """What a status means first and in full, then the known situations, in full where they are few, then the error types."""
    ordered = _in_order(found)
    situations = sum(entry.kind is Kind.SITUATION for entry in ordered)
    told_in_full = {Kind.STATUS, Kind.RULE} | ({Kind.SITUATION} if situations <= FULL_MAX else set())
    full = tuple(entry for entry in ordered if entry.kind in told_in_full)
    return Finding(full, tuple(entry for entry in ordered if entry not in full)) if full else _finding(ordered)


def _in_order(found: list[Entry]) -> list[Entry]:
    return sorted(found, key=lambda entry: list(Kind).index(entry.kind))


def _finding(found: list[Entry]) -> Finding:
    return Finding(full=tuple(found)) if len(found) <= FULL_MAX else Finding(brief=tuple(found))


def _nearest_statuses(status: int, known: list[_Known]) -> tuple[str, ...]:
    numbers = {number for one in known for number in one.entry.all_statuses}
    return tuple(map(str, sorted(numbers, key=lambda number: (abs(number - status), number))[:SUGGESTIONS_MAX]))


def _quoted(asked: str, known: list[_Known]) -> list[_Known]:
    """Those of which the question quotes most: somebody has pasted a whole message, or a line of a log."""
    lengths = [max((len(name) for name in one.names if _is_telling(name) and f" {name} " in f" {asked} "), default=0) for one in known]
    most = max(lengths, default=0)
    return [one for one, length in zip(known, lengths, strict=True) if length == most > 0]


def _is_telling(name: str) -> bool:
    return " " in name or len(name) >= _TELLING_WORD_MIN_CHARS


def _sharing_words(asked: list[str], known: list[_Known]) -> list[_Known]:
    """Those that share the longest run of words with the question, three at least: a message that was cut short, or stands in a longer one."""
    runs = [max((_longest_run(asked, name.split()) for name in one.names), default=0) for one in known]
    most = max(runs, default=0)
    return [one for one, run in zip(known, runs, strict=True) if run == most >= _RUN_MIN_WORDS]


def _longest_run(one: list[str], two: list[str]) -> int:
    return difflib.SequenceMatcher(None, one, two, autojunk=False).find_longest_match().size


def _suggestions(asked: str, known: list[_Known]) -> tuple[str, ...]:
    names = {name: one.entry.name for one in known for name in one.names}
    close = difflib.get_close_matches(asked, names, n=2 * SUGGESTIONS_MAX, cutoff=_LIKE_ENOUGH)
    # One entry may be close by several of its names.
    return tuple(dict.fromkeys(names[name] for name in close))[:SUGGESTIONS_MAX]
