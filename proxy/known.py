"""What is known about Nylas, made from the tables of `facts`: the one place where the two meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from proxy import facts
from proxy.core.catalogue import Catalogue
from proxy.core.claims import Claims
from proxy.core.classify import Classifier
from proxy.core.costs import Costs, Lists
from proxy.core.entries import read_entries
from proxy.core.handbook import Handbook
from proxy.core.limits import read_limits
from proxy.core.recovery import Recovery
from proxy.core.texts import cause_texts
from proxy.core.throttle import Throttles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.limits import Tuning
    from proxy.core.model import Cause
    from proxy.core.quota import Limit
    from proxy.core.recovery import Care


class Rulebook(NamedTuple):
    """What admission goes by: which limits there are, what a request asks of them, which answers close which doors, and what holds after that."""

    limits: tuple[Limit, ...]
    claims: Claims
    throttles: Throttles
    recovery: Recovery


def catalogue() -> Catalogue:
    """Return the operations of the API."""
    table = facts.load("routes")
    return Catalogue(table["route"], table["families"])


def classifier() -> Classifier:
    """Return the rules by which errors are told apart."""
    return Classifier(facts.load("rules")["rule"])


def handbook() -> Handbook:
    """Return what is told about errors and events."""
    return Handbook(read_entries(facts.load_folder("errors"), facts.load("sources")), cause_texts(facts.load("causes")))


def rulebook(operations: Catalogue, tuning: Tuning, default_s: Mapping[Cause, float], care: Care) -> Rulebook:
    """Return what admission goes by.

    Args:
        operations: The known routes.
        tuning: What settings say of limits.
        default_s: How long throttles last that name no time, where settings say it.
        care: What settings say of mailboxes that recover.

    Raises:
        ValueError: An override is impossible; the text names it.
    """
    table, sources = facts.load("limits"), facts.load("sources")
    limits = read_limits(table["limit"], operations.families, sources, tuning)
    costs = Costs(table["cost"], operations.routes, table["providers"], sources, tuning.profile)
    lists = Lists(table["lists"])
    claims = Claims(limits, costs, lists, table["providers"])
    throttles = Throttles(facts.load("windows")["window"], sources, default_s)
    return Rulebook(limits, claims, throttles, Recovery(table["recovery"], operations.routes, sources, lists, care))
