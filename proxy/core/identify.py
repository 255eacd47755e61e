"""What is asked of whom, from its head alone. Runs for every request, so it allocates little and decides once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.core.model import Api, RequestContext

if TYPE_CHECKING:
    from proxy.core.catalogue import Catalogue

V3_PREFIX: Final = b"/v3/"
GRANTS_PREFIX: Final = b"/v3/grants/"
_GRANT_AT: Final = len(GRANTS_PREFIX)
_V2, _V3 = Api.V2, Api.V3  # a lookup on the enum class costs as much as a step of the trie
OAUTH_MARKS: Final = (b"connect/token", b"connect/revoke")


def collapse_leading_slashes(target: bytes) -> bytes:
    """Reduce several leading slashes to one: SDKs whose base URL ends in a slash send `//v3/...`. The rest stays as sent."""
    if target.startswith(b"//"):
        return b"/" + target.lstrip(b"/")
    return target


def path_of(target: bytes) -> bytes:
    """Return the raw path of a target, without its query."""
    return target.partition(b"?")[0]


def speaks_oauth(context: RequestContext) -> bool:
    """Tell whether errors of this request have the OAuth shape.

    Besides the routes that say so, every path that holds `connect/token` (so also `connect/tokeninfo`) or `connect/revoke`: that is how the
    Python and Node SDKs decide which error class to build, whatever prefix the base URL has.
    """
    if context.route.oauth:
        return True
    path = path_of(context.target)
    return any(mark in path for mark in OAUTH_MARKS)


def identify(catalogue: Catalogue, method: str, target: bytes, request_id: str, *, callers_key: bool = False) -> RequestContext:
    """Return the context of a request.

    Args:
        catalogue: The known routes.
        method: In capitals, from a bounded set of known methods.
        target: Path and query as sent, leading slashes collapsed.
        request_id: Our id for the request.
        callers_key: It carries an Idempotency-Key of its caller.
    """
    path = target.partition(b"?")[0]
    if not path.startswith(V3_PREFIX):
        return RequestContext(method, target, catalogue.match(_V2, method, path), None, request_id, callers_key)
    grant = path[_GRANT_AT:].partition(b"/")[0] if path.startswith(GRANTS_PREFIX) else b""
    return RequestContext(method, target, catalogue.match(_V3, method, path), grant or None, request_id, callers_key)
