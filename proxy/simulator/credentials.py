"""Who may ask: v3 takes any API key or token that begins with `nyk_`, v2 any Basic or Bearer credentials that are not empty.

`/v3/grants/me` takes any Bearer token, since access tokens have no fixed form. The OAuth and hosted-auth endpoints take their
credentials elsewhere or not at all.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from proxy.simulator.replies import OAUTH_PATHS, Reply, is_v3, v3_error

if TYPE_CHECKING:
    from proxy.simulator.call import Call

KEY_PREFIX = "nyk_"
_OPEN_PATHS = OAUTH_PATHS | {"/v3/connect/auth", "/oauth/authorize", "/oauth/token"}
_V2_REFUSAL = Reply(
    401,
    (("Content-Type", "text/plain"), ("WWW-Authenticate", 'Basic realm="API Access Token Required"')),
    b"Could not verify access credential.",
)


def refusal(call: Call) -> Reply | None:
    """The 401 of the API that the path belongs to, or None for a call that may go on."""
    if call.path in _OPEN_PATHS:
        return None
    scheme, _, credentials = call.headers.get("Authorization", "").partition(" ")
    if not is_v3(call.path):
        return None if _v2_accepts(scheme, credentials) else _V2_REFUSAL
    any_token = call.path == "/v3/grants/me" or call.path.startswith("/v3/grants/me/")
    if scheme == "Bearer" and credentials.startswith("" if any_token else KEY_PREFIX) and credentials.strip():
        return None
    return v3_error(call.request_id, 401, "unauthorized", "Unauthorized")


def _v2_accepts(scheme: str, credentials: str) -> bool:
    """Tell whether v2 takes the credentials: `Basic base64(token:)` or `Bearer token`."""
    if scheme != "Basic":
        return scheme == "Bearer" and bool(credentials.strip())
    try:
        return base64.b64decode(credentials, validate=True).rstrip(b":") != b""
    except (binascii.Error, ValueError):
        return False
