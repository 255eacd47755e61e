"""What an operator can have done while the proxy runs: settings read once more, a mailbox closed, the log's level, the end. Each is logged."""

from __future__ import annotations

import asyncio
import time
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from proxy.admin import Closed, CloseGrant, NotClosed
from proxy.core.events import Reloaded
from proxy.parts import renewed_tls
from proxy.settings import Loaded, SettingsError
from proxy.settings.changes import LIVE, changes, merged
from proxy.settings.fields import FIELDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from proxy.admin import CloseOutcome, Closing
    from proxy.sidecar import Sidecar
    from proxy.systemd import Notifier

_US_PER_S: Final = 1_000_000
_TLS_FILES: Final = attrgetter("listen.tls_certificate", "listen.tls_key", "listen.client_ca_file")


class Operator:
    """Carries it out.

    Args:
        sidecar: The running parts.
        reread: Reads the settings once more; raises SettingsError where something is wrong.
        stop: Begins the end.
        systemd: Told of a reload.
    """

    def __init__(self, sidecar: Sidecar, reread: Callable[[], Loaded], stop: Callable[[], None], systemd: Notifier) -> None:
        self._sidecar = sidecar
        self._reread = reread
        self._stop = stop
        self._systemd = systemd
        self._one_at_a_time = asyncio.Lock()
        self._reloading: set[asyncio.Task[Reloaded]] = set()

    def reload_now(self) -> None:
        """Read the settings once more, beside everything else: what SIGHUP means."""
        task = asyncio.get_running_loop().create_task(self.reload())
        self._reloading.add(task)  # the loop alone would let it be collected
        task.add_done_callback(self._reloading.discard)

    async def reload(self) -> Reloaded:
        """Read the settings and the files of TLS once more. What takes effect at once, does; with a mistake in them all stays as it was."""
        async with self._one_at_a_time:  # else an older reading could come in later than a newer one
            self._systemd.reloading(int(time.monotonic() * _US_PER_S))
            try:
                reloaded = await self._reload()
            finally:
                self._systemd.reloaded()
            self._sidecar.observers.tell(reloaded)
        return reloaded

    async def _reload(self) -> Reloaded:
        before = self._sidecar.loaded
        tls = await asyncio.to_thread(renewed_tls, before.settings.listen)
        try:
            read = await asyncio.to_thread(self._reread)
        except SettingsError as wrong:
            return Reloaded(((tls, *wrong.mistakes) if isinstance(tls, str) else tuple(wrong.mistakes)), (), ())
        if _TLS_FILES(read.settings) != _TLS_FILES(before.settings):
            tls = None  # other files wait for a restart, and those in force may be gone by now
        if isinstance(tls, str):
            return Reloaded((tls,), (), ())
        return self._adopted(before, read, tls)

    def _adopted(self, before: Loaded, read: Loaded, tls: ssl.SSLContext | None) -> Reloaded:
        """Go by what was read, as far as it takes effect at once."""
        settings = merged(before.settings, read.settings)
        sources = {name: source for name in FIELDS if (source := (read if name in LIVE else before).sources.get(name))}
        differing = changes(before.settings, read.settings)
        try:
            self._sidecar.adopt(Loaded(settings, sources))
        except ValueError as wrong:  # of an override that no limit can have
            return Reloaded((str(wrong),), (), ())
        if tls is not None:
            self._sidecar.renew_tls(tls)
        return Reloaded((), differing.applied, differing.at_restart)

    async def close_window(self, order: Closing) -> CloseOutcome:
        """Close a mailbox, its sends or the application, or leave it closed for longer."""
        of = self._whose(order)
        if isinstance(of, NotClosed):
            return of
        application, subject = of
        closed_s = await self._sidecar.close_window(f"{order.scope}:{subject}", order.seconds, application)
        self._sidecar.log.warning("operator.window", scope=order.scope, grant=subject, seconds=order.seconds, closed_s=round(closed_s, 3))
        return Closed(order.scope, subject, closed_s)

    def _whose(self, order: Closing) -> tuple[str, str] | NotClosed:
        """Return the application and the subject that an order means, both as hashes; of a grant's application nothing where there may be several."""
        identity = self._sidecar.gate.identity
        sole = identity.sole_application
        if isinstance(order, CloseGrant):
            subject = order.grant_hash or identity.grant(order.grant.encode())
            if sole is None and self._sidecar.loaded.settings.redis.url:
                return NotClosed('limits.application is not "single": nobody knows in which application of the shared ledger the grant is')
            return (sole, identity.resolved(sole, subject)) if sole is not None else ("", subject)
        application = order.application.lower() or sole
        if application is None:
            return NotClosed('limits.application is not "single": say which application, by its hash as the status page shows it')
        return application, application

    async def drain(self) -> None:
        """Take no new request, finish those at hand, and end."""
        self._sidecar.log.event("operator.drain")
        self._stop()

    async def set_log_level(self, level: str) -> None:
        """Write log lines from this level on, until the settings are read once more."""
        self._sidecar.log.set_level(level)
        self._sidecar.log.warning("operator.log_level", to=level)
