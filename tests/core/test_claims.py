"""The claims of requests, against a list that was written without looking at the table of limits."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from builders import a_context, the_catalogue

from proxy import facts
from proxy.core.claims import Claims
from proxy.core.costs import Costs, Lists
from proxy.core.limits import Tuning, read_limits
from proxy.core.quota import Ask, Claim, Level, Limit, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("limits_table.toml").read_text(encoding="utf-8"))
LIMITS = facts.load("limits")
GRANT = "5967ca40-a2d8-4ee0-a0e0-6f18ace39a90"
PROFILES = ("classic", "2026")
MAIL = frozenset({"messages", "send", "smart_compose"})


def the_limits(tuning: Tuning) -> tuple[Limit, ...]:
    return read_limits(LIMITS["limit"], facts.load("routes")["families"], facts.load("sources"), tuning)


def the_claims(tuning: Tuning, providers: Mapping[str, list[str]] | None = None) -> Claims:
    costs = Costs(LIMITS["cost"], the_catalogue().routes, LIMITS["providers"], facts.load("sources"), tuning.profile)
    return Claims(the_limits(tuning), costs, Lists(LIMITS["lists"]), LIMITS["providers"] if providers is None else providers)


@cache
def claims_under(profile: str) -> Claims:
    return the_claims(Tuning(headroom=0.0, profile=profile))


def asked(call: str, provider: str | None = None, *, content_type: str = "", claims: Claims | None = None) -> Ask:
    method, target = call.replace("{grant}", GRANT).split(" ")
    return (claims or claims_under("classic")).ask_for(
        a_context(target.encode(), method),
        content_type=content_type.encode(),
        application="app",
        subject="subject",
        provider=provider,
        lease_id="lease",
    )


def told(claim: Claim) -> str:
    return f"{claim.name} {claim.level} {claim.count}/{claim.window_us // 1_000_000} {claim.cost} {claim.unit}"


def units_of(ask: Ask) -> int:
    return max((claim.cost for claim in ask.claims if claim.unit is Unit.GMAIL_UNIT), default=0)


def label(row: Mapping[str, Any]) -> str:
    return " ".join(str(row[part]) for part in ("call", "provider", "type", "profile") if part in row)


@pytest.mark.parametrize("row", TABLE["request"], ids=label)
def test_a_request_asks_for_what_is_published(row: dict[str, Any]) -> None:
    ask = asked(row["call"], row.get("provider"), content_type=row.get("type", ""), claims=claims_under(row.get("profile", "classic")))
    assert sorted(map(told, ask.claims)) == sorted(row["claims"])
    assert [f"{cap.name} {cap.level} {cap.count}" for cap in ask.caps] == row.get("caps", [])
    assert ask.scopes == tuple("application:app" if scope == "application" else f"{scope}:subject" for scope in row["scopes"])
    assert (ask.application, ask.lease_id) == ("app", "lease")


def test_every_limit_that_is_kept_is_asked_for_by_some_request_of_the_table() -> None:
    named = {one.partition(" ")[0] for row in TABLE["request"] for one in (*row["claims"], *row.get("caps", []))}
    assert {limit.name for profile in PROFILES for limit in the_limits(Tuning(profile=profile)) if limit.enforced} == named


def test_what_is_listed_and_not_kept_says_so_with_its_number_and_the_reason() -> None:
    idle = {limit for profile in PROFILES for limit in the_limits(Tuning(profile=profile)) if not limit.enforced}
    assert {f"{limit.name} {limit.level} {limit.count}/{int(limit.per_s)} {limit.unit}" for limit in idle} == set(TABLE["not_enforced"])
    assert all(limit.why for limit in idle)


@pytest.mark.parametrize("row", TABLE["gmail"], ids=label)
def test_an_operation_on_gmail_costs_what_the_generation_of_the_project_says(row: dict[str, Any]) -> None:
    method, rest = row["call"].split(" ")
    calls = [asked(f"{method} /v3/grants/{{grant}}/{rest}", "google", claims=claims_under(profile)) for profile in PROFILES]
    assert [units_of(ask) for ask in calls] == row["units"]


def test_no_operation_on_mail_is_forgotten_in_the_list_of_costs() -> None:
    listed = {
        a_context(f"/v3/grants/{GRANT}/{rest}".encode(), method).route.name for method, rest in (row["call"].split(" ") for row in TABLE["gmail"])
    }
    mail = {route.name for route in the_catalogue().routes if route.api == "v3" and route.family in MAIL}
    assert mail <= listed


@pytest.mark.parametrize(
    ("query", "units"),
    [
        ("", 250),
        ("?limit=1", 5),
        ("?limit=0", 5),
        ("?limit=200", 1000),
        ("?limit=201", 1000),
        ("?limit=999999999", 1000),
        ("?limit=9999999999", 250),
        ("?limit=-3", 250),
        ("?limit=7x", 250),
        ("?limit=", 250),
        ("?limit=%37", 250),
        ("?unlimit=7", 250),
        ("?in=limit=7", 250),
        ("?in=x&limit=7&page_token=y", 35),
        ("?limit=3&limit=9&limit=4", 45),
        ("?limit=7#part", 35),
    ],
)
def test_a_list_costs_its_unit_for_every_item_that_may_come_back(query: str, units: int) -> None:
    assert units_of(asked(f"GET /v3/grants/{{grant}}/messages{query}", "google")) == units


def test_keys_hold_whose_the_limit_is() -> None:
    google = {claim.name: claim.key for claim in asked("GET /v3/grants/{grant}/messages/m", "google").claims}
    assert google["v3_messages"] == "v3_messages:-:subject"
    assert google["google_application"] == "google_application:-:app"
    assert asked("GET /v3/webhooks").claims[0].key == "v3_webhooks:-:app"


def test_endpoints_of_v2_are_counted_apart_and_operations_of_one_together() -> None:
    keys = {call: {claim.key for claim in asked(call).claims} for call in ("GET /messages", "GET /messages/m", "GET /threads", "GET /unheard-of")}
    assert keys["GET /messages"] == keys["GET /messages/m"] == {"v2_application:messages:app", "v2_account:messages:subject"}
    assert keys["GET /threads"] == {"v2_application:threads:app", "v2_account:threads:subject"}
    assert keys["GET /unheard-of"] == {"v2_application:other:app", "v2_account:other:subject"}
    assert [cap.key for cap in asked("GET /messages").caps] == ["v2_account_in_flight:messages:subject"]


def test_a_json_send_and_a_multipart_send_do_not_share_a_count() -> None:
    send = "POST /v3/grants/{grant}/messages/send"
    multipart, plain = asked(send, content_type="multipart/form-data; boundary=x"), asked(send, content_type="application/json; charset=utf-8")
    assert not {claim.key for claim in multipart.claims} & {claim.key for claim in plain.claims}


def test_headroom_stretches_the_window_and_reserve_lowers_the_count() -> None:
    claims = the_claims(Tuning(headroom=0.05, reserve=0.29))
    (claim,) = asked("GET /v3/grants/{grant}/messages/m", claims=claims).claims
    assert (claim.count, claim.window_us) == (142, 1_050_000)
    (single,) = asked("POST /v3/workspaces/auto-group", claims=claims).claims
    assert (single.count, single.window_us) == (1, 63_000_000)


def test_a_limit_without_a_number_of_its_own_is_kept_once_settings_give_one() -> None:
    claims = the_claims(Tuning(headroom=0.0, overrides={"ews_mailbox": {"count": 30, "per_s": 60}}))
    assert "ews_mailbox grant 30/60 1 provider_request" in map(told, asked("GET /v3/grants/{grant}/messages/m", "ews", claims=claims).claims)


def test_one_operation_asks_alike_whoever_asked_before() -> None:
    claims = the_claims(Tuning())
    first = [asked("GET /v3/grants/{grant}/messages", provider, claims=claims) for provider in ("google", None, "microsoft")]
    assert [asked("GET /v3/grants/{grant}/messages", provider, claims=claims) for provider in ("google", None, "microsoft")] == first
    assert asked("GET /messages", claims=claims) == asked("GET /messages", claims=the_claims(Tuning()))


def test_a_claim_is_a_claim_and_not_a_bare_tuple() -> None:
    claim = asked("GET /v3/webhooks").claims[0]
    assert isinstance(claim, Claim)
    assert (claim.level, claim.unit) == (Level.APPLICATION, Unit.REQUEST)


@pytest.mark.parametrize(
    ("providers", "complaint"),
    [
        ({"microsoft": [], "icloud": [], "eas": []}, "no provider 'google'"),
        ({**LIMITS["providers"], "yahoo": ["gmail"]}, "'gmail' is the name of two"),
    ],
)
def test_a_provider_must_be_known_and_its_names_its_own(providers: dict[str, list[str]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        the_claims(Tuning(), providers)
