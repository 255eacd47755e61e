"""What a process holds, seen from outside once a second, and how much more of it there is at the end than after the warm-up."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wire.process import ProxyProcess

GROWTH_MAX = 0.05
_READS_WITHIN_S = 10.0
_READING = re.compile(r"^nylas_proxy_(in_flight|queue_depth|buffered_bytes|connections)(\{[^}]*\})? (\S+)$", re.MULTILINE)
_SLACK = {"memory_bytes": 0}
_SLACK_OTHERWISE = 4  # of what comes and goes with requests: a few more or less are no growth


class Sample(NamedTuple):
    """What a proxy holds at a moment.

    Attributes:
        memory_bytes: Resident.
        descriptors: Open files but for connections of clients and to upstream.
        in_flight: Requests.
        queue_depth: Those that wait.
        buffered_bytes: Kept bodies.
        clients: Connections of clients.
        upstream: Connections to upstream.
        leases: Places in flight that are taken, of whom takes most of each cap.
    """

    memory_bytes: int
    descriptors: int
    in_flight: int
    queue_depth: int
    buffered_bytes: int
    clients: int
    upstream: int
    leases: int

    def is_idle(self) -> bool:
        """Nothing is under way."""
        return not (self.in_flight or self.queue_depth or self.buffered_bytes or self.clients or self.leases)


class Growth(NamedTuple):
    """How one quantity went: its floor in the second quarter of a run and in the last one, and the most that was seen.

    The floor is what a tenth of the samples does not exceed: what comes and goes with requests does not raise it, what stays behind does.
    """

    quantity: str
    after_warm_up: int
    at_the_end: int
    most: int

    @property
    def share(self) -> float:
        """Of what there was after the warm-up."""
        return (self.at_the_end - self.after_warm_up) / max(1, self.after_warm_up)

    def is_flat(self, growth_max: float = GROWTH_MAX) -> bool:
        """Tell whether it stayed within the bound, but for a few that come and go."""
        return self.share <= growth_max or self.at_the_end - self.after_warm_up <= _SLACK.get(self.quantity, _SLACK_OTHERWISE)


_COMPARED = tuple(name for name in Sample._fields if name != "buffered_bytes")


def look(proxy: ProxyProcess, admin_url: str) -> Sample:
    """Take a sample; blocks until the proxy has told."""
    descriptors = len(os.listdir(f"/proc/{proxy.pid}/fd"))  # noqa: PTH208 - the fastest look at them
    read = _READING.findall(_get(f"{admin_url}/metrics"))
    single = {name: int(float(value)) for name, labels, value in read if not labels}
    connections = [(labels, int(float(value))) for name, labels, value in read if name == "connections"]
    limits = json.loads(_get(f"{admin_url}/status.json"))["limits"]
    of_clients = sum(count for labels, count in connections if 'side="client"' in labels)
    to_upstream = sum(count for labels, count in connections if 'side="client"' not in labels)
    return Sample(
        memory_bytes=proxy.resident_bytes(),
        descriptors=descriptors - of_clients - to_upstream,
        in_flight=single["in_flight"],
        queue_depth=single["queue_depth"],
        buffered_bytes=single["buffered_bytes"],
        clients=of_clients,
        upstream=to_upstream,
        leases=sum(row["used"] for row in limits if row["unit"] == "in_flight" or row["per_s"] == 0),
    )


def ledger(admin_url: str) -> str:
    """Return who counts: `shared`, `local-safe`, `rejoining`."""
    told: str = json.loads(_get(f"{admin_url}/readyz"))["ledger"]
    return told


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """Compare the second quarter with the last, quantity by quantity. What is kept of bodies says nothing there: it is mostly none."""
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    return [Growth(name, _floor(early, name), _floor(late, name), max(getattr(each, name) for each in samples)) for name in _COMPARED]


def _floor(samples: Sequence[Sample], name: str) -> int:
    held: list[int] = sorted(getattr(each, name) for each in samples)
    return held[len(held) // 10]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=_READS_WITHIN_S) as answer:
        text: str = answer.read().decode()
        return text
