"""What the simulated Nylas noted of a scene, as values: what became of the requests, and whether that is as one wants it.

Nothing here asks anybody: the simulator's reports are arguments. What the proxy tells of itself is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Entry = dict[str, Any]

OK = 200
TOO_MANY = 429
CLOCK_ERROR_S = 0.001


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a scene.

    Attributes:
        name: What was counted.
        text: The count.
        is_good: Whether it is as one wants it; None where it only informs.
    """

    name: str
    text: str
    is_good: bool | None = None


class Evidence(Protocol):
    """What one way of one scene came to."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The lines of the table."""
        ...

    @property
    def summary(self) -> str:
        """Half a sentence for the conclusion."""
        ...


def is_as_wanted(evidence: Evidence) -> bool:
    """Tell whether nothing is otherwise than one wants it."""
    return all(fact.is_good is not False for fact in evidence.facts)


@dataclass(frozen=True, slots=True)
class Reports:
    """What the simulator tells: requests in the order of their arrival, Exchange windows, and messages that left for their recipients."""

    arrivals: Sequence[Entry]
    windows: Sequence[Entry]
    deliveries: Entry

    def of_grant(self, grant: str) -> list[Entry]:
        """The requests to one mailbox."""
        return [arrival for arrival in self.arrivals if arrival["target"].startswith(f"/v3/grants/{grant}/")]


@dataclass(frozen=True, slots=True)
class Burst:
    """Many calls at once against a limit; `best_s` is the time that they need where every moment of the limit is used."""

    calls: int
    served: int
    refused: int
    span_s: float
    best_s: float

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The lines of the table."""
        best = f" (best possible: {self.best_s:.2f} s)" if self.served == self.calls else ""
        return (
            Fact("served", f"{self.served} of {self.calls}", is_good=self.served == self.calls),
            Fact("refused with 429", str(self.refused), is_good=not self.refused),
            Fact("from first to last arrival", f"{self.span_s:.2f} s{best}"),
        )

    @property
    def summary(self) -> str:
        """Half a sentence for the conclusion."""
        if self.refused:
            return f"{self.refused} of {self.calls} calls were refused"
        if self.served < self.calls:
            return f"{self.served} of {self.calls} calls were served"
        return f"all were served in {self.span_s / self.best_s:.2f} times the best"


def read_burst(reports: Reports, grant: str, calls: int, best_s: float) -> Burst:
    """Read what became of the calls to `grant`."""
    arrivals = reports.of_grant(grant)
    span_s = arrivals[-1]["arrived_s"] - arrivals[0]["arrived_s"] if arrivals else 0.0
    return Burst(calls, _with_status(arrivals, OK), _with_status(arrivals, TOO_MANY), span_s, best_s)


def _with_status(arrivals: Sequence[Entry], status: int) -> int:
    return sum(arrival["status"] == status for arrival in arrivals)


@dataclass(frozen=True, slots=True)
class Throttled:
    """A mailbox that was closed for a while, and another one beside it.

    Attributes:
        length_s: How long it would have been closed without anybody asking; 0: it was not closed at all.
        closed_s: How long it was closed, or would have been had the calls stopped when they did.
        knocks: Requests that came meanwhile.
        again_after_s: From its closing to the first request that it served again; None: there was none.
        others: Requests to the other mailbox within `length_s`.
        others_served: Of these, those that were served.
    """

    length_s: float
    closed_s: float
    knocks: int
    again_after_s: float | None
    others: int
    others_served: int

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The lines of the table."""
        never = self.again_after_s is None
        again, since = ("not while it was being called", ", once the calls had stopped") if never else (f"{self.again_after_s:.1f} s", "")
        as_short_as_can_be = self.length_s > 0 and self.closed_s - self.length_s < CLOCK_ERROR_S
        neighbour_goes_on = self.others_served == self.others and self.others >= self.length_s
        return (
            Fact("requests while it was closed", str(self.knocks), is_good=not self.knocks),
            Fact("usable again after", f"{self.closed_s:.1f} s{since}", is_good=as_short_as_can_be),
            Fact("next call served after", again, is_good=not never),
            Fact("another mailbox meanwhile", f"{self.others_served} of {self.others} calls served", is_good=neighbour_goes_on),
        )

    @property
    def summary(self) -> str:
        """Half a sentence for the conclusion."""
        if self.knocks:
            return f"{self.knocks} knocks kept the mailbox closed for {self.closed_s:.1f} s"
        if self.again_after_s is None:
            return "nobody knocked, but no call was served again"
        return f"nobody knocked: open after {self.closed_s:.1f} s"


def read_throttled(reports: Reports, grant: str, other: str) -> Throttled:
    """Read what became of the calls to `grant`, which was closed, and to `other`, which was not."""
    windows = [window for window in reports.windows if window["subject"] == grant]
    knocks = sum(window["early"] + window["unaware"] for window in windows)
    opened_s = windows[0]["opened_s"] if windows else 0.0
    length_s = windows[0]["length_s"] if windows else 0.0
    closed_s = windows[-1]["closes_s"] - opened_s if windows else 0.0
    again = [arrival["arrived_s"] - opened_s for arrival in reports.of_grant(grant) if arrival["status"] == OK and arrival["arrived_s"] > opened_s]
    others = [arrival for arrival in reports.of_grant(other) if 0 <= arrival["arrived_s"] - opened_s < length_s]
    return Throttled(length_s, closed_s, knocks, again[0] if again else None, len(others), _with_status(others, OK))


@dataclass(frozen=True, slots=True)
class Sent:
    """Mails, of which some were accepted on connections that broke off before the answer; `dropped` were to be, `cut` were."""

    mails: int
    dropped: int
    cut: int
    arrived: int
    duplicates: int

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The lines of the table."""
        return (
            Fact("cut off after acceptance", str(self.cut), is_good=None if self.cut == self.dropped else False),
            Fact("mails that arrived", f"{self.arrived} of {self.mails}", is_good=self.arrived == self.mails),
            Fact("second copies that arrived", str(self.duplicates), is_good=not self.duplicates),
        )

    @property
    def summary(self) -> str:
        """Half a sentence for the conclusion."""
        if self.duplicates:
            return f"{self.mails} mails arrived with {self.duplicates} second copies"
        if self.arrived < self.mails:
            return f"{self.arrived} of {self.mails} mails arrived"
        return f"all {self.mails} arrived, each once"


def read_sent(reports: Reports, mails: int, dropped: int) -> Sent:
    """Read which mails left for their recipients."""
    cut = sum(arrival["outcome"] == "cut" for arrival in reports.arrivals)
    return Sent(mails, dropped, cut, len(reports.deliveries["messages"]), reports.deliveries["duplicates"])
