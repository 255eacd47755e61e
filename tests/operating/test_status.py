"""What the status page's document says while things happen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from operating.rig import AT_ONCE, TOKEN, Sidecar, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Settings

    from operating.rig import Caller, Nylas

SETTINGS: Settings = {
    "windows.default_s": {"exchange_throttle": 2},
    "limits.overrides.v3_contacts": {"count": 10, "per_s": 600},
    "providers.known": {"microsoft-a": "microsoft"},
}
OPEN = 'nylas_proxy_windows_open{cause="exchange_throttle",level="grant"}'
PATIENT = {"X-Nylas-Proxy-Patience": "30"}


@pytest.fixture(scope="module")
def sidecar(nylas: Nylas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(nylas.url, tmp_path_factory.mktemp("status"), SETTINGS) as running:
        yield running


def hash_of(sidecar: Sidecar, mailbox: str) -> str:
    """By what the log knows a mailbox."""
    answer = sidecar.ask(f"/v3/grants/{mailbox}/calendars")
    assert answer.status == 200
    found: str = sidecar.lines("request", at_least=1, request_id=answer.fields["X-Request-Id"])[0]["grant"]
    return found


def asking(sidecar: Sidecar, *paths: str, cue: str = "") -> tuple[list[threading.Thread], list[int]]:
    """Some who ask at the same time and are patient, and the statuses that they get."""
    answers: list[int] = []

    def ask(one: Caller, path: str) -> None:
        answers.append(one.ask(path, cue=cue, fields=PATIENT).status)

    threads = [threading.Thread(target=ask, args=(sidecar.caller(), path)) for path in paths]
    for thread in threads:
        thread.start()
    return threads, answers


def window_of(sidecar: Sidecar, grant: str) -> Any:
    return next((window for window in sidecar.status()["windows"] if window["grant"] == grant), None)


@pytest.mark.parametrize(
    ("mailbox", "cue", "source"), [("ews-s", "throttle_s=2", "retry_after"), ("ews-t", "throttle_s=2; retry_after=0", "default")]
)
def test_an_exchange_throttle_is_shown_from_its_beginning_to_the_recovery(sidecar: Sidecar, mailbox: str, cue: str, source: str) -> None:
    grant, path = hash_of(sidecar, mailbox), f"/v3/grants/{mailbox}/messages"
    assert sidecar.ask(path, cue=cue, fields=AT_ONCE).status == 429
    first = window_of(sidecar, grant)
    assert (first["scope"], first["cause"], first["state"], first["source"]) == ("grant", "exchange_throttle", "closed", source)
    assert first["meaning"]
    assert first["solution"]
    threads, answers = asking(sidecar, path, f"/v3/grants/{mailbox}/events")
    held = until(lambda: (window_of(sidecar, grant) or {}).get("waiting") == 2 and sidecar.status())
    assert [(one["by"], one["name"], one["level"], one["requests"], one["grants"]) for one in held["waiting"]] == [
        ("window", "exchange_throttle", "grant", 2, 1)
    ]
    assert sidecar.metrics()[OPEN] == 1
    later = window_of(sidecar, grant)
    assert later["closes_in_s"] < first["closes_in_s"] <= first["length_s"]
    (of_it,) = [one for one in held["grants"] if one["grant"] == grant]
    assert (of_it["throttles"], of_it["throttled_by"], of_it["closed"], of_it["provider"]) == (1, "exchange_throttle", True, "ews")
    for thread in threads:
        thread.join()
    assert answers == [200, 200]
    recovering = until(lambda: (now := window_of(sidecar, grant)) and now["state"] == "recovering" and now)
    assert recovering["closes_in_s"] == 0
    after = sidecar.status()
    assert (sidecar.metrics()[OPEN], after["waiting"]) == (0, [])
    assert [one["closed"] for one in after["grants"] if one["grant"] == grant] == [False]


def test_all_who_wait_for_one_mailbox_are_shown_and_counted_under_what_closed_it(sidecar: Sidecar) -> None:
    path = "/v3/grants/nylas-many/messages"
    grant = sidecar.order("/windows", {"scope": "grant", "grant": "nylas-many", "seconds": 2}).json["grant"]
    threads, answers = asking(sidecar, *[path] * 4)
    until(lambda: sidecar.metrics()["nylas_proxy_queue_depth"] == 4)
    shown = sidecar.status()
    (window,) = [window for window in shown["windows"] if window["grant"] == grant]
    (waiting,) = shown["waiting"]
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    told = [waiting[key] for key in ("by", "name", "level", "requests", "grants")]
    assert told == ["window", "closed_by_operator", "grant", 4, 1]
    assert window["waiting"] == 4
    assert sidecar.metrics()['nylas_proxy_holds_total{by="window",level="grant",name="closed_by_operator"}'] == 4


def usage(sidecar: Sidecar, limit: str) -> Any:
    return next((one for one in sidecar.status()["limits"] if one["name"] == limit), None)


def test_the_usage_of_a_limit_is_what_was_sent_of_the_one_who_sent_most(sidecar: Sidecar) -> None:
    for mailbox, times in (("nylas-a", 7), ("nylas-b", 3)):
        for _ in range(times):
            assert sidecar.ask(f"/v3/grants/{mailbox}/contacts", fields=AT_ONCE).status == 200
    shown = usage(sidecar, "v3_contacts")
    assert (shown["used"], shown["count"], shown["per_s"], shown["unit"], shown["level"]) == (7, 10, 600, "request", "grant")
    assert (shown["grant"], shown["others"]) == (hash_of(sidecar, "nylas-a"), 1)
    asked = {one["grant"]: one["requests_per_min"] for one in sidecar.status()["grants"] if not one["throttles"]}
    heaviest, lighter = hash_of(sidecar, "nylas-a"), hash_of(sidecar, "nylas-b")
    assert next(iter(asked)) == heaviest
    assert asked[heaviest] > asked[lighter] > 0


def test_the_usage_of_a_cap_is_what_is_under_way(sidecar: Sidecar) -> None:
    threads, answers = asking(sidecar, *["/v3/grants/microsoft-a/messages"] * 2, cue="delay_s=1")
    shown = until(lambda: (now := usage(sidecar, "microsoft_in_flight")) and now["used"] == 2 and now)
    assert (shown["unit"], shown["grant"], shown["others"]) == ("in_flight", hash_of(sidecar, "microsoft-a"), 0)
    for thread in threads:
        thread.join()
    assert answers == [200, 200]
    until(lambda: not usage(sidecar, "microsoft_in_flight"))


def test_refusals_come_with_what_they_mean_and_what_to_do(sidecar: Sidecar) -> None:
    path = "/v3/grants/nylas-c/contacts"
    statuses = [sidecar.ask(path, fields=AT_ONCE).status for _ in range(13)]
    assert statuses == [200] * 10 + [429] * 3
    told = sidecar.ask(path, fields=AT_ONCE)
    latest = sidecar.status()["refusals"][0]
    expected = {"times": 4, "status": 429, "cause": "rate_limit_nylas", "by": "limit", "name": "v3_contacts", "route": "contacts"}
    assert {key: latest[key] for key in expected} == expected
    assert latest["grant"] == hash_of(sidecar, "nylas-c")
    assert latest["wait_s"] == pytest.approx(int(told.fields["Retry-After"]), abs=1)
    assert told.proxy["meaning"].startswith(latest["meaning"])
    assert latest["solution"] == told.proxy["solution"]


def test_names_of_mailboxes_and_tokens_are_not_shown(sidecar: Sidecar) -> None:
    for mailbox in ("ada@example.com", "ada%40example.com", "nylas-named"):
        assert sidecar.ask(f"/v3/grants/{mailbox}/contacts").status == 200
    told = sidecar.everything_told()
    assert [name for name in ("ada@", "ada%40", "nylas-named", "nylas-a", "ews-s", TOKEN, "nyk_operating") if name in told] == []


def test_settings_are_shown_without_their_secrets(nylas: Nylas, tmp_path: Path) -> None:
    key = tmp_path / "identity.key"
    key.write_bytes(b"s3cret key of the identity")
    settings: Settings = {
        "upstream": {"proxy_url": "http://user:s3cret-of-the-way@localhost:4"},
        "redis": {"url": "redis://user:s3cret-of-redis@localhost:4/2"},
        "identity": {"key_file": str(key)},
    }
    with Sidecar(nylas.url, tmp_path, settings) as sidecar:
        shown = {(one["section"], one["key"]): (one["value"], one["source"]) for one in sidecar.status()["settings"]}
        assert shown["admin", "token"][0] not in {'""', f'"{TOKEN}"'}
        assert shown["upstream", "proxy_url"][0].endswith('@localhost:4"')
        assert shown["redis", "url"][0].endswith('@localhost:4/2"')
        assert {source.rpartition(":")[0] for source in (shown["admin", "token"][1], shown["redis", "url"][1])} == {str(sidecar.file)}
        told = sidecar.everything_told()
        assert [secret for secret in ("s3cret", "user:", TOKEN) if secret in told] == []
