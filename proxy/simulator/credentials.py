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
    from collections.abc import Mapping

KEY_PREFIX = "nyk_"
_OPEN_PATHS = OAUTH_PATHS | {"/v3/connect/auth", "/oauth/authorize", "/oauth/token"}
_V2_REFUSAL = Reply(
    401,
    (("Content-Type", "text/plain"), ("WWW-Authenticate", 'Basic realm="API Access Token Required"')),
    b"Could not verify access credential.",
)


def refusal(path: str, headers: Mapping[str, str], request_id: str) -> Reply | None:
    """The 401 of the API that the path belongs to, or None for a call that may go on."""
    if path in _OPEN_PATHS:
        return None
    if not is_v3(path):
        return None if v2_token(headers) else _V2_REFUSAL
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    any_token = path == "/v3/grants/me" or path.startswith("/v3/grants/me/")
    if scheme == "Bearer" and credentials.startswith("" if any_token else KEY_PREFIX) and credentials.strip():
        return None
    return v3_error(request_id, 401, "unauthorized", "Unauthorized")


def v2_token(headers: Mapping[str, str]) -> str:
    """The access token of `Basic base64(token:)` or `Bearer token`, the same for both; empty for what v2 does not take."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        return credentials.strip()
    if scheme != "Basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode("latin-1").rstrip(":")
    except (binascii.Error, ValueError):
        return ""
