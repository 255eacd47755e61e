"""Settings that are tables: what they may hold, with the exact line that an operator reads."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from proxy import facts
from proxy.core.limits import Tuning, read_limits
from proxy.core.model import Cause
from proxy.core.throttle import Throttles
from proxy.settings import Limits, Providers, Settings, SettingsError, Windows, load, read, tables
from proxy.settings.kinds import Provider
from proxy.settings.report import effective_toml
from settings.refusals import APPLICATION, CONTROL, FINGERPRINT, GRANT, PROVIDERS, SECONDS, UNITS, mistakes

LIMITS: list[dict[str, Any]] = facts.load("limits")["limit"]
LIMIT_NAMES = ", ".join(row["name"] for row in LIMITS)
CAUSES = (
    "blocked, exchange_throttle, rate_limit_ambiguous, rate_limit_nylas, rate_limit_provider, rate_limit_provider_google, "
    "rate_limit_provider_microsoft, rate_limit_provider_quota, server_error"
)
OVERRIDE = f"{{ count = {UNITS}, per_s = {SECONDS} }}"
KNOWN = "a table, in the file only: id or address of a grant = " + PROVIDERS.replace(', "nylas"', ' or "nylas"')
OVERRIDES = "a table, in the file only: name of a limit = { count = a whole number, per_s = a number of seconds }, one or both of them"
FULL = """
[limits.overrides]
v3_send = { count = 7 }
[limits.application]
ba7816bf8f01cfea = "billing"
0123456789012345 = "billing"
[limits.overrides.ews_mailbox]
count = 3
per_s = 2.5
[providers]
known = { "ann@example.com" = "google", id-1 = "ews" }
[providers.aliases]
"a\\"b\\\\@ü.example" = 'id-1'
[windows]
default_s.exchange_throttle = 1800
"""
TABLES = Settings(
    limits=Limits(
        application={"ba7816bf8f01cfea": "billing", "0123456789012345": "billing"},
        overrides={"v3_send": {"count": 7}, "ews_mailbox": {"count": 3, "per_s": 2.5}},
    ),
    providers=Providers(known={"ann@example.com": "google", "id-1": "ews"}, aliases={'a"b\\@ü.example': "id-1"}),
    windows=Windows(default_s={"exchange_throttle": 1800.0}),
)


@pytest.mark.usefixtures("folder")
def test_tables_are_taken_however_they_are_written() -> None:
    Path("p.toml").write_text(FULL, "utf-8")
    assert load(Path("p.toml"), {}) == TABLES


@pytest.mark.usefixtures("folder")
def test_tables_are_printed_on_one_line_with_the_line_that_they_begin_on() -> None:
    Path("p.toml").write_text(FULL, "utf-8")
    printed = effective_toml(read(Path("p.toml"), {}))
    assert "overrides = { v3_send = { count = 7 }, ews_mailbox = { count = 3, per_s = 2.5 } }  # p.toml:2" in printed.splitlines()
    assert 'application = { ba7816bf8f01cfea = "billing", 0123456789012345 = "billing" }  # p.toml:4' in printed.splitlines()
    assert 'known = { "ann@example.com" = "google", id-1 = "ews" }  # p.toml:11' in printed.splitlines()
    assert 'aliases = { "a\\"b\\\\@\\U000000FC.example" = "id-1" }  # p.toml:12' in printed.splitlines()
    assert printed.isascii()
    assert tomllib.loads(printed)["providers"]["aliases"] == {'a"b\\@ü.example': "id-1"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "[limits.overrides]\n\nv3_calender = { count = 1 }",
            f"p.toml:3: limits.overrides.v3_calender: unknown limit; allowed {LIMIT_NAMES}; did you mean 'v3_calendar'?",
        ),
        ("limits.overrides.x.count = 1", f"p.toml:1: limits.overrides.x: unknown limit; allowed {LIMIT_NAMES}"),
        ("[limits]\noverrides.v3_send = 5", f"p.toml:2: limits.overrides.v3_send: got a number; allowed {OVERRIDE}"),
        ("[limits.overrides.v3_send]", f"p.toml:1: limits.overrides.v3_send: got an empty table; allowed {OVERRIDE}"),
        ("[[limits.overrides.v3_send]]", f"p.toml:1: limits.overrides.v3_send: got an array; allowed {OVERRIDE}"),
        ("[limits.overrides.v3_send]\nper_s = 1\ncount = 0", f"p.toml:3: limits.overrides.v3_send.count: got 0; allowed {UNITS}"),
        ("[limits.overrides]\nv3_send.count = 1.5", f"p.toml:2: limits.overrides.v3_send.count: got 1.5; allowed {UNITS}"),
        ("limits.overrides.v3_send = { per_s = inf }", f"p.toml:1: limits.overrides.v3_send.per_s: got inf; allowed {SECONDS}"),
        (
            "[limits.overrides.v3_send]\ncuont = 1",
            "p.toml:2: limits.overrides.v3_send.cuont: unknown key; allowed count, per_s; did you mean 'count'?",
        ),
        ("limits.overrides.v3_send.zzz = 1", "p.toml:1: limits.overrides.v3_send.zzz: unknown key; allowed count, per_s"),
        (
            "limits.overrides.microsoft_in_flight.per_s = 1",
            "p.toml:1: limits.overrides.microsoft_in_flight: a cap on requests in flight has no per_s",
        ),
        (
            "limits.overrides.microsoft_upload.count = 1",
            "p.toml:1: limits.overrides.microsoft_upload: nobody counts its unit, byte, so that it cannot be enforced",
        ),
        ("[[limits.overrides]]", f"p.toml:1: limits.overrides: got an array; allowed {OVERRIDES}"),
        ("limits.overrides = 5", f"p.toml:1: limits.overrides: got 5; allowed {OVERRIDES}"),
        ("limits.application.abc = 'a'", f'p.toml:1: limits.application."***": is no fingerprint; allowed {FINGERPRINT}'),
        ("[limits.application]\nBA7816BF8F01CFEA = 'a'", f'p.toml:2: limits.application."***": is no fingerprint; allowed {FINGERPRINT}'),
        ("[limits.application]\nba7816bf8f01cfeab = 'a'", f'p.toml:2: limits.application."***": is no fingerprint; allowed {FINGERPRINT}'),
        ("[limits.application]\n\"nyk_s3cret\\u007f\" = 'a'", f'p.toml:2: limits.application."***": {CONTROL}'),
        (
            "[limits.application]\n\nba7816bf8f01cfea = ''",
            'p.toml:3: limits.application.ba7816bf8f01cfea: got ""; allowed the name of an application',
        ),
        ("limits.application.ba7816bf8f01cfea = 1", "p.toml:1: limits.application.ba7816bf8f01cfea: got 1; allowed the name of an application"),
        ("limits.application.ba7816bf8f01cfea = ' '", 'p.toml:1: limits.application.ba7816bf8f01cfea: got " "; allowed the name of an application'),
        ("[[limits.application]]", f"p.toml:1: limits.application: got an array; allowed {APPLICATION}"),
        (
            'providers.known."Ann@example.com" = "gogle"',
            f'p.toml:1: providers.known."Ann@example.com": got "gogle"; allowed {PROVIDERS}; did you mean \'google\'?',
        ),
        ('[providers]\nknown = {"a" = 3}', f"p.toml:2: providers.known.a: got 3; allowed {PROVIDERS}"),
        ("[providers]\nknown = [3]", f"p.toml:2: providers.known: got an array; allowed {KNOWN}"),
        ("[providers.known]\n\n\"a\\u2028b\" = 'google'", f'p.toml:3: providers.known."a\\u2028b": {CONTROL}'),
        ("[providers.known]\n'' = 'google'", 'p.toml:2: providers.known."": is empty or holds a blank'),
        ("[providers.known]\n'a b' = 'google'", 'p.toml:2: providers.known."a b": is empty or holds a blank'),
        ("[providers.aliases]\nME = 'a'", "p.toml:2: providers.aliases.ME: is whoever asks, so no particular grant"),
        ("[providers.known]\n'a@b' = 'google'\n'A%40b' = 'ews'", 'p.toml:3: providers.known."A%40b": is another spelling of "a@b"'),
        ("[providers.aliases]\n'a@b' = 'c'\n'A@b' = 'd'", 'p.toml:3: providers.aliases."A@b": is another spelling of "a@b"'),
        ("[providers.aliases]\na = 'A'", "p.toml:2: providers.aliases.a: means itself"),
        ("[providers.aliases]\na = ''", f'p.toml:2: providers.aliases.a: got ""; allowed {GRANT}'),
        ("[providers.aliases]\na = 'me'", f"p.toml:2: providers.aliases.a: is whoever asks, so no particular grant; allowed {GRANT}"),
        ('[providers.aliases]\na = "b\\t"', f"p.toml:2: providers.aliases.a: {CONTROL}; allowed {GRANT}"),
        (
            "[windows.default_s]\nexchange_throtle = 3",
            f"p.toml:2: windows.default_s.exchange_throtle: unknown cause of throttling; allowed {CAUSES}; did you mean 'exchange_throttle'?",
        ),
        ("[windows.default_s]\nnot_found = 3", f"p.toml:2: windows.default_s.not_found: unknown cause of throttling; allowed {CAUSES}"),
        ("[windows]\ndefault_s.blocked = 0", f"p.toml:2: windows.default_s.blocked: got 0; allowed {SECONDS}"),
    ],
)
def test_a_mistake_in_a_table_names_its_own_line_and_the_whole_key(text: str, mistake: str) -> None:
    assert mistakes(text) == [mistake]


@pytest.mark.usefixtures("folder")
def test_all_mistakes_of_a_table_are_told_one_for_each_name() -> None:
    text = "[providers.known]\na = 'x'\nb = 'google'\nB = 'y'\n[limits.overrides.v3_send]\ncount = 0\nper_s = 0"
    assert mistakes(text) == [
        f'p.toml:2: providers.known.a: got "x"; allowed {PROVIDERS}',
        f'p.toml:4: providers.known.B: got "y"; allowed {PROVIDERS}',
        "p.toml:4: providers.known.B: is another spelling of b",
        f"p.toml:6: limits.overrides.v3_send.count: got 0; allowed {UNITS}",
        f"p.toml:7: limits.overrides.v3_send.per_s: got 0; allowed {SECONDS}",
    ]


@pytest.mark.parametrize(
    ("variable", "table"),
    [
        ("NYLAS_PROXY__LIMITS__OVERRIDES", "limits.overrides"),
        ("NYLAS_PROXY__LIMITS__OVERRIDES__V3_SEND__COUNT", "limits.overrides"),
        ("nylas_proxy__providers__known", "providers.known"),
        ("NYLAS_PROXY_PROVIDERS__ALIASES", "providers.aliases"),
        ("NYLAS_PROXY__WINDOWS__DEFAULT_S", "windows.default_s"),
        ("NYLAS_PROXY__LIMITS__APPLICATION__BA7816BF8F01CFEA", "limits.application"),
    ],
)
@pytest.mark.parametrize("value", ["", "{}", "s3cret"])
def test_a_variable_for_a_table_is_told_that_only_the_file_can_hold_it(variable: str, table: str, value: str) -> None:
    assert mistakes(**{variable: value}) == [f"{variable}: is a table, which only the file can hold; allowed [{table}] there"]


def test_words_in_the_place_of_a_table_can_be_set_by_a_variable_and_a_table_cannot() -> None:
    assert load(None, {"NYLAS_PROXY__LIMITS__APPLICATION": "credential"}).limits.application == "credential"
    (mistake,) = mistakes(NYLAS_PROXY__LIMITS__APPLICATION="credentials")
    assert mistake == f"NYLAS_PROXY__LIMITS__APPLICATION: got \"credentials\"; allowed {APPLICATION}; did you mean 'credential'?"
    assert mistakes(NYLAS_PROXY__LIMITS__APPLICATION="{}") == [f'NYLAS_PROXY__LIMITS__APPLICATION: got "{{}}"; allowed {APPLICATION}']
    (mistake,) = mistakes(nylas_proxy__limits__application="single")
    assert mistake.endswith("did you mean 'NYLAS_PROXY__LIMITS__APPLICATION'?")


def test_variables_that_would_set_a_table_are_never_offered() -> None:
    (mistake,) = mistakes(NYLAS_PROXY__LIMITS__OVERRIDE="1")
    recovery = "GMAIL_RECOVERY_S, GMAIL_RECOVERY_SPACING_S, GMAIL_RECOVERY_LIST_LIMIT"
    assert f"; allowed NYLAS_PROXY__LIMITS__ and MODE, HEADROOM, RESERVE, APPLICATION, GMAIL_PROFILE, {recovery};" in mistake
    (mistake,) = mistakes(NYLAS_PROXY__WINDOWS__JOURNEL="j")
    assert mistake.endswith("allowed NYLAS_PROXY__WINDOWS__ and JOURNAL; did you mean 'NYLAS_PROXY__WINDOWS__JOURNAL'?")


def test_providers_are_those_that_the_facts_about_limits_name() -> None:
    assert set(get_args(Provider)) == set(facts.load("limits")["providers"])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("override", [{"count": 9}, {"per_s": 9}, {"count": 9, "per_s": 9.5}])
@pytest.mark.parametrize("row", LIMITS, ids=lambda row: str(row["name"]))
def test_an_override_is_allowed_exactly_where_the_limit_takes_it(row: dict[str, Any], override: dict[str, object]) -> None:
    name = row["name"]
    Path("p.toml").write_text(f"[limits.overrides.{name}]\n" + "\n".join(f"{key} = {value}" for key, value in override.items()))
    try:
        read_limits(LIMITS, facts.load("routes")["families"], facts.load("sources"), Tuning(overrides={name: override}))
    except ValueError:
        with pytest.raises(SettingsError):
            load(Path("p.toml"), {})
    else:
        assert load(Path("p.toml"), {}).limits.overrides == {name: override}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("cause", Cause)
def test_seconds_are_allowed_exactly_for_causes_that_open_windows(cause: Cause) -> None:
    Path("p.toml").write_text(f"windows.default_s.{cause} = 3")
    try:
        Throttles(facts.load("windows")["window"], facts.load("sources"), {cause: 3.0})
    except ValueError:
        with pytest.raises(SettingsError):
            load(Path("p.toml"), {})
    else:
        assert load(Path("p.toml"), {}).windows.default_s == {cause: 3.0}


def test_a_cause_of_which_no_row_closes_anything_has_no_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"causes": ["not_found"], "cap_s": 1}, {"causes": ["blocked", "auth"], "send": "sends"}]
    monkeypatch.setattr(facts, "load", lambda _: {"window": rows})
    assert tables._causes.__wrapped__() == ["auth", "blocked"]
