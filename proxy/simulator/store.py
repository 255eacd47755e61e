"""The simulated mailboxes: a few seeded objects each, changed by what clients do, gone when the process ends.

Ids and times are counted, not rolled or read from a clock, so that the same calls give the same answers.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.simulator.arrivals import Arrivals, Deliveries
from proxy.simulator.deltas import DeltaLog
from proxy.simulator.gate import Gate
from proxy.simulator.idempotency import KEPT_S, Answers
from proxy.simulator.metering import Meter
from proxy.simulator.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.simulator.replies import Json

MAX_OBJECTS = 10_000
MAX_MAILBOXES = 1_000
FIRST_TIME = 1_790_000_000
"""Unix time of the first thing that happens, in seconds (September 2026)."""

MAX_FILE_BYTES_IN_ALL = 128_000_000
PROVIDERS = ("google", "microsoft", "ews", "eas", "imap", "icloud", "yahoo", "nylas")
UNKNOWN_GRANT = "missing"
"""Grant ids that begin so do not exist; every other id gets a mailbox when it is first used."""

_SEEDS = Path(__file__).with_name("seeds.json")


@cache
def _written_seeds() -> dict[str, str]:
    """The sections of the seed file, as JSON text: each reading of it is a copy of its own."""
    return {name: json.dumps(section) for name, section in json.loads(_SEEDS.read_bytes()).items()}


class Collection:
    """Objects of one kind in the order of their creation; the oldest go when there are too many."""

    def __init__(self, objects: Iterable[Json] = ()) -> None:
        self._objects: OrderedDict[str, Json] = OrderedDict((item["id"], item) for item in objects)

    def __iter__(self) -> Iterator[Json]:
        return iter(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    def find(self, object_id: object) -> Json | None:
        """The object, or None."""
        return self._objects.get(object_id) if isinstance(object_id, str) else None

    def add(self, item: Json) -> None:
        """Keep a new object under its `id`."""
        self._objects[item["id"]] = item
        if len(self._objects) > MAX_OBJECTS:
            self._objects.popitem(last=False)

    def remove(self, object_id: str) -> Json | None:
        """Drop an object and return it, or None when there is none."""
        return self._objects.pop(object_id, None)


def _seeded(section: str, grant: str = "") -> dict[str, Collection]:
    written = _written_seeds()[section].replace("$GRANT", json.dumps(grant)[1:-1])
    return {name: Collection(items) for name, items in json.loads(written).items()}


class Mailbox:
    """A v3 grant with its objects."""

    def __init__(self, grant: Json, gmail_profile: str) -> None:
        self.grant = grant
        self.meter = Meter(str(grant["provider"]), gmail_profile)
        self.collections = _seeded("v3", grant["id"])

    @property
    def provider(self) -> str:
        """Who hosts it: `google`, `microsoft` and so on."""
        return self.meter.provider


class World:
    """All that the simulator knows."""

    def __init__(self, scenario: Scenario | None = None) -> None:
        self.scenario = scenario or Scenario([])
        limits = self.scenario.limits
        self.gate = Gate(limits)
        self.answers = Answers(limits.sped(KEPT_S))
        self.arrivals = Arrivals()
        self.deliveries = Deliveries()
        self.deltas = DeltaLog()
        self.application = _seeded("application")
        self.account = _seeded("v2")
        self.asked_raw: dict[str, int] = {}
        """How often the raw form of a message was asked for before it was ready."""
        self.files: OrderedDict[str, bytes] = OrderedDict()
        self.details: Json = json.loads(_written_seeds()["details"])
        self._mailboxes: OrderedDict[str, Mailbox | None] = OrderedDict()
        self._counted = 0
        for grant in json.loads(_written_seeds()["grants"]):
            self.add_grant(grant)

    def fresh_id(self, kind: str) -> str:
        """An id that nothing else has."""
        self._counted += 1
        return f"{kind}-{self._counted:06d}"

    def fresh_request_id(self) -> str:
        """A request id in the form of a UUID."""
        self._counted += 1
        return f"{self._counted:08x}-5eed-4000-8000-000000000000"

    def now(self) -> int:
        """Unix time in seconds; it moves on with every id."""
        return FIRST_TIME + self._counted

    def grants(self) -> list[Json]:
        """The grants, in the order of their last change."""
        return [mailbox.grant for mailbox in self._mailboxes.values() if mailbox]

    def add_grant(self, grant: Json) -> Mailbox:
        """Make a mailbox for `grant`; the oldest goes when there are too many."""
        mailbox = Mailbox(grant, self.gate.settings.gmail_profile)
        self._remember(grant["id"], mailbox)
        return mailbox

    def remove_grant(self, mailbox: Mailbox) -> None:
        """Forget a grant, and remember that it is gone."""
        self._remember(mailbox.grant["id"], None)

    def mailbox(self, grant: str) -> Mailbox | None:
        """The mailbox of a grant, named by id, by address or as `me`, or None where there is none."""
        if grant == "me":
            return next((mailbox for mailbox in self._mailboxes.values() if mailbox), None)
        if grant in self._mailboxes:
            return self._mailboxes[grant]
        if "@" in grant:
            found = next((mailbox for mailbox in self._mailboxes.values() if mailbox and mailbox.grant["email"] == grant), None)
            if found:
                return found
        return None if grant.startswith(UNKNOWN_GRANT) else self.add_grant(self._improvised(grant))

    def _improvised(self, grant: str) -> Json:
        provider = next((name for name in PROVIDERS if grant.startswith(name)), "google")
        address = grant if "@" in grant else f"{grant}@example.com"
        return {**json.loads(_written_seeds()["grants"])[0], "id": grant, "provider": provider, "email": address}

    def _remember(self, grant: str, mailbox: Mailbox | None) -> None:
        self._mailboxes[grant] = mailbox
        if len(self._mailboxes) > MAX_MAILBOXES:
            self._mailboxes.popitem(last=False)

    def keep_file(self, file_id: str, content: bytes) -> None:
        """Keep the bytes of an upload; the oldest go when all together are too many."""
        self.files[file_id] = content
        while sum(map(len, self.files.values())) > MAX_FILE_BYTES_IN_ALL:
            self.files.popitem(last=False)
