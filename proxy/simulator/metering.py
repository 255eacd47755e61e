"""What a call costs at the provider, and the response headers with which v3 tells it.

`Nylas-Provider-Request-Count` comes for Google and Microsoft, `Nylas-Gmail-Quota-Usage` for Gmail alone and only on messages,
threads, drafts, folders and attachments. Units by Google's older table (developers.google.com, Gmail API usage limits) or by that of
2026, in which reading got dearer; a list costs its unit once for each object in it, since Nylas gets each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.simulator.replies import Headers

REQUEST_COUNT = "Nylas-Provider-Request-Count"
GMAIL_UNITS = "Nylas-Gmail-Quota-Usage"
_COUNTING_PROVIDERS = frozenset({"google", "microsoft"})
_FOLDERS = {"list": 1, "find": 1, "create": 5, "update": 5, "delete": 5}
_UNITS: dict[str, dict[str, dict[str, int]]] = {
    "classic": {
        "messages": {"list": 5, "find": 5, "update": 5, "delete": 10, "send": 100},
        "threads": {"list": 10, "find": 10, "update": 5, "delete": 10},
        "drafts": {"list": 5, "find": 5, "create": 10, "update": 15, "delete": 10, "send": 100},
        "folders": _FOLDERS,
        "attachments": {"find": 5, "download": 5},
    },
    "2026": {
        "messages": {"list": 20, "find": 20, "update": 20, "delete": 10, "send": 100},
        "threads": {"list": 40, "find": 40, "update": 40, "delete": 40},
        "drafts": {"list": 20, "find": 20, "create": 10, "update": 15, "delete": 10, "send": 100},
        "folders": _FOLDERS,
        "attachments": {"find": 20, "download": 20},
    },
}
_FANNED_OUT = {"google": frozenset({"messages", "threads", "drafts"}), "microsoft": frozenset({"threads"})}
_MICROSOFT_SEND = 4
"""Draft, upload, send, read back."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What calls cost for the mailboxes of one provider, under a Gmail profile."""

    provider: str
    profile: str = "classic"

    def requests(self, collection: str, action: str, objects: int = 1) -> int:
        """How many calls Nylas makes at the provider."""
        if action == "send" and self.provider == "microsoft":
            return _MICROSOFT_SEND
        return 1 + objects if action == "list" and collection in _FANNED_OUT.get(self.provider, ()) else 1

    def units(self, collection: str, action: str, objects: int = 1) -> int | None:
        """How many Gmail units they cost, None for what has none."""
        units = _UNITS[self.profile].get(collection, {}).get(action)
        return None if units is None or self.provider != "google" else units * max(1, objects)

    def cost(self, collection: str, action: str, objects: int = 1) -> Headers:
        """The header fields for one call that touched so many objects."""
        if self.provider not in _COUNTING_PROVIDERS:
            return ()
        headers: Headers = ((REQUEST_COUNT, str(self.requests(collection, action, objects))),)
        units = self.units(collection, action, objects)
        return headers if units is None else (*headers, (GMAIL_UNITS, str(units)))
