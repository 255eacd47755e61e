from __future__ import annotations

from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from contract.cases import RECORDED_SUCCESSES, SUCCEEDING, Recorded

if TYPE_CHECKING:
    from contract.conftest import Contract

CALLS = [(sdk, f"success.{call}") for sdk, calls in SUCCEEDING.items() for call in calls]
SUCCESSES = [(sdk, case) for sdk, case in CALLS if not case.endswith(".missing")]  # these are here for their awkward targets alone
# What the two ways differ in by right: the clock, the host and the connection (RFC 9110 7.6.1), and what the proxy adds.
RESPONSE_FIELDS_OF_A_WAY = {"date", "connection", "keep-alive", "x-nylas-proxy-attempts", "x-nylas-proxy-waited", "x-nylas-proxy-would-hold"}
REQUEST_FIELDS_OF_A_WAY = {"host", "connection"}


def comparable(value: Any) -> Any:
    """Leave out of a value the header fields in which the two ways may differ."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items() if name.lower() not in RESPONSE_FIELDS_OF_A_WAY}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def end_to_end(arrival: dict[str, Any]) -> dict[str, Any]:
    """Give of an arrived request what must be the same on both ways, byte by byte."""
    fields = [(name, value) for name, value in arrival["fields"] if name.lower() not in REQUEST_FIELDS_OF_A_WAY]
    return {"fields": fields, **{name: arrival[name] for name in ("method", "target", "version", "framing", "body_bytes", "body_sha256")}}


@pytest.mark.parametrize(("sdk", "case"), SUCCESSES)
def test_a_call_that_succeeds_returns_the_same_value_through_the_proxy(contract: Contract, sdk: str, case: str) -> None:
    direct, proxied = contract.direct.outcomes[sdk][case], contract.proxied.outcomes[sdk][case]

    assert comparable(proxied) == comparable(direct)


@pytest.mark.parametrize(("sdk", "case"), SUCCESSES)
def test_the_calls_that_are_compared_do_succeed(contract: Contract, sdk: str, case: str) -> None:
    assert "value" in contract.direct.outcomes[sdk][case], contract.direct.outcomes[sdk][case]["raised"]


@pytest.mark.parametrize(("sdk", "case"), CALLS)
def test_the_request_reaches_nylas_byte_by_byte_as_the_sdk_sent_it(contract: Contract, sdk: str, case: str) -> None:
    direct, proxied = contract.direct.arrivals[sdk][case], contract.proxied.arrivals[sdk][case]

    assert direct, "the call sent nothing"
    assert [end_to_end(arrival) for arrival in proxied] == [end_to_end(arrival) for arrival in direct]


@pytest.mark.parametrize("recorded", RECORDED_SUCCESSES, ids=lambda recorded: recorded.id)
@pytest.mark.parametrize("sdk", ["v6", "v5"])
def test_a_recorded_response_of_status_200_passes_untouched_even_where_it_tells_of_an_error(contract: Contract, sdk: str, recorded: Recorded) -> None:
    case = f"replayed.{recorded.id}"

    assert comparable(contract.proxied.outcomes[sdk][case]) == comparable(contract.direct.outcomes[sdk][case])


def test_the_contract_covers_uploads_over_three_megabytes(contract: Contract) -> None:
    multipart = contract.proxied.arrivals["v6"]["success.messages.send.large_attachment"][-1]
    file = contract.proxied.arrivals["v5"]["success.files.upload.large"][-1]

    assert multipart["body_bytes"] > 3 * 1024 * 1024
    assert file["body_bytes"] > 3 * 1024 * 1024


@pytest.mark.parametrize("sdk", ["v6", "v5"])
def test_the_login_url_that_the_sdk_builds_leads_a_browser_on_to_nylas(contract: Contract, sdk: str) -> None:
    built, built_directly = (urlsplit(way.outcomes[sdk]["hosted_auth"]["value"]) for way in (contract.proxied, contract.direct))
    connection = HTTPConnection(built.netloc, timeout=30)
    connection.request("GET", f"{built.path}?{built.query}")
    answer = connection.getresponse()
    connection.close()

    assert answer.status == 302
    assert answer.headers["Location"] == f"{contract.upstream_urls[sdk]}{built.path}?{built.query}"
    assert (built.path, built.query) == (built_directly.path, built_directly.query)


def test_an_application_can_read_in_every_answer_how_often_the_proxy_asked_nylas(contract: Contract) -> None:
    values = [outcome.get("value") for outcome in contract.proxied.outcomes["v6"].values()]
    answers = [value["headers"] for value in values if isinstance(value, dict) and "headers" in value]

    assert len(answers) > 50
    assert {headers["X-Nylas-Proxy-Attempts"] for headers in answers} == {"1"}
    assert {headers["X-Nylas-Proxy-Waited"] for headers in answers} == {"0"}


@pytest.mark.parametrize("sdk", ["v6", "v5"])
def test_the_sdk_speaks_tls_to_the_proxy_as_it_would_to_nylas(contract: Contract, sdk: str) -> None:
    assert "value" in contract.proxied.outcomes[sdk]["tls"], contract.proxied.outcomes[sdk]["tls"]
