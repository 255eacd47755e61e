"""How long a request may wait: what its caller says, else the setting; never so long that the caller's own time-out ends it unheard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from proxy.core.model import Api, Route
    from proxy.wire.head import RequestHead

_FIELD: Final = b"x-nylas-proxy-patience"
_WEIGHT: Final = 0.1
"""Of the latest attempt in the usual time of its route."""


class PatienceLimits(NamedTuple):
    """What settings say, in seconds.

    Attributes:
        default_s: Where the caller says nothing.
        max_s: The longest that a caller may ask for.
        client_timeout_s: When callers give up by themselves.
    """

    default_s: float
    max_s: float
    client_timeout_s: float


class Patience:
    """Tells how long requests may wait, and learns how long upstream usually takes.

    Attributes:
        limits: What settings say; may be replaced at any time.
    """

    def __init__(self, limits: PatienceLimits) -> None:
        self.limits = limits
        self._usual_s: dict[tuple[Api, str], float] = {}

    def of(self, head: RequestHead, route: Route) -> float:
        """Return how long a request may wait, in seconds."""
        limits = self.limits
        told = head.index.get(_FIELD)
        patience_s = limits.default_s if told is None else _seconds(told, limits.default_s)
        usual_s = self._usual_s.get((route.api, route.name), 0.0)
        return max(0.0, min(patience_s, limits.max_s, limits.client_timeout_s - usual_s))

    def note(self, route: Route, upstream_s: float) -> None:
        """An attempt took so long."""
        key = (route.api, route.name)
        usual_s = self._usual_s.get(key, upstream_s)
        self._usual_s[key] = usual_s + _WEIGHT * (upstream_s - usual_s)


def _seconds(told: bytes, otherwise: float) -> float:
    try:
        seconds = float(told)
    except ValueError:
        return otherwise
    return seconds if 0 <= seconds < math.inf else otherwise
