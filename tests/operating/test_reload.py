"""SIGHUP while requests pass: what has changed takes effect, what is wrong does not, and nobody who asks notices anything else."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from typing import TYPE_CHECKING, NamedTuple

import pytest

from operating.rig import AT_ONCE, Load, Sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Event, Settings

    from operating.rig import Nylas

BEFORE: Settings = {
    "limits.overrides.v3_contacts": {"count": 2, "per_s": 60},
    "patience": {"default_s": 0},
    "retry": {"max_attempts": 3, "initial_s": 0.001, "budget_ratio": 1},
    "windows.default_s": {"exchange_throttle": 600},
}
AFTER: Settings = {
    "limits.overrides.v3_contacts": {"count": 3, "per_s": 0.3},
    "patience": {"default_s": 10},
    "retry": {"max_attempts": 2, "initial_s": 0.001, "budget_ratio": 1},
    "windows.default_s": {"exchange_throttle": 60},
    "log": {"format": "json", "level": "debug", "successes": 0},
}
APPLIED = ["patience.default_s", "retry.max_attempts", "limits.overrides", "windows.default_s", "log.level", "log.successes"]
CALLERS = 8
ASKED = 200
numbers = itertools.count()


class Behaviour(NamedTuple):
    """What can be seen of the settings from outside."""

    attempts: str
    contacts: tuple[int, ...]
    exchange_closed_s: int
    lines_of_a_success: int
    lines_of_an_error: int
    lines_of_a_repetition: bool


OLD = Behaviour("3", (200, 200, 429, 429), 600, 1, 1, lines_of_a_repetition=False)
NEW = Behaviour("2", (200, 200, 200, 200), 60, 0, 1, lines_of_a_repetition=True)


def behaviour(sidecar: Sidecar) -> Behaviour:
    """Find out with mailboxes that nobody has asked for yet."""
    number = next(numbers)
    repeated_before = len(sidecar.lines("request.retried"))
    failed = sidecar.ask(f"/v3/grants/nylas-r{number}/messages", cue="status=503; html=1", fields={"X-Nylas-Proxy-Patience": "5"})
    contacts = [sidecar.ask(f"/v3/grants/nylas-r{number}/contacts") for _ in range(4)]
    throttled = sidecar.ask(f"/v3/grants/ews-r{number}/messages", cue="throttle_s=30; retry_after=0", fields=AT_ONCE)
    closed_s = int(throttled.fields["Retry-After"])
    sidecar.wait_for_lines()
    return Behaviour(
        failed.fields["X-Nylas-Proxy-Attempts"],
        tuple(answer.status for answer in contacts),
        closed_s - closed_s % 60,  # up to a tenth is added by dice
        len(sidecar.lines("request", request_id=contacts[0].fields["X-Request-Id"])),
        len(sidecar.lines("request", request_id=failed.fields["X-Request-Id"])),
        len(sidecar.lines("request.retried")) > repeated_before,
    )


class Reloaded(NamedTuple):
    """A proxy whose settings were read again under load."""

    sidecar: Sidecar
    load: Load
    before: Behaviour
    line: Event


@pytest.fixture(scope="module")
def reloaded(nylas: Nylas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloaded]:
    with Sidecar(nylas.url, tmp_path_factory.mktemp("reloaded"), BEFORE) as sidecar:
        before = behaviour(sidecar)
        with Load(sidecar, CALLERS, ASKED) as load:
            sidecar.write({**AFTER, "listen": {"port": 4}})
            sidecar.process.signal(signal.SIGHUP)
            line = sidecar.lines("settings.reloaded", at_least=1)[0]
        yield Reloaded(sidecar, load, before, line)


@pytest.fixture(scope="module")
def own(nylas: Nylas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(nylas.url, tmp_path_factory.mktemp("refusing"), BEFORE) as running:
        yield running


@pytest.fixture
def refusing(own: Sidecar) -> Sidecar:
    """A proxy that goes by what it was started with, and whose file says so."""
    own.write({})
    assert own.order("/reload").status == 200
    return own


def test_a_reload_fails_no_request_and_drops_no_connection(reloaded: Reloaded) -> None:
    assert set(reloaded.load.answers) == {200}
    assert reloaded.load.answers[200] >= ASKED


def test_what_has_changed_takes_effect_at_once(reloaded: Reloaded) -> None:
    assert (reloaded.before, behaviour(reloaded.sidecar)) == (OLD, NEW)


def test_the_log_tells_what_took_effect_and_what_waits_for_a_restart(reloaded: Reloaded) -> None:
    assert reloaded.line["applied"] == APPLIED
    assert reloaded.line["at_restart"] == ["listen.port"]
    reloaded.sidecar.wait_for_lines()
    assert len(reloaded.sidecar.lines("settings.reloaded")) == 1


def test_the_status_page_shows_the_settings_in_force_and_where_each_comes_from(reloaded: Reloaded) -> None:
    file = reloaded.sidecar.file
    wanted = {"port = 4": "listen", "default_s = 10": "patience", "level": "log"}
    line_of = {section: number for number, line in enumerate(file.read_text().splitlines(), 1) for key, section in wanted.items() if key in line}
    shown = {(one["section"], one["key"]): (one["value"], one["source"]) for one in reloaded.sidecar.status()["settings"]}
    assert shown["patience", "default_s"] == ("10.0", f"{file}:{line_of['patience']}")
    assert shown["log", "level"] == ('"debug"', f"{file}:{line_of['log']}")
    assert shown["listen", "port"] == ("0", f"{file}:2")
    assert reloaded.sidecar.ask("/v3/grants/nylas-a/calendars").status == 200


def test_a_broken_file_under_load_changes_nothing_and_is_told_once(refusing: Sidecar) -> None:
    refusing.wait_for_lines()
    told_before = len(refusing.lines("settings.refused"))
    with Load(refusing, CALLERS, ASKED) as load:
        refusing.write(AFTER, "[limits]\nhedroom = 0.1\n")
        line_number = refusing.file.read_text().splitlines().index("hedroom = 0.1") + 1
        refusing.process.signal(signal.SIGHUP)
        refusing.lines("settings.refused", at_least=told_before + 1)
    assert set(load.answers) == {200}
    assert behaviour(refusing) == OLD
    refusing.wait_for_lines()
    (told,) = refusing.lines("settings.refused")[told_before:]
    (mistake,) = told["mistakes"]
    assert mistake.startswith(f"{refusing.file}:{line_number}: limits.hedroom: ")
    assert "headroom" in mistake
    ordered = refusing.order("/reload")
    assert (ordered.status, ordered.json["error"]["type"], ordered.json["mistakes"]) == (422, "settings_refused", [mistake])


def test_a_file_that_has_vanished_changes_nothing(refusing: Sidecar) -> None:
    refusing.file.unlink()
    ordered = refusing.order("/reload")
    assert ordered.status == 422
    (mistake,) = ordered.json["mistakes"]
    assert str(refusing.file) in mistake
    assert behaviour(refusing) == OLD


@pytest.mark.parametrize(
    ("impossible", "names"),
    [
        ("[limits.overrides.microsoft_in_flight]\nper_s = 5\n", "limits.overrides.microsoft_in_flight"),
        ("[limits.overrides.v3_messages]\ncount = 0\n", "limits.overrides.v3_messages.count"),
        ("[limits.overrides.v3_mesages]\ncount = 5\n", "limits.overrides.v3_mesages"),
    ],
)
def test_an_override_that_no_limit_can_have_changes_nothing(refusing: Sidecar, impossible: str, names: str) -> None:
    refusing.write({**AFTER, "patience": {"default_s": 10, "max_waiting": 1}}, impossible)
    line_number = len(refusing.file.read_text().splitlines())
    ordered = refusing.order("/reload")
    assert ordered.status == 422
    (mistake,) = ordered.json["mistakes"]
    told, _, what = mistake.partition(f": {names}: ")
    assert what
    assert told in {f"{refusing.file}:{line_number}", f"{refusing.file}:{line_number - 1}"}
    assert behaviour(refusing) == OLD


def test_of_several_signals_at_once_the_last_file_is_in_force_and_nobody_notices(refusing: Sidecar) -> None:
    refusing.wait_for_lines()
    told_before = len(refusing.lines("settings.reloaded"))
    with Load(refusing, CALLERS, ASKED) as load:
        for default_s in (1, 2, 3):
            refusing.write({"patience": {"default_s": default_s}})
            os.kill(refusing.process.pid, signal.SIGHUP)
            os.kill(refusing.process.pid, signal.SIGHUP)
        refusing.lines("settings.reloaded", at_least=told_before + 1)
        assert refusing.order("/reload").status == 200
    assert set(load.answers) == {200}
    shown = {(one["section"], one["key"]): one["value"] for one in refusing.status()["settings"]}
    assert shown["patience", "default_s"] == "3.0"


def test_a_level_by_order_lasts_until_the_settings_are_read_again(refusing: Sidecar) -> None:
    assert refusing.order("/log-level", {"level": "error"}).json == {"level": "error"}
    quiet = refusing.ask("/v3/grants/nylas-quiet/calendars")
    assert refusing.order("/reload").status == 200
    refusing.wait_for_lines()
    assert refusing.lines("request", request_id=quiet.fields["X-Request-Id"]) == []


def test_a_file_that_took_long_to_read_does_not_overtake_a_newer_one(nylas: Nylas, tmp_path: Path) -> None:
    with Sidecar(nylas.url, tmp_path) as sidecar:
        sidecar.write({"patience": {"default_s": 1}})
        older = sidecar.file.read_bytes()
        sidecar.file.unlink()
        os.mkfifo(sidecar.file)
        sidecar.process.signal(signal.SIGHUP)
        with sidecar.file.open("wb") as slow:  # opens when the proxy has begun to read
            sidecar.file.unlink()
            sidecar.write({"patience": {"default_s": 2}})
            sidecar.process.signal(signal.SIGHUP)
            sidecar.wait_for_lines()
            slow.write(older)
        sidecar.lines("settings.reloaded", at_least=2)
        shown = {(one["section"], one["key"]): one["value"] for one in sidecar.status()["settings"]}
        assert shown["patience", "default_s"] == "2.0"


def test_a_reload_during_the_drain_disturbs_neither(nylas: Nylas, tmp_path: Path) -> None:
    with Sidecar(nylas.url, tmp_path, BEFORE) as sidecar:
        answers: list[int] = []
        asking = sidecar.caller()
        cue = "delay_s=2"
        slow = threading.Thread(target=lambda: answers.append(asking.ask("/v3/grants/nylas-slow/messages", cue=cue).status))
        slow.start()
        while not nylas.arrivals("nylas-slow"):
            pass
        sidecar.process.terminate()
        sidecar.lines("proxy.draining", at_least=1)
        sidecar.write(AFTER)
        sidecar.process.signal(signal.SIGHUP)
        assert sidecar.lines("settings.reloaded", at_least=1)[0]["applied"] == APPLIED
        slow.join()
        assert (answers, sidecar.process.exit_status()) == ([200], 0)
        assert sidecar.lines("proxy.stopped", cut_requests=0, hurried=False)
