"""Who may ask what. Nothing here awaits or answers.

With a token, everything but health and readiness wants it: as a bearer token or, so that a browser can ask its user, as the password of Basic.
Orders take the bearer token alone, since a browser adds Basic by itself also to what another site's page makes it send; without a token there
are no orders at all.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.admin.answers import Failure
from proxy.settings.values import is_loopback

if TYPE_CHECKING:
    from proxy.settings import Admin

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""What probes ask for, which know no token."""

READING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""

_BEARER: Final = ("WWW-Authenticate", 'Bearer realm="nylas-proxy admin"')
_BASIC: Final = ("WWW-Authenticate", 'Basic realm="nylas-proxy admin", charset="UTF-8"')
_PORT: Final = re.compile(r":\d*\Z", re.ASCII)
_UNLOCKING: Final = "set admin.token (NYLAS_PROXY__ADMIN__TOKEN) and restart the proxy"


class Asked(NamedTuple):
    """A request, as far as it matters here.

    Attributes:
        method: In capitals.
        path: Decoded, without the query.
        host: The `Host` field, or empty.
        authorization: The bytes of the `Authorization` field, or nothing.
    """

    method: str
    path: str
    host: str
    authorization: bytes


class Access:
    """The rules of one listener."""

    def __init__(self, admin: Admin) -> None:
        self._token = admin.token.encode()
        self._is_local = is_loopback(admin.host)

    def refusal(self, asked: Asked) -> Failure | None:
        """Return why a request is not looked at any further, or None."""
        if self._is_local and _is_foreign(asked.host):
            # The name of a page elsewhere may be made to mean this machine, after which its script could read everything here (DNS rebinding).
            return Failure(403, "this listener is bound to loopback and answers under localhost and IP addresses only, not under other names")
        if not self._token or asked.path in OPEN_PATHS:
            return None
        reads = asked.method in READING
        if self._shows_token(asked.authorization, is_basic_enough=reads):
            return None
        if reads:
            return Failure(401, "send admin.token as a bearer token, or as the password of Basic with any user name", (_BASIC, _BEARER))
        return Failure(401, "send admin.token as a bearer token: Authorization: Bearer TOKEN", (_BEARER,))

    def refusal_of_orders(self) -> Failure | None:
        """Return why nobody can order anything here, or None."""
        return None if self._token else Failure(403, f"orders are off: {_UNLOCKING}, then send it as a bearer token")

    def _shows_token(self, authorization: bytes, *, is_basic_enough: bool) -> bool:
        scheme, _, credentials = authorization.partition(b" ")
        match scheme.lower():
            case b"bearer":
                return hmac.compare_digest(credentials.strip(b" "), self._token)
            case b"basic" if is_basic_enough:
                return hmac.compare_digest(_password(credentials), self._token)
            case _:
                return False


def _password(credentials: bytes) -> bytes:
    """Return what stands behind the user name of Basic (RFC 7617 section 2); nothing where it cannot be read."""
    try:
        return b64decode(credentials.strip(b" "), validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _is_foreign(host: str) -> bool:
    """Tell whether a Host field is a name other than localhost. One that is missing comes from no browser."""
    name = _PORT.sub("", host.strip())
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name.lower() not in {"", "localhost"}
    return False
