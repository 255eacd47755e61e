from __future__ import annotations

from typing import Any

import pytest
from builders import the_catalogue

from proxy.core.catalogue import Catalogue
from proxy.core.model import Api


def a_row(**values: Any) -> dict[str, Any]:
    return {"name": "things", "api": "v3", "methods": ["GET"], "template": "/v3/things/{}", "family": "all", **values}


def a_catalogue(*rows: dict[str, Any]) -> Catalogue:
    return Catalogue(rows, {"v3": {"all"}, "v2": {"all", "some"}})


def name_of(catalogue: Catalogue, method: str, path: bytes, api: Api = Api.V3) -> str:
    return catalogue.match(api, method, path).name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/v3/things/1", "things"),
        (b"/v3/things/1/", "things"),
        (b"/v3/things/a%2Fb%2fc==", "things"),
        (b"/v3/things/\xff{}", "things"),
        (b"/v3/things", "other"),
        (b"/v3/things/", "other"),
        (b"/v3/things//", "other"),
        (b"/v3//1", "other"),
        (b"/v3/things/1/more", "other"),
        (b"/v3/Things/1", "other"),
        (b"/v3/other/1", "other"),
        (b"/", "other"),
        (b"", "other"),
    ],
)
def test_braces_stand_for_exactly_one_segment_of_any_bytes(path: bytes, name: str) -> None:
    assert name_of(a_catalogue(a_row()), "GET", path) == name


def test_a_row_counts_for_its_own_api_and_methods_alone() -> None:
    catalogue = a_catalogue(a_row())
    assert name_of(catalogue, "GET", b"/v3/things/1", Api.V2) == "other"
    assert name_of(catalogue, "PUT", b"/v3/things/1") == "other"


def test_head_goes_with_get() -> None:
    catalogue = a_catalogue(a_row(), a_row(name="makes", methods=["POST"], repeatable=["POST"], template="/v3/makes"))
    assert name_of(catalogue, "HEAD", b"/v3/things/1") == "things"
    assert name_of(catalogue, "HEAD", b"/v3/makes") == "other"


@pytest.mark.parametrize("api", list(Api))
def test_an_unknown_path_is_handled_with_the_greatest_care(api: Api) -> None:
    other = a_catalogue().match(api, "POST", b"/unknown")
    assert (other.name, other.api, other.template, other.family) == ("other", api, "", "other")
    assert other.unsafe.keys() == {"POST", "PUT", "PATCH", "DELETE"}


def test_a_literal_segment_wins_over_braces() -> None:
    catalogue = a_catalogue(a_row(), a_row(name="things.send", template="/v3/things/send"))
    assert name_of(catalogue, "GET", b"/v3/things/send") == "things.send"
    assert name_of(catalogue, "GET", b"/v3/things/sent") == "things"


def test_braces_serve_where_the_literal_row_has_not_the_method_or_ends_too_soon() -> None:
    rows = [
        a_row(methods=["DELETE"]),
        a_row(name="thing.parts", template="/v3/things/{}/parts"),
        a_row(name="things.send", methods=["POST"], repeatable=["POST"], template="/v3/things/send"),
    ]
    catalogue = a_catalogue(*rows)
    assert name_of(catalogue, "POST", b"/v3/things/send") == "things.send"
    assert name_of(catalogue, "DELETE", b"/v3/things/send") == "things"
    assert name_of(catalogue, "GET", b"/v3/things/send/parts") == "thing.parts"
    assert name_of(catalogue, "GET", b"/v3/things/send/else") == "other"


def test_the_literal_way_wins_at_the_first_segment_where_two_differ() -> None:
    rows = [a_row(template="/v3/a/{}/c"), a_row(name="dead end", template="/v3/a/x/d"), a_row(name="wild", template="/v3/{}/{}/c")]
    assert name_of(a_catalogue(*rows), "GET", b"/v3/a/x/c") == "things"


def test_an_empty_segment_is_no_id_on_any_way() -> None:
    rows = [a_row(template="/v3/things/{}/parts"), a_row(name="wild", template="/v3/{}/{}/parts")]
    assert name_of(a_catalogue(*rows), "GET", b"/v3/things//parts") == "other"


