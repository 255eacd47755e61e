"""Ask a running proxy whether it is ready: for images, probes and scripts that wait for their sidecar."""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.settings import Admin

_ATTEMPT_TIMEOUT_S: Final = 5.0
_PAUSE_S: Final = 0.2
_READY_STATUS: Final = 200
_EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def ready_url(admin: Admin) -> str:
    """Return where the proxy on this machine tells whether it is ready; where it listens on every address, loopback is asked."""
    host = _EVERY_ADDRESS.get(admin.host, admin.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{admin.port}/readyz"


def unreadiness(url: str, timeout_s: float) -> str | None:
    """Return why the proxy at `url` is not ready, or None when it is.

    Follows no redirect and uses no proxy of the environment: another's answer says nothing about this one.
    """
    opener = OpenerDirector()
    opener.add_handler(HTTPHandler())
    opener.add_handler(HTTPSHandler())
    try:
        with opener.open(url, timeout=timeout_s) as response:
            status: int = response.status
    except (OSError, HTTPException, ValueError) as failed:
        reason = getattr(failed, "reason", failed)
        return f"no answer ({getattr(reason, 'strerror', None) or type(reason).__name__}) from {url.partition('://')[2].partition('/')[0].rpartition('@')[2]}"
    return None if status == _READY_STATUS else f"answered {status}"


def await_ready(
    unready: Callable[[float], str | None],
    wait_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Ask until the proxy is ready or `wait_s` are over, at least once; return what `unready` said last.

    Args:
        unready: Asks once, within the seconds that it is given.
        wait_s: For how long to ask; 0 asks once.
        clock: Seconds that only go forward.
        sleep: Pauses for some seconds.
    """
    deadline = clock() + wait_s
    reason = unready(_ATTEMPT_TIMEOUT_S)
    while reason is not None and (left_s := deadline - clock()) > 0:
        sleep(min(_PAUSE_S, left_s))
        reason = unready(max(min(_ATTEMPT_TIMEOUT_S, deadline - clock()), _PAUSE_S))
    return reason
