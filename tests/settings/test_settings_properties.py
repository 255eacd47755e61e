"""What holds for any settings, and for any nonsense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.settings import Settings, SettingsError, load, read
from proxy.settings.fields import FIELDS, TABLES, VARIABLES
from proxy.settings.report import effective_toml
from settings import strategies
from settings.strategies import FILES, SETTINGS, Values, any_values, as_toml, as_variables, frozen, with_files, with_key_file, without_tables

if TYPE_CHECKING:
    from pathlib import Path

    from settings.conftest import PemFiles

STYLES = st.sampled_from(["headers", "dotted", "inline"])
ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_ENVIRONMENT = st.dictionaries(
    st.one_of(st.sampled_from([*VARIABLES, "NYLAS_PROXY_CONFIG"]), ANY_TEXT, ANY_TEXT.map("NYLAS_PROXY__{}".format)),
    st.one_of(ANY_TEXT, st.sampled_from(["0", "-1", "1e999", "nan", "http://[", "https://@:0/?#", "//", "127.0.0.1:1", ".", "true"])),
)
NAMES = [
    "listen",
    "port",
    "host",
    "region",
    "token",
    "log",
    "lug",
    "limits",
    "overrides",
    "v3_send",
    "count",
    "providers",
    "known",
    "windows",
    "default_s",
    "redis",
    "url",
]
SCRAPS = [*NAMES, ".", "=", "\n", "[", "]", "[[", "{", "}", ",", "1", "'x'", '"\\n"', "''", "true", "1e9", "nan"]
ANY_FILE = st.one_of(st.binary(), st.text().map(str.encode), st.lists(st.sampled_from(SCRAPS)).map("".join).map(str.encode))


def test_the_strategies_know_every_setting() -> None:
    assert {(section, key) for section, keys in SETTINGS.items() for key in keys} | FILES == set(FIELDS)
    assert set(strategies.TABLES) == set(TABLES)


@settings(deadline=None, max_examples=200)
@given(values=any_values(), style=STYLES)
def test_any_valid_value_means_the_same_in_the_file_and_in_the_environment(
    tmp_path_factory: pytest.TempPathFactory, pem_files: PemFiles, key_file: Path, values: Values, style: str
) -> None:
    if "host" in values.get("listen", {}):
        values = with_files(values, pem_files.certificate, pem_files.key, pem_files.authority)
    values = with_key_file(values, key_file)
    config = tmp_path_factory.getbasetemp() / "valid.toml"
    config.write_text(as_toml(values, style), "utf-8")
    assert load(config, {}) == frozen(values)
    assert load(None, as_variables(without_tables(values))) == frozen(without_tables(values))


@settings(deadline=None, max_examples=100)
@given(values=any_values())
def test_what_check_config_prints_is_a_file_that_gives_the_same_settings(
    tmp_path_factory: pytest.TempPathFactory, key_file: Path, values: Values
) -> None:
    values = with_key_file(values, key_file)
    secrets = {
        variable: text
        for variable, text in as_variables(without_tables(values)).items()
        if variable.endswith(("TOKEN", "CLIENT_SECRET")) or (variable.endswith(("PROXY_URL", "REDIS__URL")) and "@" in text)
    }
    given = tmp_path_factory.getbasetemp() / "given.toml"
    given.write_text(as_toml(values, "headers"), "utf-8")
    loaded = read(given, {})
    config = tmp_path_factory.getbasetemp() / "printed.toml"
    config.write_text(effective_toml(loaded), "ascii")
    assert load(config, secrets) == loaded.settings


def outcome(config: Path | None, environ: dict[str, str]) -> Settings | list[str]:
    try:
        return load(config, environ)
    except SettingsError as wrong:
        return wrong.mistakes


@settings(deadline=None, max_examples=300)
@given(content=ANY_FILE, environ=ANY_ENVIRONMENT)
def test_nonsense_gives_settings_or_mistakes_of_one_line_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, environ: dict[str, str]
) -> None:
    config = tmp_path_factory.getbasetemp() / "nonsense.toml"
    config.write_bytes(content)
    for path in (config, None):
        found = outcome(path, environ)
        assert isinstance(found, Settings) or (found and all(mistake.isprintable() for mistake in found))


@settings(deadline=None)
@given(token=st.text(min_size=5), tail=st.text(st.characters(exclude_categories=["C", "Z"])))
def test_no_secret_is_part_of_a_mistake(token: str, tail: str) -> None:
    environ = {
        "NYLAS_PROXY__ADMIN__TOKEN": f"s3cret{token}",
        "NYLAS_PROXY__UPSTREAM__PROXY_URL": f"http://u:s3cret{tail}@h h",
        "NYLAS_PROXY__REDIS__URL": f"redis://:s3cret{tail}@h h",
        "NYLAS_PROXY__LIMITS__OVERRIDES": "s3cret",
        "NYLAS_PROXY__X": "s3cret",
    }
    with pytest.raises(SettingsError) as raised:
        load(None, environ)
    assert "s3cret" not in str(raised.value)
