"""Ask a proxy's admin listener for its status. Whatever may come instead is one sentence, which holds neither the token nor what was answered."""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, Request

from proxy.healthcheck import ready_url
from proxy.settings.fields import printable

if TYPE_CHECKING:
    from proxy.settings import Admin

_PATH: Final = "/status.json"
_DOCUMENT_MAX_BYTES: Final = 16 * 1024 * 1024
_GOOD, _UNAUTHORISED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404


class Whom(NamedTuple):
    """The admin listener to ask.

    Attributes:
        url: Its base, with neither user, query nor anything that a terminal would not print.
        token: Its bearer token; empty sends none.
    """

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Whom(url={self.url!r})"


class Answered(NamedTuple):
    """What a listener answered, not looked at yet."""

    body: bytes


class Unanswered(NamedTuple):
    """Why there is no status.

    Attributes:
        reason: In words that continue the URL: `does not answer (Connection refused)`.
        advice: What to do, as a sentence without its full stop.
    """

    reason: str
    advice: str


def listener_of(admin: Admin) -> Whom:
    """Return the listener of these settings on this machine."""
    return Whom(urljoin(ready_url(admin), "/").rstrip("/"), admin.token)


def listener_at(url: str, token: str) -> Whom:
    """Return the listener that somebody named. A user and a password in the URL are left out: listeners take tokens only."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an IPv6 address
        return Whom(printable(url.rpartition("@")[2]), token)
    path = parts.path.removesuffix(_PATH).rstrip("/")
    return Whom(printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"), token)


def ask(whom: Whom, timeout_s: float) -> Answered | Unanswered:
    """Ask once; each step of it may take `timeout_s`.

    Follows no redirect and uses no proxy of the environment: the token is for this listener only.
    """
    opener = OpenerDirector()
    opener.add_handler(HTTPHandler())
    opener.add_handler(HTTPSHandler())
    # Fields are written as Latin-1; this way the listener reads the UTF-8 that it compares with.
    headers = {"Authorization": f"Bearer {whom.token}".encode().decode("latin-1")} if whom.token else {}
    try:
        request = Request(whom.url + _PATH, headers=headers)  # noqa: S310  the two handlers above are all it has
        with opener.open(request, timeout=timeout_s) as response:
            status, body = response.status, response.read(_DOCUMENT_MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as failed:
        reason = f"does not answer ({_named(getattr(failed, 'reason', failed))})"
        return Unanswered(reason, "see that the proxy runs, or name its admin listener with --admin URL")
    if status != _GOOD:
        return Unanswered(f"answered {status}", _advice(status, sent_token=bool(whom.token)))
    if len(body) > _DOCUMENT_MAX_BYTES:
        return Unanswered(f"answered more than {_DOCUMENT_MAX_BYTES >> 20} MiB", _advice(status, sent_token=False))
    return Answered(body)


def _named(failed: object) -> str:
    """Name what went wrong, never by its own text, which may quote the URL or a header."""
    if isinstance(failed, TimeoutError):
        return "timed out"
    return getattr(failed, "strerror", None) or type(failed).__name__


def _advice(status: int, *, sent_token: bool) -> str:
    if status in {_UNAUTHORISED, _FORBIDDEN}:
        wrong = "it does not take this token" if sent_token else "it wants a token"
        return f"{wrong}; set NYLAS_PROXY__ADMIN__TOKEN, or admin.token in the file of --config, to the admin.token of that proxy"
    if status == _NOT_FOUND:
        return "this is no admin listener of a nylas-proxy, or of an older one; name the right one with --admin URL"
    return "this is not how the admin listener of a nylas-proxy answers; name the right one with --admin URL"
