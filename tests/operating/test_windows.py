"""Windows that an operator closes by hand: they hold as those of throttling answers do, whatever a mailbox is called, wherever it is asked for."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from one_shape import assert_one_shape

from operating.rig import AT_ONCE, Sidecar, until
from proxy.core.model import ErrorAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.conftest import Server
    from wire.process import Settings

    from operating.rig import Answer, Nylas

CLOSED_S = 120
numbers = itertools.count()


@pytest.fixture(scope="module")
def sidecar(nylas: Nylas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(nylas.url, tmp_path_factory.mktemp("closing")) as running:
        yield running


@pytest.fixture
def mailbox() -> str:
    """An address that nobody has asked for yet."""
    return f"w{next(numbers)}.ann@example.com"


def messages(sidecar: Sidecar, mailbox: str, *, cue: str = "", patience_s: float = 0) -> Answer:
    return sidecar.ask(f"/v3/grants/{mailbox}/messages", cue=cue, fields={"X-Nylas-Proxy-Patience": str(patience_s)})


def send(sidecar: Sidecar, mailbox: str) -> Answer:
    mail = {"subject": "mail 1", "to": [{"email": "ada@example.com"}]}
    return sidecar.ask(f"/v3/grants/{mailbox}/messages/send", method="POST", fields=AT_ONCE, body=mail)


def close(sidecar: Sidecar, mailbox: str, seconds: int = CLOSED_S, scope: str = "grant") -> Any:
    ordered = sidecar.order("/windows", {"scope": scope, "grant": mailbox, "seconds": seconds})
    assert ordered.status == 200, ordered.raw
    return ordered.json


def window_of(sidecar: Sidecar, grant: str) -> Any:
    """The window of the grant with this hash on the status page, or None."""
    return next((window for window in sidecar.status()["windows"] if window["grant"] == grant), None)


def assert_closed_by_hand(answer: Answer, at_most_s: int = CLOSED_S) -> None:
    fields = tuple((name.encode(), value.encode()) for name, value in answer.fields.items())
    assert_one_shape(ErrorAnswer(answer.status, fields, answer.raw), oauth=False)
    assert (answer.status, answer.proxy["cause"], answer.proxy["origin"]) == (429, "closed_by_operator", "proxy")
    assert at_most_s - 20 <= int(answer.fields["Retry-After"]) <= at_most_s
    assert answer.fields["X-Nylas-Proxy-Attempts"] == "0"


def test_a_closed_mailbox_is_refused_at_once_and_others_are_not(sidecar: Sidecar, mailbox: str, nylas: Nylas) -> None:
    assert messages(sidecar, mailbox).status == 200
    closed = close(sidecar, mailbox)
    assert closed == {"scope": "grant", "grant": closed["grant"], "closed_s": pytest.approx(CLOSED_S, abs=1)}
    refused = messages(sidecar, mailbox)
    assert_closed_by_hand(refused)
    assert window_of(sidecar, closed["grant"])["closes_in_s"] <= int(refused.fields["Retry-After"])
    assert messages(sidecar, f"other.{mailbox}").status == 200
    assert_closed_by_hand(send(sidecar, mailbox))
    assert len(nylas.arrivals(f"/{mailbox}/")) == 1


@pytest.mark.parametrize(
    ("ordered", "asked"),
    [
        ("w{}.Bob@Example.com", "w{}.bob@example.com"),
        ("w{}.bob@example.com", "W{}.BOB@EXAMPLE.COM"),
        ("w{}.bob@example.com", "w{}.bob%40example.com"),
        ("w{}.bob%40example.com", "w{}.b%6Fb@example.com"),
        ("0A8F3E52-4C1B-4C7E-9D11-00000000{:04}", "0a8f3e52-4c1b-4c7e-9d11-00000000{:04}"),
    ],
)
def test_a_mailbox_is_the_same_in_every_spelling(sidecar: Sidecar, ordered: str, asked: str) -> None:
    number = next(numbers)
    close(sidecar, ordered.format(number))
    assert_closed_by_hand(messages(sidecar, asked.format(number)))


def test_a_mailbox_can_be_named_by_its_hash_on_the_status_page(sidecar: Sidecar, mailbox: str) -> None:
    before = {grant["grant"] for grant in sidecar.status()["grants"]}
    assert messages(sidecar, mailbox).status == 200
    (found,) = {grant["grant"] for grant in sidecar.status()["grants"]} - before
    assert close(sidecar, found.upper())["grant"] == found
    assert_closed_by_hand(messages(sidecar, mailbox))


def test_an_account_of_v2_can_be_closed_by_its_hash(sidecar: Sidecar) -> None:
    fields = {**AT_ONCE, "Authorization": "Bearer nyk_of_an_account"}
    before = {grant["grant"] for grant in sidecar.status()["grants"]}
    assert sidecar.ask("/messages", fields=fields).status == 200
    (found,) = {grant["grant"] for grant in sidecar.status()["grants"]} - before
    close(sidecar, found)
    assert_closed_by_hand(sidecar.ask("/messages", fields=fields))


def test_a_window_becomes_longer_by_hand_and_never_shorter(sidecar: Sidecar, mailbox: str) -> None:
    assert [round(close(sidecar, mailbox, seconds)["closed_s"], -1) for seconds in (300, 60, 600)] == [300, 300, 600]
    assert_closed_by_hand(messages(sidecar, mailbox), 600)


def test_an_order_that_does_not_reach_beyond_a_throttle_leaves_its_cause_and_its_source(sidecar: Sidecar) -> None:
    mailbox = f"ews-w{next(numbers)}"
    assert messages(sidecar, mailbox, cue="throttle_s=300").proxy["cause"] == "exchange_throttle"
    closed = close(sidecar, mailbox, 10)
    assert closed["closed_s"] > 290
    window = window_of(sidecar, closed["grant"])
    assert (window["cause"], window["source"]) == ("exchange_throttle", "retry_after")
    assert messages(sidecar, mailbox).proxy["cause"] == "exchange_throttle"


def test_an_order_that_reaches_beyond_a_throttle_takes_its_place(sidecar: Sidecar) -> None:
    mailbox = f"ews-w{next(numbers)}"
    assert messages(sidecar, mailbox, cue="throttle_s=20").proxy["cause"] == "exchange_throttle"
    window = window_of(sidecar, close(sidecar, mailbox)["grant"])
    assert (window["cause"], window["source"]) == ("closed_by_operator", "operator")
    assert_closed_by_hand(messages(sidecar, mailbox))


def test_sends_can_be_closed_alone(sidecar: Sidecar, mailbox: str) -> None:
    close(sidecar, mailbox, scope="sends")
    assert_closed_by_hand(send(sidecar, mailbox))
    assert messages(sidecar, mailbox).status == 200


def test_a_closed_application_is_asked_for_nothing_that_names_no_grant(nylas: Nylas, tmp_path: Path) -> None:
    with Sidecar(nylas.url, tmp_path) as sidecar:
        assert sidecar.ask("/v3/webhooks", fields=AT_ONCE).status == 200
        assert sidecar.order("/windows", {"scope": "application", "seconds": CLOSED_S}).status == 200
        assert_closed_by_hand(sidecar.ask("/v3/webhooks", fields=AT_ONCE))
        assert_closed_by_hand(sidecar.ask("/messages", fields=AT_ONCE))


def test_a_patient_request_is_held_until_the_window_is_over(sidecar: Sidecar, mailbox: str) -> None:
    close(sidecar, mailbox, 1)
    held = messages(sidecar, mailbox, patience_s=10)
    assert (held.status, held.fields["X-Nylas-Proxy-Attempts"]) == (200, "1")
    assert float(held.fields["X-Nylas-Proxy-Waited"]) > 0


def test_a_mailbox_that_recovers_can_be_closed_by_hand(sidecar: Sidecar, mailbox: str) -> None:
    close(sidecar, mailbox, 1)
    assert messages(sidecar, mailbox, patience_s=10).status == 200
    window = window_of(sidecar, close(sidecar, mailbox)["grant"])
    assert (window["state"], window["source"]) == ("closed", "operator")
    asking = sidecar.caller()
    for _ in range(5):  # none of them is held by the pace of the recovery
        assert_closed_by_hand(asking.ask(f"/v3/grants/{mailbox}/messages", fields=AT_ONCE))


def test_an_order_is_told_once_and_names_nobody(sidecar: Sidecar, mailbox: str) -> None:
    closed = close(sidecar, mailbox)
    of_it = {"scope": "grant", "grant": closed["grant"]}
    assert messages(sidecar, mailbox).status == 429
    sidecar.wait_for_lines()
    (ordered,) = sidecar.lines("operator.window", **of_it)
    (opened,) = sidecar.lines("window.opened", **of_it)
    assert (ordered["seconds"], opened["cause"], opened["source"]) == (CLOSED_S, "closed_by_operator", "operator")
    told = sidecar.everything_told().lower()
    assert closed["grant"] in told
    assert "ann@" not in told
    assert "ann%40" not in told


def with_redis(server: Server, folder: Path) -> Settings:
    key = folder / "identity.key"
    key.write_bytes(b"an identity key of some length")
    return {"redis": {"url": server.url, "connect_timeout_ms": 2000, "command_timeout_ms": 2000, "replicas": 2}, "identity": {"key_file": str(key)}}


@pytest.fixture
def pair(nylas: Nylas, server: Server, tmp_path: Path) -> Iterator[tuple[Sidecar, Sidecar]]:
    """Two proxies that share a Redis."""
    settings = with_redis(server, tmp_path)
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    with Sidecar(nylas.url, folders[0], settings) as one, Sidecar(nylas.url, folders[1], settings) as other:
        yield one, other


def test_what_one_proxy_closes_by_hand_is_closed_for_all_who_share_the_ledger(pair: tuple[Sidecar, Sidecar], mailbox: str) -> None:
    one, other = pair
    asked_before = f"known.{mailbox}"
    assert messages(other, asked_before).status == 200
    for each in (asked_before, mailbox):
        closed = close(one, each)
        assert_closed_by_hand(messages(other, each))
        assert_closed_by_hand(messages(one, each))
        (opened,) = other.lines("window.opened", at_least=1, grant=closed["grant"])
        assert (opened["cause"], opened["source"]) == ("closed_by_operator", "elsewhere")
        assert window_of(other, closed["grant"])["source"] == "elsewhere"
    assert messages(other, f"third.{mailbox}").status == 200


def test_a_window_that_reopens_through_one_proxy_is_over_for_the_other(pair: tuple[Sidecar, Sidecar], mailbox: str) -> None:
    one, other = pair
    closed = close(one, mailbox, 2)
    assert messages(other, mailbox).status == 429
    other.lines("window.opened", at_least=1, grant=closed["grant"])
    until(lambda: messages(one, mailbox).status == 200)
    one.lines("window.closed", at_least=1, grant=closed["grant"])
    assert messages(other, mailbox).status == 200
    assert len(other.lines("window.closed", at_least=1, grant=closed["grant"])) == 1


def test_a_window_closed_by_hand_survives_a_restart(nylas: Nylas, tmp_path: Path, mailbox: str) -> None:
    journal = tmp_path / "windows.json"
    settings: Settings = {"windows": {"journal": str(journal)}}
    with Sidecar(nylas.url, tmp_path, settings) as first:
        closed = close(first, mailbox)
    assert closed["grant"] in journal.read_text()
    with Sidecar(nylas.url, tmp_path, settings) as second:
        assert_closed_by_hand(messages(second, mailbox))
        window = window_of(second, closed["grant"])
        assert (window["cause"], window["source"]) == ("closed_by_operator", "elsewhere")
