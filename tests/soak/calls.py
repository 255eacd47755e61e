"""The traffic: what applications ask, how upstream is to misbehave with it, and when they leave before they have an answer.

Which call comes next is rolled by dice that are given. Every mail has a subject of its own, so that a second copy shows.
"""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

SHARED_GRANTS = 20
MICROSOFT_GRANTS = tuple(f"microsoft-{number}" for number in range(SHARED_GRANTS))
KB = 1024
_READ_CUES = (
    "status=429",
    "status=503; html=1",
    "status=502",
    "status=504; html=1",
    "reset=before_head",
    "reset=in_head",
    "reset=after_head",
    "reset=mid_body",
    "break=mid_body",
    "chunked=1; chunk_delay_s=0.05",
    "delay_s=0.3",
    "keep=0",
    "gzip=1; status=500",
)
_SEND_CUES = (
    "reset=before_head",
    "reset=in_head",
    "status=503; html=1; done=1",
    "status=504; html=1",
    "status=503; html=1",
    "early=1; reset=before_head",
    "delay_s=0.2",
)
_FAULTY = 0.12
_READ_PATHS = ("messages?limit=2", "threads?limit=2", "folders", "calendars", "contacts?limit=3", "messages/nothing-like-it")
_V2_READ_PATHS = ("/messages?limit=2", "/threads?limit=2", "/calendars", "/contacts?limit=3", "/account")


class Call(NamedTuple):
    """One request of an application.

    Attributes:
        method: Its method.
        path: With the query.
        fields: Of its header.
        body: Whole.
        subject: Of the mail that it sends, or empty.
        leaves_after_s: Its client waits no longer than this; None: as long as it takes.
    """

    method: str
    path: str
    fields: dict[str, str]
    body: bytes = b""
    subject: str = ""
    leaves_after_s: float | None = None


class Traffic:
    """Calls without an end.

    Args:
        dice: What comes next.
        fresh_share: Of the calls that concern a grant or an account that was never named before.

    Attributes:
        grants: How many grants and accounts were named so far.
    """

    def __init__(self, dice: random.Random, fresh_share: float) -> None:
        self.grants = SHARED_GRANTS
        self._dice = dice
        self._fresh_share = fresh_share
        self._numbers = itertools.count()
        kinds: tuple[tuple[Callable[[], Call], int], ...] = (
            (self._read, 50), (self._v2_read, 20), (self._send, 4), (self._v2_send, 2), (self._upload, 8), (self._v2_upload, 4), (self._left, 4),
        )  # fmt: skip
        self._kinds, self._weights = [kind for kind, _ in kinds], [weight for _, weight in kinds]

    def next(self) -> Call:
        """Roll the next one."""
        return self._dice.choices(self._kinds, self._weights)[0]()

    def listing(self, grant: str) -> Call:
        """A list of messages of this grant, without any misbehaviour."""
        return Call("GET", f"/v3/grants/{grant}/messages?limit=2", _v3())

    def _read(self) -> Call:
        return Call("GET", f"/v3/grants/{self._grant()}/{self._dice.choice(_READ_PATHS)}", {**_v3(), **self._cue(_READ_CUES)})

    def _v2_read(self) -> Call:
        return Call("GET", self._dice.choice(_V2_READ_PATHS), {**_v2(self._grant()), **self._cue(_READ_CUES)})

    def _left(self) -> Call:
        fields = {**_v3(), "X-Simulator": "delay_s=1.5"}
        return Call("GET", f"/v3/grants/{self._grant()}/messages?limit=2", fields, leaves_after_s=self._dice.uniform(0.001, 0.5))

    def _send(self) -> Call:
        subject = f"mail {next(self._numbers)}"
        key = {"Idempotency-Key": f"key-{subject[5:]}"} if self._dice.random() < 0.5 else {}
        body = b'{"subject": "%s", "to": [{"email": "a@b.c"}]}' % subject.encode()
        fields = {**_v3(), **_json(), **key, **self._cue(_SEND_CUES)}
        return Call("POST", f"/v3/grants/imap-sender-{next(self._numbers) % SHARED_GRANTS}/messages/send", fields, body, subject)

    def _v2_send(self) -> Call:
        subject = f"mail {next(self._numbers)}"
        body = b'{"subject": "%s", "to": [{"email": "a@b.c"}]}' % subject.encode()
        return Call("POST", "/send", {**_v2(f"sender-{next(self._numbers) % SHARED_GRANTS}"), **_json(), **self._cue(_SEND_CUES)}, body, subject)

    def _upload(self) -> Call:
        filling = b"x" * self._dice.randrange(1 * KB, 24 * KB)
        body = b'{"subject": "draft %d", "body": "%s"}' % (next(self._numbers), filling)
        return Call("POST", f"/v3/grants/{self._grant()}/drafts", {**_v3(), **_json(), **self._cue(_SEND_CUES)}, body)

    def _v2_upload(self) -> Call:
        content = b"\r\n".join(
            (
                b"--soak", b'Content-Disposition: form-data; name="file"; filename="a.bin"', b"Content-Type: application/octet-stream", b"",
                b"y" * self._dice.randrange(1 * KB, 24 * KB), b"--soak--", b"",
            )
        )  # fmt: skip
        form = {"Content-Type": "multipart/form-data; boundary=soak"}
        return Call("POST", "/files", {**_v2(self._grant()), **form, **self._cue(_SEND_CUES)}, content)

    def _grant(self) -> str:
        if self._dice.random() < self._fresh_share:
            self.grants += 1
            return f"{self._dice.choice(('imap', 'yahoo', 'microsoft', 'google'))}-fresh-{self.grants}"
        return self._dice.choice(MICROSOFT_GRANTS)

    def _cue(self, cues: tuple[str, ...]) -> dict[str, str]:
        return {"X-Simulator": self._dice.choice(cues)} if self._dice.random() < _FAULTY else {}


def _v3() -> dict[str, str]:
    return {"Authorization": "Bearer nyk_soak"}


def _v2(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode()}


def _json() -> dict[str, str]:
    return {"Content-Type": "application/json"}
