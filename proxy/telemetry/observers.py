"""Tells each event to those who want to know of it, and never lets one of them harm a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.events import Event
    from proxy.telemetry.logs import Log


class Observers:
    """Those who observe.

    Attributes:
        log: What an operator should read, which is no event.
        keeps_steps: Somebody wants to know what requests consisted of.
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.keeps_steps = False
        self._takers: dict[type[Any], tuple[Callable[[Any], None], ...]] = {}

    def add(self, takers: Mapping[type[Any], Callable[[Any], None]]) -> None:
        """Have one more observe: what it does with each kind of event."""
        for kind, take in takers.items():
            self._takers[kind] = (*self._takers.get(kind, ()), take)

    def tell(self, event: Event) -> None:
        """Tell what has happened."""
        for take in self._takers.get(type(event), ()):
            try:
                take(event)
            except Exception as bug:  # noqa: BLE001 - a count that fails must not fail a request
                self.log.bug(bug, "-")
