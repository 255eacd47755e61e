"""Builds admission from the settings: limits, identities, windows, ledger, turnstile."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy import facts
from proxy.admission import Admission, Rules
from proxy.core.claims import Claims
from proxy.core.costs import Costs, Lists
from proxy.core.identity import KEY_MAX_BYTES, Identity
from proxy.core.model import Cause
from proxy.core.throttle import Throttles
from proxy.ledger.journal import load
from proxy.ledger.journal_writer import JournalWriter
from proxy.ledger.local import LocalLedger
from proxy.limit_list import effective_limits
from proxy.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.catalogue import Catalogue
    from proxy.settings import Settings

_KEY_BYTES: Final = 32


class Gate(NamedTuple):
    """Admission, and what keeps it going.

    Attributes:
        admission: Asks for each attempt.
        sweep: To be called every second or so.
        journal: To be flushed before the process ends; None where windows are not kept.
    """

    admission: Admission
    sweep: Callable[[float], None]
    journal: JournalWriter | None


def make_gate(settings: Settings, catalogue: Catalogue, warn: Callable[[str], None]) -> Gate:
    """Return admission with a ledger of this process alone.

    Args:
        settings: All of them.
        catalogue: The known routes.
        warn: Told in a sentence what an operator should look at.
    """
    identity = Identity(_identity_key(settings), applications=settings.limits.application, aliases=settings.providers.aliases)
    limits = effective_limits(settings.limits)
    table, sources = facts.load("limits"), facts.load("sources")
    costs = Costs(table["cost"], catalogue.routes, table["providers"], sources, settings.limits.gmail_profile)
    claims = Claims(limits, costs, Lists(table["lists"]), table["providers"])
    default_s = {Cause(cause): seconds for cause, seconds in settings.windows.default_s.items()}
    throttles = Throttles(facts.load("windows")["window"], sources, default_s)
    rules = Rules(
        identity,
        claims,
        throttles,
        {limit.name: limit.provider for limit in limits},
        asyncio.get_running_loop().time,
        headroom=settings.limits.headroom,
        enforces=settings.limits.mode == "enforce",
    )
    providers: dict[str, str] = {identity.grant(grant.encode()): provider for grant, provider in settings.providers.known.items()}
    ledger, journal = _local_ledger(settings.windows.journal, warn)
    turnstile = Turnstile(ledger, settings.patience.max_waiting)
    admission = Admission(ledger, turnstile, rules, providers)

    def sweep(_now: float) -> None:
        ledger.sweep()
        turnstile.sweep()
        admission.renew()

    return Gate(admission, sweep, journal)


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _local_ledger(name: str, warn: Callable[[str], None]) -> tuple[LocalLedger, JournalWriter | None]:
    if not name:
        return LocalLedger(_now_us), None
    path = Path(name)
    windows, complaint = load(path, time.time(), _now_us())
    if complaint:
        warn(complaint)
    ledger = LocalLedger(_now_us)
    ledger.book.windows.update(windows)
    journal = JournalWriter(path, ledger.book.windows, _now_us, warn)
    ledger.on_windows_changed = journal.note_change
    return ledger, journal


def _identity_key(settings: Settings) -> bytes:
    """Return the key of all hashes: from its file, else one that is made once beside the journal, else one of this process alone."""
    if settings.identity.key_file:
        return Path(settings.identity.key_file).read_bytes().strip()[:KEY_MAX_BYTES]
    if not settings.windows.journal:
        return secrets.token_bytes(_KEY_BYTES)
    path = Path(settings.windows.journal + ".key")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()[:KEY_MAX_BYTES]
    with os.fdopen(descriptor, "wb") as file:
        key = secrets.token_bytes(_KEY_BYTES)
        file.write(key)
    return key
