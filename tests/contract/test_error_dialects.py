"""Every recorded error through the SDKs: their own exception class, and never less in it than without the proxy."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from contract.cases import RECORDED_ERRORS, Recorded
from contract.justified import FIELDS_OF_A_BODY, JUSTIFICATIONS, NOT_SHOWN, Justification, justified
from contract.seen import SeenError, error, keeps, leaves

if TYPE_CHECKING:
    from contract.conftest import Contract

# What becomes of the recorded errors of its own API when an SDK talks to Nylas directly: how many there are, how many end in an
# exception that is not the SDK's own, and in how many of the others the SDK finds no type. The README quotes these numbers.
WITHOUT_THE_PROXY = {"v6": (106, 11, 66), "v5": (57, 0, 13)}

each_error = pytest.mark.parametrize("recorded", RECORDED_ERRORS, ids=lambda recorded: recorded.id)
each_sdk = pytest.mark.parametrize("sdk", ["v6", "v5"])


def direct(contract: Contract, sdk: str, case: str) -> SeenError:
    return error(sdk, contract.direct.outcomes[sdk][case])


def proxied(contract: Contract, sdk: str, case: str) -> SeenError:
    return error(sdk, contract.proxied.outcomes[sdk][case])


def unread(before: SeenError, after: SeenError) -> list[tuple[str, str]]:
    """Give the texts, with the names of their fields, that can be read in `before` and not in `after`."""
    return [(name, text) for name, text in leaves(before.attributes) if text not in after.text]


def assert_complete(seen: SeenError, status: int) -> None:
    assert seen.own, f"{seen.name}: {seen.message}"
    assert type(seen.status) is int
    assert seen.status == status
    assert seen.message.strip()
    assert seen.type
    assert seen.type != "unknown"


@each_error
@each_sdk
def test_a_recorded_error_is_the_sdks_own_complete_exception(contract: Contract, sdk: str, recorded: Recorded) -> None:
    assert_complete(proxied(contract, sdk, f"replayed.{recorded.id}"), recorded.status)


@each_error
def test_sdk_6_finds_a_request_id_in_every_error(contract: Contract, recorded: Recorded) -> None:
    seen = proxied(contract, "v6", f"replayed.{recorded.id}")

    # The SDK's OAuth class sets its request_id to None whatever the body says (nylas/models/errors.py).
    assert seen.request_id or seen.name == "NylasOAuthError"
    assert seen.headers["x-request-id"]


@each_error
def test_on_the_oauth_path_a_recorded_error_is_the_sdks_oauth_exception(contract: Contract, recorded: Recorded) -> None:
    seen = proxied(contract, "v6", f"oauth.{recorded.id}")

    assert seen.name == "NylasOAuthError", seen.message
    assert_complete(seen, recorded.status)
    assert type(seen.attributes["error_code"]) is int
    assert seen.attributes["error_description"]
    assert seen.attributes["error_uri"]


@each_error
@each_sdk
def test_no_attribute_that_was_filled_without_the_proxy_changes_or_vanishes(contract: Contract, sdk: str, recorded: Recorded) -> None:
    case = f"replayed.{recorded.id}"
    before, after = direct(contract, sdk, case), proxied(contract, sdk, case)

    lost = {
        name: (value, after.attributes.get(name))
        for name, value in before.attributes.items()
        if value and not keeps(value, after.attributes.get(name)) and not justified(sdk, name, value)
    }
    assert not lost


@each_error
@each_sdk
def test_no_header_field_of_an_error_changes_or_vanishes(contract: Contract, sdk: str, recorded: Recorded) -> None:
    case = f"replayed.{recorded.id}"
    before, after = direct(contract, sdk, case), proxied(contract, sdk, case)

    lost = {
        name: (value, after.headers.get(name))
        for name, value in before.headers.items()
        if name not in FIELDS_OF_A_BODY and after.headers.get(name) != value and not justified(sdk, name, value)
    }
    assert not lost


@each_error
@each_sdk
def test_every_text_that_could_be_read_without_the_proxy_can_be_read_with_it(contract: Contract, sdk: str, recorded: Recorded) -> None:
    case = f"replayed.{recorded.id}"
    before, after = direct(contract, sdk, case), proxied(contract, sdk, case)

    assert not [name for name, _ in unread(before, after) if (sdk, name) not in NOT_SHOWN]


def test_every_field_that_need_not_be_shown_is_still_not_shown(contract: Contract) -> None:
    hidden = {
        (sdk, name)
        for sdk, recorded in product(("v6", "v5"), RECORDED_ERRORS)
        for name, _ in unread(direct(contract, sdk, f"replayed.{recorded.id}"), proxied(contract, sdk, f"replayed.{recorded.id}"))
    }

    assert hidden == NOT_SHOWN.keys()


@each_sdk
def test_the_crashes_and_poor_errors_that_the_proxy_prevents_are_as_many_as_the_readme_says(contract: Contract, sdk: str) -> None:
    own = [recorded for recorded in RECORDED_ERRORS if ("v2" in recorded.api) == (sdk == "v5") or "/" in recorded.api]
    seen = [direct(contract, sdk, f"replayed.{recorded.id}") for recorded in own]
    crashed = [before for before in seen if not before.own]
    poor = [before for before in seen if before.own and before.type in {None, "", "unknown"}]

    assert (len(seen), len(crashed), len(poor)) == WITHOUT_THE_PROXY[sdk]


def test_every_justification_is_still_needed(contract: Contract) -> None:
    def needed(justification: Justification, recorded: Recorded) -> bool:
        case = f"replayed.{recorded.id}"
        before, after = direct(contract, justification.sdk, case), proxied(contract, justification.sdk, case)
        was, now = ({**seen.headers, **seen.attributes}.get(justification.name) for seen in (before, after))
        return bool(was) and justification.applies(was) and not keeps(was, now)

    unneeded = [known for known in JUSTIFICATIONS if not any(needed(known, recorded) for recorded in RECORDED_ERRORS)]
    assert not unneeded


def test_an_application_can_ask_for_the_raw_error_and_gets_what_it_got_before(contract: Contract) -> None:
    before, after = contract.direct.outcomes["v6"]["raw.html"], contract.proxied.outcomes["v6"]["raw.html"]

    assert after == before
    assert before["raised"]["class"] == "JSONDecodeError"


def test_the_proxys_own_request_headers_do_not_reach_nylas(contract: Contract) -> None:
    (arrival,) = contract.proxied.arrivals["v6"]["raw.html"]

    assert not [name for name, _ in arrival["fields"] if name.lower().startswith("x-nylas-proxy-")]
