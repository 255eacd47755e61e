"""The catalogue against a list of calls that was written without looking at it."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from builders import the_catalogue

from proxy.core.model import Api

if TYPE_CHECKING:
    from proxy.core.model import Route

PATHS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("route_paths.toml").read_text(encoding="utf-8"))
KNOWN: list[dict[str, str]] = [*PATHS["v3"], *PATHS["v2"]]
GRANT_IDS = (b"5967ca40-a2d8-4ee0-a0e0-6f18ace39a90", b"me", b"leyla%40example.com", b"leyla@example.com", b"user%2Bx%40ex.com")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def matched(call: str) -> Route:
    """Return what the catalogue makes of "METHOD /path"."""
    method, path = call.split(" ")
    api = Api.V3 if path.startswith("/v3/") else Api.V2
    return the_catalogue().match(api, method, path.encode())


def method_of(call: str) -> str:
    return call.partition(" ")[0]


def family_of(template: str) -> str:
    families: dict[str, int] = PATHS["families"]
    return max((family for family in families if f"{template}/".startswith(f"{family}/")), key=len, default=template)


def templates_of(calls: list[str]) -> set[str]:
    return {matched(call).template for call in calls}


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["call"])
def test_a_call_finds_the_row_of_its_template(known: dict[str, str]) -> None:
    route = matched(known["call"])
    assert route.name != "other"
    assert route.template == known["template"]


@pytest.mark.parametrize("template", sorted({known["template"] for known in PATHS["v3"] if known["template"].startswith("/v3/grants/{}/")}))
def test_a_grant_is_known_by_its_id_its_address_or_as_me(template: str) -> None:
    methods = {method_of(known["call"]) for known in PATHS["v3"] if known["template"] == template}
    for method in methods:
        for grant in GRANT_IDS:
            path = template.replace("{}", grant.decode(), 1).replace("{}", "AAMk%2Fb%3D%3D")
            assert matched(f"{method} {path}").template == template


def test_every_family_is_asked_for_at_least_as_often_as_when_the_list_was_written() -> None:
    asked = Counter(family_of(known["template"]) for known in KNOWN)
    assert {family: asked[family] for family, times in PATHS["families"].items() if asked[family] < times} == {}


def test_no_call_stands_twice_and_no_list_has_shrunk() -> None:
    calls = [known["call"] for known in KNOWN]
    assert len(set(calls)) == len(calls)
    assert {name: len(PATHS[name]) for name, length in PATHS["lengths"].items() if len(PATHS[name]) < length} == {}


@pytest.mark.parametrize("call", PATHS["unsafe"], ids=str)
def test_what_must_not_be_repeated_says_why(call: str) -> None:
    assert matched(call).unsafe.get(method_of(call))


@pytest.mark.parametrize("call", PATHS["read_only_posts"], ids=str)
def test_what_only_reads_or_gives_the_same_result_may_be_repeated(call: str) -> None:
    assert method_of(call) not in matched(call).unsafe


@pytest.mark.parametrize(("call", "family"), PATHS["family_of"].items(), ids=str)
def test_a_call_counts_in_its_endpoint_family(call: str, family: str) -> None:
    assert matched(call).family == family


def test_what_is_signed_for_one_request_may_not_even_be_read_twice() -> None:
    admin = [route for route in the_catalogue().routes if route.template.startswith("/v3/admin/")]
    assert admin
    assert {route.name: route.methods - route.unsafe.keys() - {"HEAD"} for route in admin} == {route.name: set() for route in admin}


def test_reads_are_safe_but_for_those_named() -> None:
    reads = {known["call"] for known in KNOWN if known["call"].startswith("GET ")}
    assert {call for call in reads if "GET" in matched(call).unsafe} == {call for call in PATHS["unsafe"] if call.startswith("GET ")}


def test_the_key_against_repetition_is_honoured_where_mail_is_sent_and_nowhere_else() -> None:
    assert {route.template for route in the_catalogue().routes if route.idempotency_key} == templates_of(PATHS["idempotency_key"])


def test_errors_of_token_paths_have_the_oauth_shape_and_no_others_of_v3() -> None:
    assert {route.template for route in the_catalogue().routes if route.oauth and route.api is Api.V3} == templates_of(PATHS["oauth"])


def test_streams_alone_get_the_long_time_outs() -> None:
    assert {route.template for route in the_catalogue().routes if route.long_lived} == templates_of(PATHS["long_lived"])


@pytest.mark.parametrize("secret", PATHS["secret_query"], ids=lambda secret: secret["call"])
def test_secrets_in_a_query_are_known_by_name(secret: dict[str, Any]) -> None:
    names = matched(secret["call"]).secret_query
    assert isinstance(names, tuple)
    assert set(names) >= set(secret["names"])


@pytest.mark.parametrize("call", PATHS["unknown"], ids=str)
def test_what_nobody_described_is_other_and_no_write_of_it_is_safe(call: str) -> None:
    route = matched(call)
    assert (route.name, route.template) == ("other", "")
    assert all(route.unsafe.get(method) for method in WRITES)