def test_rows_of_one_path_may_share_it_by_method() -> None:
    catalogue = a_catalogue(a_row(), a_row(name="thing.change", methods=["PUT"]))
    assert name_of(catalogue, "PUT", b"/v3/things/1") == "thing.change"


def test_flags_are_read_and_off_where_nothing_is_said() -> None:
    plain = a_catalogue(a_row(methods=["GET", "PUT", "DELETE"])).routes[0]
    assert (plain.family, plain.unsafe, plain.secret_query) == ("all", {}, ())
    assert not any((plain.idempotency_key, plain.long_lived, plain.oauth, plain.hosted_auth))
    flags = {"idempotency_key": True, "long_lived": True, "oauth": True, "hosted_auth": True}
    told = a_catalogue(a_row(methods=["GET", "POST"], unsafe={"GET": "costs"}, repeatable=["POST"], secret_query=["token"], **flags)).routes[0]
    assert (told.unsafe, told.secret_query) == ({"GET": "costs", "HEAD": "costs"}, ("token",))
    assert all((told.idempotency_key, told.long_lived, told.oauth, told.hosted_auth))


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([a_row(), a_row(name="same")], "'things' and 'same' of v3 could both be GET"),
        ([a_row(), a_row(name="same", template="/v3/things/{}", methods=["HEAD"])], "could both be HEAD"),
        ([a_row(template="/v3/{}/a"), a_row(name="crossed", template="/v3/b/{}")], "'things' and 'crossed'"),
        ([a_row(), a_row(template="/v3/elsewhere")], "'things' of v3 is given twice"),
        ([a_row(name="other")], "'other' of v3 is given twice, or taken"),
        ([a_row(methods=[])], "'things' of v3: needs methods"),
        ([a_row(template="")], "'things' of v3: needs methods and a template"),
        ([a_row(template="/v3//x")], "'things' of v3: needs methods and a template"),
        ([a_row(template="/v3/x/")], "'things' of v3: needs methods and a template"),
        ([a_row(methods="GET")], "'things' of v3: methods must be of type list"),
        ([a_row(methods=[1])], "'things' of v3: methods must hold strings"),
        ([a_row(long_lived="yes")], "'things' of v3: long_lived must be of type bool"),
        ([a_row(long_live=True)], "'things' of v3: unknown key long_live"),
        ([a_row(unsafe={"PUT": "changes"})], "'things' of v3: unsafe or repeatable names a method"),
        ([a_row(repeatable=["POST"])], "'things' of v3: unsafe or repeatable names a method"),
        ([a_row(methods=["POST"], unsafe={"POST": "makes"}, repeatable=["POST"])], "'things' of v3: POST is both"),
        ([a_row(methods=["POST"])], "'things' of v3: whether POST may be repeated must be said"),
        ([a_row(methods=["PATCH", "PUT"])], "'things' of v3: whether PATCH may be repeated must be said"),
        ([a_row(unsafe={"GET": ""})], "'things' of v3: unsafe must hold non-empty strings"),
        ([a_row(unsafe={"GET": 1})], "'things' of v3: unsafe must hold non-empty strings"),
        ([a_row(family="some")], "'things' of v3: no family 'some' of v3"),
        ([a_row(api="v4")], "'v4' is not a valid Api"),
        ([{"name": "x"}], "'x' of None: api must be of type str"),
    ],
)
def test_a_contradiction_is_refused_with_the_name_of_the_row(rows: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        a_catalogue(*rows)
    assert complaint in str(refusal.value)


def test_rows_that_meet_in_shape_but_in_no_path_are_no_contradiction() -> None:
    rows = [
        a_row(),
        a_row(name="a", api="v2"),
        a_row(name="b", template="/v3/{}/{}"),
        a_row(name="c", template="/v3/things/send"),
        a_row(name="d", template="/v3/things/{}/parts"),
        a_row(name="e", template="/v3/others/{}"),
    ]
    catalogue = a_catalogue(*rows)
    assert name_of(catalogue, "GET", b"/v3/x/y") == "b"
    assert name_of(catalogue, "GET", b"/v3/others/y") == "e"


def test_every_catalogued_operation_finds_its_own_row() -> None:
    for route in the_catalogue().routes:
        path = route.template.replace("{}", "5967ca40%2Fx").encode()
        for method in route.methods:
            assert the_catalogue().match(route.api, method, path) is route
