"""The status page: what the proxy does and who is to blame for what fails, readable without JavaScript and live with it.

`page_routes` is for the admin listener. The terminal shows the sentences of `proxy.page.verdict`, too: importing the package loads no web library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.page.routes import PageRoutes
    from proxy.telemetry.status import Status

__all__ = ["page_routes"]


def page_routes(status: Callable[[], Status]) -> PageRoutes:
    """Return the routes of the page, a list of `web.RouteDef` whose coroutine `close` ends the streams of those who watch.

    Have the application call `close` on shutdown: without that its runner waits for streams that never end.

    Args:
        status: Makes what is shown; asked at most once a second however many watch, and never while nobody does.
    """
    from proxy.page.routes import PageRoutes  # noqa: PLC0415  aiohttp is for the listener alone

    return PageRoutes(status)
