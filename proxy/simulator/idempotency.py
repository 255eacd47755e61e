"""`Idempotency-Key` as Nylas keeps it for sends: the first answer, good or bad, is given again for an hour.

Keys belong to the grant. While the first request is under way, the same key is refused; with another payload it is refused always. What Nylas
never answered (a gateway's page, a request that was lost on the way in) leaves no trace. Time is an argument.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.simulator.replies import Reply, Stream, v3_error

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "Idempotency-Key"
REPLAYED = ("Idempotent-Response", "true")
MAX_CHARACTERS = 256
KEPT_S = 3600.0
MAX_ANSWERS = 10_000


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A request that carries a key.

    Attributes:
        scope: The grant.
        key: As sent.
    """

    scope: str
    key: str


@dataclass(frozen=True, slots=True)
class _Kept:
    payload: str
    reply: Reply
    ready_s: float
    ends_s: float


def key_use(method: str, path: str, headers: Mapping[str, str], scope: str) -> KeyUse | None:
    """The use that a request makes of a key, or None for one without, or where Nylas knows no keys."""
    key = headers.get(HEADER)
    takes_keys = method == "POST" and path.startswith("/v3/grants/") and path.endswith("/messages/send")
    return KeyUse(scope, key) if key and takes_keys else None


class Answers:
    """The answers that are kept."""

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._kept: OrderedDict[KeyUse, _Kept] = OrderedDict()

    def knows(self, use: KeyUse, now_s: float) -> bool:
        """Tell whether the key was used before, so that the request will not reach the provider."""
        kept = self._kept.get(use)
        return kept is not None and now_s < kept.ends_s

    def complaint(self, use: KeyUse, payload: str, request_id: str, now_s: float) -> Reply | None:
        """What is wrong with this use, if anything."""
        if len(use.key) > MAX_CHARACTERS:
            text = f"{HEADER} must be {MAX_CHARACTERS} characters or fewer."
            return v3_error(request_id, 400, "api.invalid_idempotency_key", text)
        kept = self._kept.get(use)
        if kept is None or not self.knows(use, now_s):
            return None
        if kept.payload != payload:
            text = f"The {HEADER} was reused with a different request payload. Use a different key, or match the original payload."
            return v3_error(request_id, 409, "api.invalid_idempotent_request", text)
        if now_s < kept.ready_s:
            text = f"A request with the same {HEADER} is currently in progress. Wait a moment and retry with the same key."
            return v3_error(request_id, 409, "api.concurrent_idempotent_request", text)
        return None

    def replay(self, use: KeyUse, now_s: float) -> Reply | None:
        """The answer that was given before; None for a key that is new."""
        return self._kept[use].reply.with_headers(REPLAYED) if self.knows(use, now_s) else None

    def keep(self, use: KeyUse, payload: str, reply: Reply, *, now_s: float, takes_s: float) -> None:
        """Keep the first answer; the request is under way for `takes_s` more, whoever waits for it."""
        if isinstance(reply.body, Stream) or len(use.key) > MAX_CHARACTERS or self.knows(use, now_s):
            return
        ready_s = now_s + takes_s
        self._kept[use] = _Kept(payload, reply, ready_s, ready_s + self._kept_s)
        self._kept.move_to_end(use)
        if len(self._kept) > MAX_ANSWERS:
            self._kept.popitem(last=False)
