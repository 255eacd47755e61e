"""The response headers with which v3 tells what a call cost at the provider.

`Nylas-Provider-Request-Count` comes for Google and Microsoft, `Nylas-Gmail-Quota-Usage` for Gmail alone and only on messages,
threads, drafts, folders and attachments. Units by Google's older table (developers.google.com, Gmail API usage limits); a list
costs its unit once for each object in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.simulator.replies import Headers

_COUNTING_PROVIDERS = frozenset({"google", "microsoft"})
_UNITS: dict[str, dict[str, int]] = {
    "messages": {"list": 5, "find": 5, "update": 5, "delete": 10, "send": 100},
    "threads": {"list": 10, "find": 10, "update": 5, "delete": 10},
    "drafts": {"list": 5, "find": 5, "create": 10, "update": 15, "delete": 10, "send": 100},
    "folders": {"list": 1, "find": 1, "create": 5, "update": 5, "delete": 5},
    "attachments": {"find": 5, "download": 5},
}
_FANNED_OUT = frozenset({"messages", "threads", "drafts"})


def cost(provider: str, collection: str, action: str, objects: int = 1) -> Headers:
    """The header fields for one call that touched so many objects."""
    if provider not in _COUNTING_PROVIDERS:
        return ()
    requests = 1 + objects if action == "list" and collection in _FANNED_OUT else 1
    headers: Headers = (("Nylas-Provider-Request-Count", str(requests)),)
    units = _UNITS.get(collection, {}).get(action)
    if provider == "google" and units is not None:
        headers += (("Nylas-Gmail-Quota-Usage", str(units * max(1, objects))),)
    return headers
