"""The tables of limits and costs: how they are read, and which mistakes are named."""

from __future__ import annotations

from typing import Any

import pytest
from builders import the_catalogue

from proxy.core.costs import NOTHING, ONE, Cost, Costs, Lists
from proxy.core.limits import Tuning, read_limits
from proxy.core.model import Api
from proxy.core.quota import Limit, Unit

FAMILIES = {"v3": {"mail", "both"}, "v2": {"both", "posts"}}
THREADS = the_catalogue().match(Api.V3, "GET", b"/v3/grants/g/threads")
OF_V2 = the_catalogue().match(Api.V2, "GET", b"/threads")


def a_row(**values: Any) -> dict[str, Any]:
    row = {"name": "things", "level": "grant", "count": 10, "per_s": 1.0, "source": "page", **values}
    return {key: value for key, value in row.items() if value is not None}


def a_cost(**values: Any) -> dict[str, Any]:
    return {"unit": "provider_request", "cost": 7, "source": "page", **values}


def limits_of(*rows: dict[str, Any], **tuning: Any) -> tuple[Limit, ...]:
    return read_limits(rows, FAMILIES, {"page"}, Tuning(**tuning))


def costs_of(*rows: dict[str, Any], profile: str = "classic") -> Costs:
    return Costs(rows, the_catalogue().routes, {"google"}, {"page"}, profile)


def test_a_row_says_little_where_little_is_to_be_said() -> None:
    (limit,) = limits_of(a_row(), headroom=0.0)
    assert (limit.api, limit.provider, limit.families, limit.unit, limit.body) == (None, None, frozenset(), "request", "any")
    assert (limit.enforced, limit.in_flight, limit.each_family, limit.why) == (True, False, False, "")
    assert (limit.count, limit.per_s, limit.allowed, limit.window_us) == (10, 1.0, 10, 1_000_000)


@pytest.mark.parametrize(
    ("count", "reserve", "allowed"), [(10, 0.0, 10), (10, 0.3, 7), (10, 0.35, 6), (100, 0.34, 66), (200, 0.29, 142), (1, 0.5, 1), (3, 0.99, 1)]
)
def test_the_reserve_is_rounded_in_favour_of_others_but_leaves_one(count: int, reserve: float, allowed: int) -> None:
    assert limits_of(a_row(count=count), reserve=reserve)[0].allowed == allowed


def test_headroom_is_rounded_up() -> None:
    assert limits_of(a_row(per_s=0.0000015), headroom=0.0)[0].window_us == 2
    assert limits_of(a_row(per_s=60), headroom=0.05)[0].window_us == 63_000_000


def test_a_cap_keeps_its_places_whatever_is_reserved() -> None:
    (cap,) = limits_of(a_row(count=None, per_s=None, in_flight=4), reserve=0.5)
    assert (cap.in_flight, cap.count, cap.allowed, cap.per_s, cap.window_us) == (True, 4, 4, 0.0, 0)


def test_limits_of_another_profile_do_not_stand_but_may_be_overridden_all_the_same() -> None:
    rows = (a_row(), a_row(name="old", profile="classic"), a_row(name="new", profile="2026"))
    assert [limit.name for limit in limits_of(*rows)] == ["things", "old"]
    assert [limit.name for limit in limits_of(*rows, profile="2026", overrides={"old": {"count": 3}})] == ["things", "new"]


def test_an_override_changes_the_numbers_of_its_limit_alone() -> None:
    first, second = limits_of(a_row(), a_row(name="more"), headroom=0.0, overrides={"more": {"count": 3, "per_s": 2}})
    assert (first.count, first.per_s) == (10, 1.0)
    assert (second.count, second.allowed, second.per_s, second.window_us) == (3, 3, 2.0, 2_000_000)


def test_an_override_of_a_cap_is_a_number_of_places() -> None:
    (cap,) = limits_of(a_row(count=None, per_s=None, in_flight=4), overrides={"things": {"count": 2}})
    assert (cap.in_flight, cap.count) == (True, 2)


