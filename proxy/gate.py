"""Builds admission from the settings: limits, identities, windows, ledger, turnstile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy import known
from proxy.admission import Admission
from proxy.asking import Rules
from proxy.core.events import LedgerAnswered, LedgerChanged
from proxy.core.identity import KEY_MAX_BYTES, KEY_MIN_BYTES, Identity
from proxy.core.limits import Tuning
from proxy.core.model import Cause
from proxy.core.recovery import Care
from proxy.discovery import Discovery
from proxy.entrance import Room
from proxy.ledger.journal import load
from proxy.ledger.journal_writer import JournalWriter
from proxy.ledger.local import LocalLedger, now_us
from proxy.mailboxes import Mailboxes
from proxy.reach import HERE, Reach
from proxy.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.core.catalogue import Catalogue
    from proxy.known import Rulebook
    from proxy.ledger import Ledger
    from proxy.ledger.learned import SharedKnowledge
    from proxy.pipeline import Pipeline
    from proxy.settings import Settings
    from proxy.telemetry.logs import Log
    from proxy.telemetry.observers import Observers

_KEY_BYTES: Final = 32
_FAR: Final = Reach(poll_s=0.1, asks_at_once=16)


class Gate(NamedTuple):
    """Admission, and what keeps it going.

    Attributes:
        admission: Asks for each attempt.
        ledger: Who counts.
        ledger_state: Who that is, in a word.
        turnstile: Who waits.
        mailboxes: Whose provider is known.
        identity: Who is who.
        adopt: To be called with other settings: those that take effect at once, do.
        discover: To be called with the way of all requests: mailboxes that nobody knows are looked up along it, where settings say so.
        sweep: To be called every second or so.
        close: To be awaited when nothing is admitted any more.
    """

    admission: Admission
    ledger: Ledger
    ledger_state: Callable[[], str]
    turnstile: Turnstile
    mailboxes: Mailboxes
    identity: Identity
    adopt: Callable[[Settings], None]
    discover: Callable[[Pipeline], None]
    sweep: Callable[[float], None]
    close: Callable[[], Awaitable[None]]


def make_rulebook(settings: Settings, catalogue: Catalogue) -> Rulebook:
    """Return what admission goes by under the settings.

    Raises:
        ValueError: An override is impossible; the text names it.
    """
    limits = settings.limits
    tuning = Tuning(limits.headroom, limits.reserve, limits.gmail_profile, limits.overrides)
    care = Care(limits.gmail_recovery_s, limits.gmail_recovery_spacing_s, limits.gmail_recovery_list_limit, limits.headroom)
    return known.rulebook(catalogue, tuning, {Cause(cause): seconds for cause, seconds in settings.windows.default_s.items()}, care)


def make_gate(settings: Settings, catalogue: Catalogue, observers: Observers) -> Gate:
    """Return admission, with a ledger of this process alone or the one that the settings name.

    Args:
        settings: All of them.
        catalogue: The known routes.
        observers: Told what happens.
    """
    identity = Identity(_identity_key(settings), applications=settings.limits.application, aliases=settings.providers.aliases)
    now_s = asyncio.get_running_loop().time
    providers = {identity.grant(grant.encode()): provider for grant, provider in settings.providers.known.items()}
    counting = _shared_ledger(settings, observers) if settings.redis.url else _local_ledger(settings.windows.journal, observers.log)
    ledger = counting.ledger
    mailboxes = Mailboxes(identity, providers, counting.others, now_s)
    turnstile = Turnstile(ledger, _room(settings), _FAR if settings.redis.url else HERE)
    admission = Admission(ledger, turnstile, _rules(settings, catalogue, identity, now_s), mailboxes, observers.tell)

    def adopt(other: Settings) -> None:
        rules = _rules(other, catalogue, identity, now_s)  # or nothing at all, where an override is impossible
        turnstile.room = _room(other)
        admission.adopt(rules)

    def sweep(_now: float) -> None:
        ledger.sweep()
        turnstile.sweep()
        admission.renew()

    discoveries: list[Discovery] = []

    def discover(pipeline: Pipeline) -> None:
        if settings.providers.discover:
            discoveries.append(Discovery(pipeline, catalogue, mailboxes, observers.log, now_s))
            mailboxes.look_up = discoveries[-1].look_up

    async def close_all() -> None:
        for discovery in discoveries:
            await discovery.close()
        await counting.close()

    return Gate(admission, ledger, counting.state, turnstile, mailboxes, identity, adopt, discover, sweep, close_all)


def _room(settings: Settings) -> Room:
    return Room(settings.patience.max_waiting, settings.patience.waiting_max_bytes)


def _rules(settings: Settings, catalogue: Catalogue, identity: Identity, now_s: Callable[[], float]) -> Rules:
    limits = settings.limits
    return Rules(identity, make_rulebook(settings, catalogue), now_s, headroom=limits.headroom, enforces=limits.mode == "enforce")


class _Counting(NamedTuple):
    """A ledger, and what goes with it."""

    ledger: Ledger
    state: Callable[[], str]
    others: SharedKnowledge | None
    close: Callable[[], Awaitable[None]]


def _shared_ledger(settings: Settings, observers: Observers) -> _Counting:
    from proxy.ledger.sharing import make_shared_ledger  # noqa: PLC0415  its library takes memory that a proxy alone has better use for

    sharing = make_shared_ledger(settings.redis)
    sharing.ledger.on_state_change = lambda state, why: observers.tell(LedgerChanged(str(state), why))
    sharing.shared.on_answered = lambda seconds: observers.tell(LedgerAnswered(seconds))

    async def warn() -> None:
        if message := await sharing.warning():
            observers.log.warning("settings.warning", message=message)

    warned = asyncio.get_running_loop().create_task(warn())

    async def close() -> None:
        warned.cancel()
        await sharing.close()

    return _Counting(sharing.ledger, lambda: str(sharing.ledger.state), sharing.knowledge, close)


def _local() -> str:
    return "local"


async def _nothing_to_close() -> None:
    """A ledger in memory alone."""


def _local_ledger(name: str, log: Log) -> _Counting:
    if not name:
        return _Counting(LocalLedger(now_us), _local, None, _nothing_to_close)
    path = Path(name)
    windows, complaint = load(path, time.time(), now_us())
    if complaint:
        log.warning("windows.warning", message=complaint)
    ledger = LocalLedger(now_us)
    ledger.book.windows.update(windows)
    journal = JournalWriter(path, ledger.book.windows, now_us, lambda message: log.warning("windows.warning", message=message))
    ledger.on_windows_changed = journal.note_change
    return _Counting(ledger, _local, None, journal.flush)


def _identity_key(settings: Settings) -> bytes:
    """Return the key of all hashes: from its file, else one that is made once beside the journal, else one of this process alone."""
    if settings.identity.key_file:
        return Path(settings.identity.key_file).read_bytes().strip()[:KEY_MAX_BYTES]
    if not settings.windows.journal:
        return secrets.token_bytes(_KEY_BYTES)
    return _made_once(Path(settings.windows.journal + ".key"))


def _made_once(path: Path) -> bytes:
    """Return what the file holds; make it where there is none, whole or not at all."""
    if path.exists() and path.stat().st_size < KEY_MIN_BYTES:
        path.unlink()
    if not path.exists():
        made = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.link(made, path)
        made.unlink()
    return path.read_bytes()[:KEY_MAX_BYTES]
