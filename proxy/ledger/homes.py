"""Which application a key belongs to: those of one application stand together on a server that is divided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.core.bounded import forget_oldest

if TYPE_CHECKING:
    from proxy.core.quota import Ask

REMEMBERED_MAX: Final = 100_000


class Homes:
    """Remembers whose keys were asked for last. A key that was forgotten is taken for one of the application that asked last."""

    def __init__(self) -> None:
        self._applications: dict[str, str] = {}
        self._last = ""

    def remember(self, ask: Ask) -> None:
        """Note whose the keys of a request are."""
        self._last = application = ask.application
        known = self._applications
        for key in (*ask.scopes, *(claim.key for claim in ask.claims), *(cap.key for cap in ask.caps)):
            if known.get(key) != application:
                known[key] = application
        forget_oldest(known, REMEMBERED_MAX)

    def note(self, key: str, application: str) -> None:
        """Note whose one key is."""
        self._applications[key] = application

    def of(self, key: str) -> str:
        """Return the application of a limit, a cap or a scope."""
        return self._applications.get(key, self._last)
