"""What matching a path costs, and that it does not grow with the number of rows: `.venv/bin/python bench/catalogue.py`.

The same paths are matched against 30 rows and against 300 (the catalogue, and rows made up to fill it), turn by turn, so that what else happens
on the machine hits both. Ends by itself after some seconds.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from proxy import facts
from proxy.core.catalogue import Catalogue
from proxy.core.model import Api

if TYPE_CHECKING:
    from collections.abc import Callable

GRANT = "5967ca40-a2d8-4ee0-a0e0-6f18ace39a90"
RESTS = ("messages", "messages/AAMk%2Fb%3D%3D", "events/x", "drafts/x", "messages/schedules", "threads/x", "folders", "attachments/x/download")
PATHS = tuple(f"/v3/grants/{GRANT}/{rest}".encode() for rest in RESTS)
ROUNDS = 200
MATCHES_PER_ROUND = 250


def catalogue_of(count: int) -> Catalogue:
    """Return a catalogue of `count` rows, beginning with those that the paths above need."""
    table = facts.load("routes")
    wanted = [row for row in table["route"] if row["template"].startswith("/v3/grants/{}/")][:30]
    rest = [row for row in table["route"] if row not in wanted]
    made_up = [made_up_row(number) for number in range(max(0, count - len(wanted) - len(rest)))]
    return Catalogue([*wanted, *rest, *made_up][:count], table["families"])


def made_up_row(number: int) -> dict[str, Any]:
    return {"name": f"made_up_{number}", "api": "v3", "methods": ["GET"], "template": f"/v3/grants/{{}}/made-up-{number}/{{}}", "family": "messages"}


def cost_us(match: Callable[[Api, str, bytes], object]) -> float:
    """Return the time of one match, in microseconds."""
    started_at = time.perf_counter()
    for _ in range(MATCHES_PER_ROUND):
        for path in PATHS:
            match(Api.V3, "GET", path)
    return (time.perf_counter() - started_at) / (MATCHES_PER_ROUND * len(PATHS)) * 1e6


def main() -> None:
    few, many = catalogue_of(30), catalogue_of(300)
    assert [few.match(Api.V3, "GET", path).name for path in PATHS] == [many.match(Api.V3, "GET", path).name for path in PATHS]
    pairs = [(cost_us(few.match), cost_us(many.match)) for _ in range(ROUNDS)]
    for label, costs in zip(("30 rows", "300 rows"), zip(*pairs, strict=True), strict=True):
        print(f"{label:>8}: {statistics.median(costs):.2f} us a match (median of {ROUNDS} rounds), best {min(costs):.2f}")
    print(f"   ratio: {statistics.median(many / few for few, many in pairs):.3f}")


if __name__ == "__main__":
    main()
