"""Writes docs/faults.md from the cases: `python -m faults.page` in the folder of the tests."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from faults import caller_cases, hostile_cases, redis_cases, upstream_cases
from faults.caller import End

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faults.case import Case
    from faults.redis_cases import RedisCase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"

_HEAD = """# What happens when something fails

<!-- Made from the cases in tests/faults by `PYTHONPATH=tests python -m faults.page`; change them, not this page. -->

Each row is a case of `tests/faults`, which is played against a running proxy. After each the proxy is back at its base line: no request in flight
or waiting, no body kept, no place in flight taken, no connection of a client, none busy to upstream, no more open files than before, and no line
`proxy.bug`. Over the whole programme nothing that must not be repeated takes effect twice, and no answer looks complete whose body upstream has
not sent to its end.

*A read* is a `GET`; *a change* a `POST` that must not be repeated once it may have been sent; *a send* a message that got an idempotency key of the
proxy's, under which Nylas knows a repetition. Attempts are requests that come to upstream, with two allowed (`retry.max_attempts`); where the first
alone suffers, the second is answered as ever. What the operator sees is in the access line, beside status, cause and attempts, and what there is
besides.
"""


class Row(NamedTuple):
    """One line of a table."""

    fault: str
    gets: str
    sees: str


OTHERS = {
    "The machine": (
        Row(
            "the disk is full, or the folder of the journal is gone or cannot be written", "answers as ever",
            "`windows.warning` once, until it can be written again",
        ),
        Row(
            "no descriptors are left",
            "whoever is in is served; who comes waits or is hung up on; a call that gets no connection: 502 `upstream_unreachable`, unsent",
            "the warning about open files at the start, and the cause",
        ),
        Row("a clock steps back", "nobody waits for longer than one period, nobody gets through twice", "nothing"),
        Row("a clock steps forth", "windows end and places in flight come back early", "nothing"),
        Row("the wall clock steps between two runs", "windows of the journal close for no longer than they did", "nothing"),
    ),
    "Costs that upstream tells": (
        Row("`Nylas-Gmail-Quota-Usage` is no number", "the estimate stays", "nothing"),
        Row("`Nylas-Gmail-Quota-Usage` is absurdly high", "the mailbox rests for one period, a minute", "`nylas_proxy_gmail_units_total` leaps"),
    ),
    "Names and connections": (
        Row("upstream's name cannot be resolved, has no address, or the resolver hangs", "502 `upstream_unreachable`, unsent", "the cause"),
        Row("the name leads elsewhere", "each new connection asks anew; kept ones stay until they end", "nothing"),
        Row("the first address refuses", "the next one is taken", "nothing"),
        Row("upstream's queue of connections is full", "502 `upstream_unreachable`, unsent, after two attempts", "the cause"),
    ),
    "Signals": (
        Row(
            "SIGTERM or SIGINT in any phase",
            "what upstream works on is finished within `listen.drain_timeout_s`; what waits gets its turn or 503 `shutting_down`; "
            "what is not complete is told or closed",
            "`proxy.draining`, `proxy.stopped`, exit status 0",
        ),
        Row("SIGKILL in any phase", "the connection ends; half an answer never looks whole", "windows of the journal hold on after the restart"),
    ),
}  # fmt: skip


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for title, cases in (
        ("Upstream", upstream_cases.CASES), ("Hostile answers of upstream", hostile_cases.CASES), ("Callers", caller_cases.CASES)
    ):  # fmt: skip
        parts.append(_section(title, _rows(cases)))
    parts.append(_section("Redis", map(_row_of_redis, redis_cases.CASES)))
    parts += [_section(title, rows) for title, rows in OTHERS.items()]
    return "\n".join(parts)


def _section(title: str, rows: Iterable[Row]) -> str:
    table = "".join(f"| {row.fault} | {row.gets} | {row.sees} |\n" for row in rows)
    return f"## {title}\n\n| fault | the caller gets | the operator sees |\n|---|---|---|\n{table}"


def _rows(cases: Sequence[Case]) -> Iterable[Row]:
    for fault, alike in groupby(cases, key=lambda case: case.fault):
        some = list(alike)
        gets = {gets: [case.ask for case in some if _gets(case) == gets] for gets in dict.fromkeys(map(_gets, some))}
        told = "; ".join(f"{', '.join(asks)}: {outcome}" for outcome, asks in gets.items())
        yield Row(fault, told, "; ".join(dict.fromkeys(map(_sees, some))))


def _gets(case: Case) -> str:
    gets = case.gets
    attempts = {0: "unsent", 1: "one attempt"}.get(gets.attempts, f"{gets.attempts} attempts")
    if gets.end is End.NONE:
        return f"nothing, {attempts}"
    cause = f" {' or '.join(f'`{cause}`' for cause in gets.cause.split())}" if gets.cause else ""
    cut = ", broken off so that it cannot be taken for complete" if gets.end is End.CUT else ""
    waits = f", Retry-After of {gets.waits_s[0]} to {gets.waits_s[1]}" if gets.waits_s else ""
    return f"{gets.status}{cause}{cut}{waits}, {attempts}"


def _sees(case: Case) -> str:
    status = f"`status: {case.logged_status}`, " if case.logged_status else ""
    line = f"{status}`ended: {case.ended}`" if case.ended else "no line that names the request"
    return f"{line}; {case.sees}" if case.sees else line


def _row_of_redis(case: RedisCase) -> Row:
    if case.counts == redis_cases.SHARED:
        return Row(case.fault, "answers as ever", "`nylas_proxy_ledger_state` stays `shared`")
    if case.counts == redis_cases.ALONE:
        line = "`ledger.state` says `local-safe`, and why; then `rejoining` and `shared`"
        return Row(case.fault, "answers as ever, by this proxy's part of each limit; 503 `ledger_away` where `redis.on_loss` is `refuse`", line)
    return Row(case.fault, "answers as ever, for a moment perhaps by this proxy's part of each limit", "perhaps `ledger.state`, twice or three times")


if __name__ == "__main__":
    PAGE.write_text(page())
