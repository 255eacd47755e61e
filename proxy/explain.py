"""`nylas-proxy explain`: what an error or event means, what leads to it, what to do, and what the proxy does about it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any, Final

from proxy import facts, known
from proxy.core.entries import NO_STATUS, Kind
from proxy.core.lookup import Finding, look_up, plain
from proxy.core.normalise import MAY_HAVE_HAPPENED, OUTCOME_UNKNOWN
from proxy.core.pasted import entries_for_pasted, looks_pasted
from proxy.explain_limit import limit_named, limit_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.entries import Entry, Said
    from proxy.core.handbook import Handbook

KINDS: Final = {
    Kind.STATUS: "status",
    Kind.RULE: "rule",
    Kind.SITUATION: "situation",
    Kind.TYPE: "type",
    Kind.SYNC_EVENT: "mail-sync event",
    Kind.CAUSE: "cause, as the proxy names it",
}
_LIMIT_NAME: Final = r"[a-z0-9]+(_[a-z0-9]+)+"
_WIDTH_MAX: Final = 110
_INDENT: Final = 12
_SHOWN_MAX_CHARS: Final = 60
_INPUT_MAX_BYTES: Final = 1024 * 1024


def run(words: list[str], *, as_json: bool) -> int:
    """Print what is known about `words`, or about what stands on standard input; without either, all in a line each. Returns the exit status."""
    question = os.fsencode(" ".join(words)).decode("utf-8", "replace")
    if sys.stdin is not None and (words == ["-"] or not (words or sys.stdin.isatty())):
        question = sys.stdin.buffer.read(_INPUT_MAX_BYTES).decode("utf-8-sig", "replace")
    if re.fullmatch(_LIMIT_NAME, question) and (limit := limit_named(question)) is not None:
        parts = dict(limit_parts(limit, facts.load("sources")))
        print(json.dumps({"question": question, "limit": parts}, indent=2) if as_json else "\n".join([limit.name, *_labelled(parts, _width()), ""]))
        return 0
    handbook = known.handbook()
    finding = find(question, handbook)
    lines = [json.dumps(as_object(question, finding, handbook), indent=2)] if as_json else _told(finding, handbook)
    print(*lines, sep="\n", end="\n" if as_json or finding.full or finding.brief else "")
    if finding.full or finding.brief:
        return 0
    print(_miss(question, finding), file=sys.stderr)
    return 1


def find(question: str, handbook: Handbook) -> Finding:
    """Return what is known about `question`: words, or a whole error, with or without its head."""
    if looks_pasted(question) and (found := entries_for_pasted(question, handbook, known.classifier(), now=time.time())):
        return Finding(found)
    return look_up(handbook.entries, question) if plain(question) or not question.strip() else Finding()


def as_object(question: str, finding: Finding, handbook: Handbook) -> dict[str, Any]:
    """Return the answer as a JSON object, for tools."""
    return {
        "question": question,
        "entries": [entry_object(entry, handbook) for entry in (*finding.full, *finding.brief)],
        "suggestions": list(finding.suggestions),
    }


def entry_object(entry: Entry, handbook: Handbook) -> dict[str, Any]:
    """Return one entry as a JSON object."""
    cause = entry.cause
    return {
        "kind": str(entry.kind),
        "name": entry.name,
        "api": entry.api and str(entry.api),
        "title": entry.title or None,
        "category": entry.category or None,
        "statuses": list(entry.statuses),
        "sources": [{"source": said.source, "statuses": list(said.statuses)} for said in entry.said],
        "says": entry.says or None,
        "meaning": entry.meaning,
        "cause": entry.reason,
        "solution": entry.solution,
        "proxy": {
            "cause": cause and str(cause),
            "retryable": handbook.retryable(entry) if cause else None,
            "may_have_happened": cause in OUTCOME_UNKNOWN if cause else None,
            "handling": handbook.handling(entry),
        },
    }


def _told(finding: Finding, handbook: Handbook) -> Iterator[str]:
    width = _width()
    sources = facts.load("sources")
    for entry in finding.full:
        yield from (*_full(entry, handbook, sources, width), "")
    if finding.full and finding.brief:
        yield "See also"
    for entry in finding.brief:
        yield textwrap.shorten(f"{entry.name} ({origin_of(entry)}): {entry.says or entry.title or entry.meaning}", width, placeholder=" ...")


def _full(entry: Entry, handbook: Handbook, sources: dict[str, str], width: int) -> Iterator[str]:
    yield f"{entry.title} ({entry.name})" if entry.title else entry.name
    handling = handbook.handling(entry)
    parts = {
        "Is": origin_of(entry),
        "Says": entry.says,
        "Meaning": entry.meaning,
        "Cause": entry.reason,
        "Solution": entry.solution,
        "Retry": _retry(entry, handbook),
        "Proxy": f"{entry.cause}: {handling}" if entry.cause else handling,
        "Source": "; ".join(f"{sources[said.source]}{_differing(said, entry)}" for said in entry.said),
    }
    yield from _labelled(parts, width)


def _width() -> int:
    return min(shutil.get_terminal_size((_WIDTH_MAX, 0)).columns, _WIDTH_MAX)


def _labelled(parts: dict[str, str], width: int) -> Iterator[str]:
    for label, text in parts.items():
        if text:
            yield textwrap.fill(text, width, initial_indent=f"  {label:<{_INDENT - 2}}", subsequent_indent=" " * _INDENT)


def _retry(entry: Entry, handbook: Handbook) -> str:
    if entry.cause is None:
        return ""
    if not handbook.retryable(entry):
        return "No: the same request will fail again."
    if entry.cause in OUTCOME_UNKNOWN:
        return f"Yes, if it only reads. A send or other change: {MAY_HAVE_HAPPENED}"
    return "Yes, after a wait."


def origin_of(entry: Entry) -> str:
    """Return where the entry belongs, in a few words: "v3 type, HTTP 401"."""
    api = f"{entry.api} " if entry.api else ""
    numbers = entry.statuses if entry.kind is not Kind.STATUS else ()
    return f"{api}{KINDS[entry.kind]}" + (f", HTTP {' or '.join(map(str, numbers))}" if numbers else "")


def _differing(said: Said, entry: Entry) -> str:
    """What this source says of the status where the sources disagree."""
    if len({frozenset(one.statuses) for one in entry.said}) == 1:
        return ""
    return f" (HTTP {' or '.join(map(str, said.statuses))})" if said.statuses else f" (HTTP {NO_STATUS})"


def _miss(question: str, finding: Finding) -> str:
    line = " ".join(question.split())
    shown = line if len(line) <= _SHOWN_MAX_CHARS else f"{line[:_SHOWN_MAX_CHARS]}..."
    suggested = f"; did you mean {' or '.join(map(repr, finding.suggestions))}?" if finding.suggestions else "."
    return f"nylas-proxy explain: nothing is known about {shown!r}{suggested} Without words it lists all that it knows."