def test_an_override_has_a_limit_kept_that_was_only_listed() -> None:
    idle = a_row(count=None, per_s=None, enforced=False, why="unknown")
    assert not limits_of(idle)[0].enforced
    (kept,) = limits_of(idle, overrides={"things": {"count": 2, "per_s": 1}})
    assert (kept.enforced, kept.why, kept.count) == (True, "", 2)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ({"thing": {"count": 1}}, "no limit 'thing', did you mean 'things'?"),
        ({"weather": {"count": 1}}, "no limit 'weather'"),
        ({"things": {"unit": "mail"}}, "limit 'things': unit cannot be overridden, only count and per_s"),
        ({"things": {"count": 0}}, "limit 'things': needs a count of at least 1"),
        ({"things": {"count": -1}}, "limit 'things': count must be a whole number of at least 1, not -1"),
        ({"things": {"count": True}}, "limit 'things': count must be a whole number of at least 1, not True"),
        ({"things": {"count": 1.5}}, "limit 'things': count must be of type int"),
        ({"things": {"per_s": 0}}, "limit 'things': needs a count of at least 1 and a per_s above 0"),
        ({"things": {"per_s": -1}}, "limit 'things': per_s must be a number of seconds above 0, not -1"),
        ({"things": {"per_s": True}}, "per_s must be a number of seconds above 0, not True"),
        ({"things": {"per_s": "1"}}, "per_s must be a number of seconds above 0, not '1'"),
        ({"things": {"per_s": float("inf")}}, "per_s must be a number of seconds above 0, not inf"),
        ({"things": {"per_s": float("nan")}}, "per_s must be a number of seconds above 0, not nan"),
        ({"bytes": {"count": 1}}, "limit 'bytes': nobody counts its unit, byte"),
        ({"cap": {"per_s": 1}}, "limit 'cap': a cap on requests in flight has no per_s"),
    ],
)
def test_a_mistake_in_an_override_is_named(override: dict[str, dict[str, Any]], complaint: str) -> None:
    rows = (a_row(), a_row(name="bytes", unit="byte", enforced=False, why="unseen"), a_row(name="cap", count=None, per_s=None, in_flight=1))
    with pytest.raises(ValueError) as refusal:
        limits_of(*rows, overrides=override)
    assert complaint in str(refusal.value)
    assert complaint.endswith("?") or "mean" not in str(refusal.value)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (a_row(families=["weather"]), "limit 'things': no family 'weather' of any API"),
        (a_row(api="v3", families=["posts"]), "limit 'things': no family 'posts' of v3"),
        (a_row(source="hearsay"), "limit 'things': no source 'hearsay'"),
        (a_row(burst=3), "limit 'things': unknown key burst"),
        (a_row(count=None), "limit 'things': needs a count"),
        (a_row(per_s=None), "limit 'things': needs a count of at least 1 and a per_s above 0, or in_flight"),
        (a_row(count=None, in_flight=3), "a cap on requests in flight has no per_s"),
        (a_row(in_flight=3, per_s=None), "unknown key count"),
        (a_row(enforced=False), "why is told of limits that are not enforced"),
        (a_row(why="because"), "why is told of limits that are not enforced"),
        (a_row(unit="recipient"), "nobody counts its unit, recipient"),
        (a_row(unit="mail"), "'mail' is not a valid Unit"),
        (a_row(level="user"), "'user' is not a valid Level"),
        (a_row(body="xml"), "'xml' is not a valid Body"),
        (a_row(api="v4"), "'v4' is not a valid Api"),
    ],
)
def test_a_mistake_in_a_limit_is_named(row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        limits_of(row)
    assert complaint in str(refusal.value)


def test_families_of_either_api_and_unknown_paths_may_be_counted() -> None:
    assert limits_of(a_row(families=["mail", "posts", "other"]))[0].families == {"mail", "posts", "other"}


def test_a_name_stands_for_one_limit() -> None:
    with pytest.raises(ValueError, match="limits: 'things' is given twice"):
        limits_of(a_row(), a_row(count=3))


def test_what_no_row_prices_costs_one_unit_and_no_gmail_unit() -> None:
    assert costs_of().of(Unit.REQUEST, THREADS, "GET", None) == ONE == Cost(1, per_item=False)
    assert costs_of().of(Unit.GMAIL_UNIT, THREADS, "GET", "google") == NOTHING == Cost(0, per_item=False)


def test_the_row_that_names_the_route_wins_then_the_provider_then_the_method() -> None:
    rows = [
        a_cost(cost=1),
        a_cost(cost=2, methods=["GET"]),
        a_cost(cost=3, provider="google"),
        a_cost(cost=4, provider="google", methods=["GET"]),
        a_cost(cost=5, routes=["threads"]),
        a_cost(cost=6, routes=["threads"], methods=["GET"]),
        a_cost(cost=7, routes=["threads"], provider="google"),
        a_cost(cost=8, routes=["threads"], provider="google", methods=["GET"], per_item=True),
    ]
    for less in range(8):
        costs = costs_of(*rows[: 8 - less])
        assert costs.of(Unit.PROVIDER_REQUEST, THREADS, "GET", "google") == Cost(8 - less, per_item=less == 0)
    assert costs_of(*rows).of(Unit.PROVIDER_REQUEST, THREADS, "GET", None).units == 6
    assert costs_of(*rows).of(Unit.PROVIDER_REQUEST, OF_V2, "GET", "google") == ONE


def test_head_costs_what_get_costs() -> None:
    assert costs_of(a_cost(routes=["threads"], methods=["GET"])).of(Unit.PROVIDER_REQUEST, THREADS, "HEAD", None).units == 7


def test_costs_of_another_profile_do_not_stand() -> None:
    rows = (a_cost(profile="classic"), a_cost(profile="2026", cost=9))
    assert costs_of(*rows).of(Unit.PROVIDER_REQUEST, THREADS, "GET", None).units == 7
    assert costs_of(*rows, profile="2026").of(Unit.PROVIDER_REQUEST, THREADS, "GET", None).units == 9


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([a_cost(routes=["weather"])], "cost row 1: no route 'weather' of v3"),
        ([a_cost(routes=["weather"], profile="2026")], "cost row 1: no route 'weather' of v3"),
        ([a_cost(routes=["threads"], methods=["POST"])], "cost row 1: no POST 'threads' of v3"),
        ([a_cost(routes=["outbox"])], "cost row 1: no route 'outbox' of v3"),
        ([a_cost(), a_cost(cost=8)], "cost row 2: the cost of provider_request v3 is given twice"),
        ([a_cost(cost=-1)], "cost row 1: needs a cost of at least 0"),
        ([a_cost(source="hearsay")], "cost row 1: needs a cost of at least 0, a known source"),
        ([a_cost(provider="aol")], "cost row 1: needs a cost of at least 0, a known source and a known provider"),
        ([a_cost(each=True)], "cost row 1: unknown key each"),
        ([a_cost(unit="mail")], "'mail' is not a valid Unit"),
    ],
)
def test_a_mistake_in_a_cost_is_named(rows: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        costs_of(*rows)
    assert complaint in str(refusal.value)


def test_an_unknown_path_may_have_a_cost() -> None:
    other = the_catalogue().match(Api.V3, "GET", b"/v3/unheard-of")
    assert costs_of(a_cost(routes=["other"], methods=["GET"])).of(Unit.PROVIDER_REQUEST, other, "GET", None).units == 7


def test_lists_are_read_strictly() -> None:
    lists = Lists({"parameter": "top", "default": 3, "max": 5})
    assert [lists.items_of(target) for target in (b"/x", b"/x?top=4", b"/x?top=9")] == [3, 4, 5]
    with pytest.raises(ValueError, match="lists: unknown key least"):
        Lists({"parameter": "top", "default": 3, "max": 5, "least": 1})
