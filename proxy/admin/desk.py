"""What the admin listener needs of the rest of the proxy: values to show, and somebody who carries out an operator's orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiohttp import web

    from proxy.admin.orders import Closing, Level
    from proxy.core.events import Reloaded
    from proxy.telemetry.status import Status


class Readiness(NamedTuple):
    """Whether the proxy takes requests.

    Attributes:
        state: `degraded` is ready, but the shared ledger is away.
        ledger: Who counts: `local`, `shared`, `local-safe`, `rejoining`.
        why: Why the server was lost, or empty.
    """

    state: Literal["ready", "degraded", "draining", "starting"]
    ledger: str
    why: str


class Closed(NamedTuple):
    """What an operator wanted closed is closed.

    Attributes:
        scope: `grant`, `sends` or `application`.
        grant: Whose it is, as a keyed hash (of the application where it holds that).
        closed_s: For how long it is closed from now on: longer than asked where it was already, since no window is ever shortened.
    """

    scope: str
    grant: str
    closed_s: float


class NotClosed(NamedTuple):
    """Nothing has been closed.

    Attributes:
        why: One sentence for the operator, which does not name the grant.
    """

    why: str


CloseOutcome = Closed | NotClosed


class Operator(Protocol):
    """Carries out what an operator orders, and tells the log of it."""

    async def close_window(self, order: Closing) -> CloseOutcome:
        """Close a scope, or leave it closed for longer."""
        ...

    async def drain(self) -> None:
        """Begin to stop: refuse what is new, finish what is at hand. Returns at once; a second time changes nothing."""
        ...

    async def set_log_level(self, level: Level) -> None:
        """Write lines of this level and above, until the settings are read again."""
        ...

    async def reload(self) -> Reloaded:
        """Read the settings once more; where there are mistakes, the old ones stay."""
        ...


class Desk(NamedTuple):
    """What the admin listener shows, and whom it asks.

    Attributes:
        readiness: Made anew for each question.
        exposition: The metrics in the form that fits an `Accept` field, and its Content-Type.
        status: What the page shows.
        operator: Who carries out orders.
        tell_bug: Learns of failures of this program, each answered 500.
        page: Further routes, served to whoever may see the rest.
        close_page: Awaited before the connections are closed, so that what streams can end.
    """

    readiness: Callable[[], Readiness]
    exposition: Callable[[str], Awaitable[tuple[bytes, str]]]
    status: Callable[[], Status]
    operator: Operator
    tell_bug: Callable[[BaseException], None]
    page: Sequence[web.RouteDef] = ()
    close_page: Callable[[], Awaitable[None]] | None = None
