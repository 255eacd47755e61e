"""What a reload changes, and what it leaves for a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given

from proxy.settings import Settings
from proxy.settings.changes import Changes, changes, merged
from proxy.settings.contradictions import contradictions
from proxy.settings.fields import FIELDS, SECTIONS
from settings.strategies import any_values, frozen

if TYPE_CHECKING:
    from proxy.settings.fields import Name

AT_ONCE = {
    "limits.mode",
    "limits.headroom",
    "limits.reserve",
    "limits.gmail_profile",
    "limits.gmail_recovery_s",
    "limits.gmail_recovery_spacing_s",
    "limits.gmail_recovery_list_limit",
    "limits.overrides",
    "patience.default_s",
    "patience.max_s",
    "patience.client_timeout_s",
    "patience.max_waiting",
    "patience.waiting_max_bytes",
    "retry.max_attempts",
    "retry.initial_s",
    "retry.cap_s",
    "retry.budget_ratio",
    "retry.idempotency_keys",
    "windows.default_s",
    "log.level",
    "log.successes",
}
NAMES: list[Name] = [*FIELDS]
ANY_SETTINGS = any_values().map(frozen)


def with_another(settings: Settings, name: Name) -> Settings:
    """The same settings but for one, which is what no file could make it."""
    section, key = name
    values = msgspec.structs.replace(getattr(settings, section), **{key: object()})
    sections: dict[str, Any] = {each: getattr(settings, each) for each in SECTIONS}
    return Settings(**{**sections, section: values})


@pytest.mark.parametrize("name", NAMES, ids=".".join)
def test_a_changed_setting_is_named_under_when_it_takes_effect(name: Name) -> None:
    written = ".".join(name)
    expected = Changes((written,), ()) if written in AT_ONCE else Changes((), (written,))
    assert changes(Settings(), with_another(Settings(), name)) == expected


@pytest.mark.parametrize("name", NAMES, ids=".".join)
def test_a_reload_takes_over_what_takes_effect_at_once_and_nothing_else(name: Name) -> None:
    after = with_another(Settings(), name)
    assert merged(Settings(), after) == (after if ".".join(name) in AT_ONCE else Settings())


def test_changes_are_named_in_the_order_of_the_file() -> None:
    after = Settings()
    for name in reversed(NAMES):
        after = with_another(after, name)
    found = changes(Settings(), after)
    written = [".".join(name) for name in NAMES]
    assert list(found.applied) == [name for name in written if name in AT_ONCE]
    assert list(found.at_restart) == [name for name in written if name not in AT_ONCE]


@given(before=ANY_SETTINGS, after=ANY_SETTINGS)
def test_every_difference_is_named_once(before: Settings, after: Settings) -> None:
    one, other = msgspec.to_builtins(before), msgspec.to_builtins(after)
    found = changes(before, after)
    differing = [f"{section}.{key}" for section, key in NAMES if one[section][key] != other[section][key]]
    assert sorted(found.applied + found.at_restart) == sorted(differing)


@given(before=ANY_SETTINGS, after=ANY_SETTINGS)
def test_what_is_told_as_applied_is_in_force_and_what_waits_is_not(before: Settings, after: Settings) -> None:
    told, in_force = changes(before, after), merged(before, after)
    assert changes(before, in_force) == Changes(told.applied, ())
    assert changes(in_force, after) == Changes((), told.at_restart)


@given(settings=ANY_SETTINGS)
def test_the_same_settings_change_nothing(settings: Settings) -> None:
    assert changes(settings, settings) == Changes((), ())
    assert merged(settings, settings) == settings


@given(before=ANY_SETTINGS, after=ANY_SETTINGS)
def test_two_valid_files_never_merge_into_a_contradiction(before: Settings, after: Settings) -> None:
    assume(not [*contradictions(before)])
    assume(not [*contradictions(after)])
    assert [*contradictions(merged(before, after))] == []
