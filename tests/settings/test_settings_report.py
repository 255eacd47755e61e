from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import msgspec
import pytest

from proxy.settings import Settings, load, read
from proxy.settings.report import effective, effective_toml

if TYPE_CHECKING:
    from pathlib import Path


def test_every_setting_is_printed_with_its_value_and_where_it_comes_from(tmp_path: Path) -> None:
    config = tmp_path / "p.toml"
    config.write_text("log.level = 'error'\n[admin]\nport = 9\n")
    lines = effective_toml(read(config, {"NYLAS_PROXY__LISTEN__IDLE_TIMEOUT_S": "2.5"})).splitlines()
    assert f'level = "error"  # {config}:1' in lines
    assert f"port = 9  # {config}:3" in lines
    assert "idle_timeout_s = 2.5  # NYLAS_PROXY__LISTEN__IDLE_TIMEOUT_S" in lines
    assert "port = 8700  # default" in lines
    assert "refuse_empty_put = true  # default" in lines


def test_a_variable_is_the_source_of_what_it_overrides(tmp_path: Path) -> None:
    config = tmp_path / "p.toml"
    config.write_text("[log]\nlevel = 'error'")
    assert 'level = "debug"  # NYLAS_PROXY__LOG__LEVEL' in effective_toml(read(config, {"NYLAS_PROXY__LOG__LEVEL": "debug"}))


def test_the_defaults_are_printed_as_a_complete_configuration() -> None:
    assert tomllib.loads(effective_toml(read(None, {}))) == msgspec.to_builtins(Settings())


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("ADMIN__TOKEN", "s3cret", '# token = "***"  # NYLAS_PROXY__ADMIN__TOKEN, masked'),
        ("ADMIN__TOKEN", "http://s3cret", '# token = "***"  # NYLAS_PROXY__ADMIN__TOKEN, masked'),
        ("UPSTREAM__PROXY_URL", "http://u:s3cret@h:1", '# proxy_url = "http://***@h:1"  # NYLAS_PROXY__UPSTREAM__PROXY_URL, masked'),
        ("UPSTREAM__PROXY_URL", "http://u:s3@cret@h:1", '# proxy_url = "http://***@h:1"  # NYLAS_PROXY__UPSTREAM__PROXY_URL, masked'),
        ("UPSTREAM__PROXY_URL", "http://h:1", 'proxy_url = "http://h:1"  # NYLAS_PROXY__UPSTREAM__PROXY_URL'),
        ("ADMIN__TOKEN", "", 'token = ""  # NYLAS_PROXY__ADMIN__TOKEN'),
    ],
)
def test_a_secret_is_masked_in_a_comment_that_sets_nothing(variable: str, value: str, line: str) -> None:
    printed = effective_toml(read(None, {f"NYLAS_PROXY__{variable}": value}))
    assert line in printed.splitlines()
    assert "s3" not in printed


def test_a_name_beyond_ascii_is_printed_for_any_terminal(tmp_path: Path) -> None:
    config = tmp_path / "é\u2028.toml"
    config.write_text("admin.host = 'localhost'")
    printed = effective_toml(read(config, {}))
    assert printed.isascii()
    (tmp_path / "printed.toml").write_text(printed)
    assert load(tmp_path / "printed.toml", {}) == load(config, {})


def test_what_others_see_of_the_settings_names_no_mailbox_and_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "p.toml"
    tables = 'providers.known = { "ann@example.com" = "google" }\nproviders.aliases = { "bob@example.com" = "b-1", "b2" = "b-1" }\n'
    config.write_text(f'admin.token = "s3cret"\n{tables}')
    shown = {(one.section, one.key): one for one in effective(read(config, {}))}
    assert shown["providers", "known"].value == "1 mailbox"
    assert shown["providers", "aliases"].value == "2 mailboxes"
    assert (shown["admin", "token"].value, shown["admin", "token"].source) == ('"***"', f"{config}:1")
    assert (shown["log", "level"].value, shown["log", "level"].source) == ('"info"', "default")
    assert not any(word in one.value for one in shown.values() for word in ("s3cret", "ann@", "bob@"))
