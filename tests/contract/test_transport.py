"""Faults between an application and Nylas, as the SDKs see them through the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.seen import error

if TYPE_CHECKING:
    from contract.conftest import Contract

each_sdk = pytest.mark.parametrize("sdk", ["v6", "v5"])

ANSWERED = {
    "fault.reset_before_head.read": (502, "upstream_broke_off"),
    "fault.reset_before_head.send": (502, "upstream_broke_off"),
    "fault.reset_in_head": (502, "upstream_broke_off"),
    "fault.html_502": (502, "upstream_unavailable"),
    "fault.html_502.gzip": (502, "upstream_unavailable"),
    "fault.upstream_down.read": (502, "upstream_unreachable"),
    "fault.upstream_down.send": (502, "upstream_unreachable"),
    "fault.response_timeout": (504, "response_timeout"),
}


@pytest.mark.parametrize("case", ANSWERED)
@each_sdk
def test_a_fault_on_the_way_is_the_sdks_own_complete_exception(contract: Contract, sdk: str, case: str) -> None:
    seen = error(sdk, contract.proxied.outcomes[sdk][case])
    status, cause = ANSWERED[case]

    assert seen.own, f"{seen.name}: {seen.message}"
    assert seen.status == status
    assert seen.type
    assert seen.message
    assert seen.headers["x-nylas-proxy-cause"] == cause
    assert seen.headers["x-request-id"]


@pytest.mark.parametrize("case", ["fault.reset_before_head.read", "fault.reset_before_head.send", "fault.upstream_down.read"])
@each_sdk
def test_without_the_proxy_the_same_fault_is_an_exception_of_another_library_without_a_status(contract: Contract, sdk: str, case: str) -> None:
    seen = error(sdk, contract.direct.outcomes[sdk][case])

    assert not seen.own
    assert seen.status is None


@pytest.mark.parametrize(("case", "status"), [("download.throttled", 429), ("download.page", 502)])
def test_a_download_that_is_refused_is_the_sdks_own_complete_exception(contract: Contract, case: str, status: int) -> None:
    seen = error("v6", contract.proxied.outcomes["v6"][case])

    assert seen.own, f"{seen.name}: {seen.message}"
    assert seen.status == status
    assert seen.type
    assert seen.message
    assert seen.request_id


@pytest.mark.parametrize("case", ["download.broken", "download.broken.bytes"])
def test_a_download_that_breaks_off_is_never_a_short_file(contract: Contract, case: str) -> None:
    outcome = contract.proxied.outcomes["v6"][case]

    assert outcome["raised"]["class"] == contract.direct.outcomes["v6"][case]["raised"]["class"]


@pytest.mark.parametrize("how", ["break_mid_body", "break_mid_body.chunked", "reset_mid_body", "reset_mid_body.close_delimited"])
@each_sdk
def test_an_answer_that_breaks_off_in_its_body_is_never_a_short_success(contract: Contract, sdk: str, how: str) -> None:
    case = f"fault.{how}"
    outcome = contract.proxied.outcomes[sdk][case]

    assert outcome["raised"]["class"] == contract.direct.outcomes[sdk][case]["raised"]["class"]


def test_a_stream_of_deltas_that_breaks_off_does_not_end_like_a_whole_one(contract: Contract) -> None:
    outcome = contract.proxied.outcomes["v5"]["stream.broken"]

    assert outcome["raised"]["class"] == contract.direct.outcomes["v5"]["stream.broken"]["raised"]["class"] == "ChunkedEncodingError"


@each_sdk
def test_a_send_whose_connection_breaks_reaches_nylas_once(contract: Contract, sdk: str) -> None:
    assert len(contract.proxied.arrivals[sdk]["fault.reset_before_head.send"]) == 1
