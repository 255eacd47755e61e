"""Asks Nylas about grants and accounts of which nothing is known: once for each, beside the request that it was met with, with that one's credential.

The call goes the way of all requests, so that it counts like one and meets the same windows; but it never waits in a line, and is never repeated.
When it brings nothing, the mailbox is left alone for a while.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from typing import TYPE_CHECKING, Final

import msgspec

from proxy import __version__
from proxy.core.bounded import forget_oldest
from proxy.core.identify import identify
from proxy.core.model import Api
from proxy.errand import Errand
from proxy.result import Relay
from proxy.wire.body import Body
from proxy.wire.framing import NO_BODY
from proxy.wire.head import RequestHead

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.catalogue import Catalogue
    from proxy.mailboxes import Mailboxes, Stranger
    from proxy.pipeline import Pipeline
    from proxy.telemetry.logs import Log

AT_ONCE_MAX: Final = 4
ANSWER_MAX_BYTES: Final = 65_536
REMEMBERED_MAX: Final = 10_000
AFTER_REFUSAL_S: Final = 600.0
"""Until a mailbox is asked about again that Nylas does not tell about: it is not there, or the credential is not good enough."""
AFTER_FAILURE_S: Final = 60.0
AFTER_NO_ROOM_S: Final = 1.0

_OK: Final = 200
_REFUSALS: Final = frozenset({400, 401, 403, 404, 410})
_PROVIDER: Final = re.compile(r"[a-z0-9_-]{1,32}")
_ASKED_WITH: Final = (
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"nylas-proxy/" + __version__.encode()),
    (b"X-Nylas-Proxy-Patience", b"0"),
    (b"X-Nylas-Proxy-Retry", b"never"),
)


class _Mailbox(msgspec.Struct):
    """What Nylas tells about a grant or an account, as far as it is asked for."""

    provider: str
    id: str = ""
    email: str = ""


class _Answer(msgspec.Struct):
    data: _Mailbox


class Discovery:
    """Looks mailboxes up.

    Args:
        pipeline: The way to Nylas.
        catalogue: The known routes.
        mailboxes: Told what is found.
        log: Told in a line, without a name.
        now_s: The loop's time.
    """

    def __init__(self, pipeline: Pipeline, catalogue: Catalogue, mailboxes: Mailboxes, log: Log, now_s: Callable[[], float]) -> None:
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._mailboxes = mailboxes
        self._log = log
        self._now_s = now_s
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        self._numbers = itertools.count(1)

    def look_up(self, stranger: Stranger) -> None:
        """Begin to ask about a mailbox, unless that is under way, was in vain lately, or too much is: another request of it will come."""
        subject = stranger.subject
        if not stranger.authorization or subject in self._under_way or len(self._under_way) >= AT_ONCE_MAX:
            return
        if self._now_s() >= self._not_before.get(subject, 0.0):
            self._under_way[subject] = asyncio.get_running_loop().create_task(self._ask(stranger))

    async def close(self) -> None:
        """Ask no more."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, stranger: Stranger) -> None:
        errand = self._errand(stranger)
        try:
            status, answer = await self._answer(errand)
        except Exception as bug:  # noqa: BLE001 - nobody else would hear of it
            self._log.bug(bug, errand.context.request_id)
            status, answer = 0, b""
        finally:
            self._pipeline.leave(errand)
            del self._under_way[stranger.subject]
        found = _read(stranger.api, answer) if status == _OK else None
        if found is None:
            wait_s = AFTER_REFUSAL_S if status in _REFUSALS else AFTER_FAILURE_S if errand.attempts else AFTER_NO_ROOM_S
            self._not_before[stranger.subject] = self._now_s() + wait_s
            forget_oldest(self._not_before, REMEMBERED_MAX)
            self._log.event("mailbox.unknown", status=status, again_after_s=wait_s)
            return
        names = [name.encode() for name in (found.id, found.email) if name]
        self._mailboxes.learn(stranger, found.provider, names if stranger.api is Api.V3 else [])
        self._log.event("mailbox.learned", provider=found.provider)

    async def _answer(self, errand: Errand) -> tuple[int, bytes]:
        told = await self._pipeline.run(errand)
        if not isinstance(told, Relay):
            return told.answer.status, b""
        answer, is_cut = await told.response.body.read(ANSWER_MAX_BYTES)
        if is_cut:
            told.response.abandon()
        return told.response.head.status, answer

    def _errand(self, stranger: Stranger) -> Errand:
        target = b"/v3/grants/" + stranger.name if stranger.api is Api.V3 else b"/account"
        fields = ((b"Authorization", stranger.authorization), *_ASKED_WITH)
        head = RequestHead(b"GET", target, is_http_10=False, fields=[(name.lower(), name, value) for name, value in fields])
        head.framing = NO_BODY
        body = Body(_Nowhere())
        body.end([])
        context = identify(self._catalogue, "GET", target, f"discovery-{next(self._numbers):x}")
        return Errand(context, head, body, lambda _interim: None)


class _Nowhere:
    """Where a body comes from that is empty."""

    def hold_body(self) -> None:
        """Nothing to hold."""

    def release_body(self) -> None:
        """Nothing to release."""


def _read(api: Api, answer: bytes) -> _Mailbox | None:
    try:
        found = msgspec.json.decode(answer, type=_Answer).data if api is Api.V3 else msgspec.json.decode(answer, type=_Mailbox)
    except msgspec.MsgspecError:  # of either kind: no JSON, or not what is documented
        return None
    return found if _PROVIDER.fullmatch(found.provider) else None
