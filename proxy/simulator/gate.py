"""Keeping the limits: who may pass, who is refused and why, and what was counted.

Nylas is asked first and the provider after it: what Nylas let through counts at Nylas, whatever the provider says. Within each of the two a
request counts everywhere or nowhere. Time is an argument: the moment of the arrival, on a clock that never steps back.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from proxy.simulator.limit_rows import Answer, Limit, Unit
from proxy.simulator.metering import GMAIL_UNITS, REQUEST_COUNT
from proxy.simulator.sliding_log import InFlight, SlidingLog
from proxy.simulator.tickets import Counted, Refused, Tally, Ticket
from proxy.simulator.windows import Windows

if TYPE_CHECKING:
    from proxy.simulator.limit_settings import LimitSettings
    from proxy.simulator.replies import Headers, Json
    from proxy.simulator.visits import Visit

MAX_SUBJECTS = 10_000
"""Of one limit, as far as the others have nothing to remember."""

_MAX_CHOICES = 1_000
_TOLD_BY = {Unit.GMAIL_UNIT: GMAIL_UNITS.lower(), Unit.PROVIDER_REQUEST: REQUEST_COUNT.lower()}


class Gate:
    """All limits, and what every subject did against each."""

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        self.windows = Windows()
        self._limits = settings.limits()
        self._choices: dict[tuple[str, str, str, bool, bool], tuple[list[Limit], list[Limit]]] = {}
        self._subjects: dict[str, OrderedDict[tuple[str, str], Counted]] = {}
        self._tallies: dict[str, Tally] = {}
        self._passed = self._refused = 0
        self.clear()

    def clear(self) -> None:
        """Forget what was counted, and close all windows. Requests under way still count as such."""
        kept = self._subjects
        self._subjects = {limit.name: OrderedDict() if limit.per_s else kept.get(limit.name, OrderedDict()) for limit in self._limits}
        self._tallies = {limit.name: Tally() for limit in self._limits}
        self._passed = self._refused = 0
        self.windows = Windows()

    def judge(self, visit: Visit, now_s: float, arrival: int, *, replayed: bool = False) -> Ticket:
        """Decide about a request that arrived now. One that Nylas answers from memory (`replayed`) does not reach the provider."""
        ticket = Ticket()
        of_nylas, of_provider = self._chosen(visit)
        self._pass(of_nylas, visit, now_s, ticket)
        if ticket.passes and not replayed:
            if visit.subject and visit.requests:
                self._knock(visit.subject, now_s, arrival, ticket)
            if ticket.passes:
                self._pass(of_provider, visit, now_s, ticket)
        self._passed += ticket.passes
        self._refused += not ticket.passes
        return ticket

    def throttle(self, ticket: Ticket, subject: str, now_s: float, length_s: float, *, names_wait: bool) -> None:
        """Open a window on cue."""
        ticket.window = self.windows.open(subject, now_s, self.settings.sped(length_s), names_wait=names_wait)

    def settle(self, ticket: Ticket, headers: Headers) -> None:
        """Put what the answer tells of the true cost in the place of what was expected."""
        told = {name.lower(): value for name, value in headers}
        for limit, counted, arrived in ticket.charges:
            cost = told.get(_TOLD_BY.get(limit.unit, ""))
            if cost is not None and int(cost) != arrived.cost:
                counted.correct(arrived, int(cost))
                self._tallies[limit.name].note_held(counted.held)

    @staticmethod
    def leave(ticket: Ticket) -> None:
        """End a request, however it ended."""
        for _, counted, _ in ticket.charges:
            if isinstance(counted, InFlight):
                counted.end()

    def report(self, now_s: float) -> Json:
        """Everything that was counted."""
        limits: Json = {}
        for limit in self._limits:
            tally = self._tallies[limit.name]
            counts: Json = {"admitted": tally.admitted, "refused": tally.refused, "most": tally.most, "most_asked": tally.most_asked}
            limits[limit.name] = {"count": limit.count, "per_s": limit.per_s, **counts}
        return {
            "enforced": self.settings.enforced,
            "speed": self.settings.speed,
            "passed": self._passed,
            "refused": self._refused,
            "early": self.windows.early,
            "unaware": self.windows.unaware,
            "limits": limits,
            "windows": self.windows.report(now_s),
        }

    def _chosen(self, visit: Visit) -> tuple[list[Limit], list[Limit]]:
        """The limits of Nylas and of the provider that count such requests."""
        key = (visit.api, visit.family, visit.provider, visit.multipart, bool(visit.subject))
        chosen = self._choices.get(key)
        if chosen is None:
            fitting = [limit for limit in self._limits if _counts(limit, visit)]
            chosen = ([limit for limit in fitting if not limit.provider], [limit for limit in fitting if limit.provider])
            if len(self._choices) < _MAX_CHOICES:
                self._choices[key] = chosen
        return chosen

    def _knock(self, subject: str, now_s: float, arrival: int, ticket: Ticket) -> None:
        ticket.window = self.windows.around(subject, now_s)
        if ticket.window is not None:
            self.windows.knock(ticket.window, now_s, arrival)

    def _pass(self, limits: list[Limit], visit: Visit, now_s: float, ticket: Ticket) -> None:
        """Count the request at all of `limits`, or refuse it at those that have no room."""
        wanted: list[tuple[Limit, Counted, int]] = []
        full: list[Refused] = []
        for limit in limits:
            cost = _cost(limit, visit)
            if not cost or (limit.answer is Answer.QUEUE_FULL and not ticket.queued):
                continue
            counted = self._counted(limit, visit, now_s)
            wait_s = counted.wait_s(now_s, cost)
            if not wait_s:
                wanted.append((limit, counted, cost))
                continue
            self._tallies[limit.name].note_refused(counted.refuse(now_s, cost))
            if limit.answer is Answer.QUEUE:
                ticket.queued = True
            else:
                full.append(Refused(limit, wait_s))
        if full:
            self._refuse(max(full, key=lambda refused: refused.wait_s), visit, now_s, ticket)
            return
        for limit, counted, cost in wanted:
            ticket.charges.append((limit, counted, counted.admit(now_s, cost)))
            self._tallies[limit.name].note_admitted(counted.held)

    def _refuse(self, refused: Refused, visit: Visit, now_s: float, ticket: Ticket) -> None:
        ticket.refused = refused
        if refused.limit.answer is Answer.EXCHANGE:
            window_s = self.settings.sped(self.settings.exchange_window_s)
            ticket.window = self.windows.open(visit.subject, now_s, window_s, names_wait=True)
            del self._subjects[refused.limit.name][_key(refused.limit, visit)]  # the block over, the device begins anew

    def _counted(self, limit: Limit, visit: Visit, now_s: float) -> Counted:
        subjects, key = self._subjects[limit.name], _key(limit, visit)
        counted = subjects.get(key)
        if counted is None:
            counted = subjects[key] = SlidingLog(limit.count, limit.per_s) if limit.per_s else InFlight(limit.count)
            if len(subjects) > MAX_SUBJECTS:
                _drop_idle(subjects, key, now_s)
        subjects.move_to_end(key)
        return counted


def _counts(limit: Limit, visit: Visit) -> bool:
    return (
        limit.api in {"", visit.api}
        and limit.provider in {"", visit.provider}
        and (not limit.families or visit.family in limit.families)
        and (limit.of == "application" or bool(visit.subject))
        and limit.body in {"", "multipart" if visit.multipart else "plain"}
    )


def _cost(limit: Limit, visit: Visit) -> int:
    if limit.unit is Unit.REQUEST:
        return 1
    if limit.unit is Unit.MESSAGE:
        return int(visit.sends)
    return visit.units if limit.unit is Unit.GMAIL_UNIT else visit.requests


def _key(limit: Limit, visit: Visit) -> tuple[str, str]:
    return (visit.subject if limit.of == "grant" else "", visit.family if limit.each_family else "")


def _drop_idle(subjects: OrderedDict[tuple[str, str], Counted], kept: tuple[str, str], now_s: float) -> None:
    """Forget those at the front, who came longest ago, as far as they have nothing to remember."""
    while subjects:
        key, counted = next(iter(subjects.items()))
        if key == kept or not counted.idle(now_s):
            return
        del subjects[key]
