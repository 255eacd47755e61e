"""What is told about a limit that is asked for by its name, as errors of the proxy name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args, get_type_hints

from proxy import known
from proxy.core.limits import Tuning
from proxy.core.recovery import Care
from proxy.limit_list import promise
from proxy.settings import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.quota import Limit


def limit_named(name: str) -> Limit | None:
    """Return the published limit of that name, of whichever generation of Gmail's quotas; None where there is none."""
    operations = known.catalogue()
    profiles = get_args(get_type_hints(Limits)["gmail_profile"])
    books = (known.rulebook(operations, Tuning(profile=profile), {}, Care()) for profile in profiles)
    return next((limit for book in books for limit in book.limits if limit.name == name), None)


def limit_parts(limit: Limit, sources: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what to tell, each part with its label."""
    yield "Is", "limit, as the proxy keeps it and names it where a request would go over it"
    yield "Limit", promise(limit)
    yield "Solution", "Wait as long as Retry-After says, or allow longer waits by X-Nylas-Proxy-Patience. Your own numbers go to limits.overrides."
    yield "Proxy", "Counts requests before they leave and lets them wait their turn; check-config prints the limits in force."
    yield "Source", sources[limit.source]
