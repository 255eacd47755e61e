"""The files that settings come from and that settings name, and what must hold between settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.settings import Admin, Listen, Settings, SettingsError, Upstream, load
from settings.refusals import AUTHORITIES, HOST, LISTEN_KEYS, PEM, PORT, SECTIONS, VARIABLE_SECTIONS, mistakes

if TYPE_CHECKING:
    from settings.conftest import PemFiles


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"[listen]\nport =\n", "p.toml:2:7: not valid TOML: Invalid value"),
        (b"[listen]\nport = 1 2\n", "p.toml:2:10: not valid TOML: Expected newline or end of document after a statement"),
        (b"a = 1\na = 2\n", "p.toml:2:6: not valid TOML: Cannot overwrite a value"),
        (b"[listen]\nport", "p.toml:2: not valid TOML: Expected '=' after a key in a key/value pair at the end of the file"),
        (b"[listen]\nhost = '\xff'\n", "p.toml:2: not valid TOML: the text is not UTF-8"),
        (b"a = " + b"[" * 5000, "p.toml: cannot be read as TOML"),
        (b"a = " + b"1" * 5000, "p.toml: cannot be read as TOML"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_line_and_column(content: bytes, mistake: str) -> None:
    assert mistakes(content) == [mistake]


def test_a_named_file_must_be_there(folder: Path) -> None:
    (folder / "directory").mkdir()
    with pytest.raises(SettingsError) as raised:
        load(Path("none.toml"), {"NYLAS_PROXY_CONFIG": "ignored.toml"})
    assert raised.value.mistakes == ["none.toml: cannot be read (No such file or directory)"]
    assert mistakes(NYLAS_PROXY_CONFIG="none.toml") == [
        "none.toml: cannot be read (No such file or directory); NYLAS_PROXY_CONFIG names this file",
    ]
    assert mistakes(NYLAS_PROXY_CONFIG="directory") == ["directory: cannot be read (Is a directory); NYLAS_PROXY_CONFIG names this file"]
    assert mistakes(NYLAS_PROXY_CONFIG="a\0b") == ["a\\x00b: is no name of a file; NYLAS_PROXY_CONFIG names this file"]


def test_the_variable_names_the_file_and_the_environment_wins_over_it(folder: Path) -> None:
    (folder / "p.toml").write_text("[listen]\nport = 1\nhost = '::1'")
    environ = {"NYLAS_PROXY_CONFIG": "p.toml", "NYLAS_PROXY__LISTEN__PORT": "2"}
    assert load(None, environ) == Settings(listen=Listen(host="::1", port=2))
    (folder / "q.toml").write_text("admin.port = 3")
    assert load(Path("q.toml"), environ) == Settings(listen=Listen(port=2), admin=Admin(port=3))


@pytest.mark.usefixtures("folder")
def test_all_mistakes_are_told_at_once_those_of_the_file_first() -> None:
    text = "[listen]\nport = 'x'\nprot = 1\n[admin]\nhost = '?'\n[lug]\n"
    assert mistakes(text, NYLAS_PROXY__LISTEN__PORT="y", NYLAS_PROXY__A="") == [
        f'p.toml:2: listen.port: got "x"; allowed {PORT}',
        f"p.toml:3: listen.prot: unknown key; allowed {LISTEN_KEYS}; did you mean 'port'?",
        f"p.toml:5: admin.host: is neither an IP address nor a host name; allowed {HOST}",
        f"p.toml:6: lug: unknown section; allowed {SECTIONS}; did you mean 'log'?",
        f"NYLAS_PROXY__A: unknown variable; allowed NYLAS_PROXY__SECTION__KEY, sections {VARIABLE_SECTIONS}",
        f'NYLAS_PROXY__LISTEN__PORT: got "y"; allowed {PORT}',
    ]


@pytest.mark.usefixtures("folder")
def test_files_that_cannot_be_read_or_hold_something_else_are_refused() -> None:
    Path("text.pem").write_text("no certificate")
    text = "listen.tls_certificate = 'none.pem'\nlisten.tls_key = '.'\nupstream.ca_file = 'text.pem'"
    assert mistakes(text) == [
        f"p.toml:1: listen.tls_certificate: cannot be read (No such file or directory); allowed {PEM}",
        f"p.toml:2: listen.tls_key: cannot be read (Is a directory); allowed {PEM}",
        "p.toml:3: upstream.ca_file: holds no PEM certificate; allowed the path of a readable PEM file of certificates, or empty",
    ]
    assert mistakes("upstream.ca_file = 'none.pem'") == [
        "p.toml:1: upstream.ca_file: cannot be read (No such file or directory); allowed the path of a readable PEM file of certificates, or empty",
    ]


@pytest.mark.usefixtures("folder")
def test_a_certificate_and_its_key_go_together(pem_files: PemFiles) -> None:
    certificate, key, no_pair = str(pem_files.certificate), str(pem_files.key), "is not the unencrypted PEM key of listen.tls_certificate"
    assert mistakes(f"listen.tls_certificate = '{certificate}'") == ["p.toml:1: listen.tls_certificate: is set without listen.tls_key"]
    assert mistakes(NYLAS_PROXY__LISTEN__TLS_KEY=key) == ["NYLAS_PROXY__LISTEN__TLS_KEY: is set without listen.tls_certificate"]
    for other in (pem_files.other_key, pem_files.encrypted_key, pem_files.authority):
        environ = {"NYLAS_PROXY__LISTEN__TLS_KEY": str(other)}
        assert mistakes(f"listen.tls_certificate = '{certificate}'", **environ) == [f"NYLAS_PROXY__LISTEN__TLS_KEY: {no_pair}"]
    settings = load(None, {"NYLAS_PROXY__LISTEN__TLS_CERTIFICATE": certificate, "NYLAS_PROXY__LISTEN__TLS_KEY": key})
    assert settings == Settings(listen=Listen(tls_certificate=certificate, tls_key=key))


@pytest.mark.usefixtures("folder")
def test_of_a_pair_with_a_wrong_half_only_the_wrong_half_is_told(pem_files: PemFiles) -> None:
    text = f"listen.tls_certificate = '{pem_files.certificate}'\nlisten.tls_key = 'none.pem'"
    assert mistakes(text) == [f"p.toml:2: listen.tls_key: cannot be read (No such file or directory); allowed {PEM}"]


@pytest.mark.usefixtures("folder")
def test_certificates_of_clients_are_asked_for_in_tls_alone(pem_files: PemFiles) -> None:
    text = f"listen.client_ca_file = '{pem_files.authority}'"
    alone = "p.toml:1: listen.client_ca_file: is set without listen.tls_certificate: clients show certificates in TLS alone"
    assert mistakes(text) == [alone]
    no_file = f"p.toml:2: listen.tls_certificate: cannot be read (No such file or directory); allowed {PEM}"
    assert mistakes(f"{text}\nlisten.tls_certificate = 'none.pem'") == [no_file]
    no_authority = f"p.toml:1: listen.client_ca_file: holds no PEM certificate; allowed {AUTHORITIES}"
    assert mistakes(f"listen.client_ca_file = '{pem_files.key}'") == [no_authority]


def test_an_authority_of_ones_own_is_taken(pem_files: PemFiles) -> None:
    name = os.fspath(pem_files.authority)
    assert load(None, {"NYLAS_PROXY__UPSTREAM__CA_FILE": name}) == Settings(upstream=Upstream(ca_file=name))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("listen.port = 8701", "p.toml:1: listen.port"),
        ("admin.port = 8700", "p.toml:1: admin.port"),
        ("listen.port = 9\nadmin.port = 9", "p.toml:2: admin.port"),
        ("listen.host = '0.0.0.0'\nlisten.port = 8701", "p.toml:2: listen.port"),
        ("admin.host = '::'\nlisten.port = 8701", "p.toml:2: listen.port"),
        ("admin.host = 'LOCALHOST'\nlisten.port = 8701", "p.toml:2: listen.port"),
        ("admin.host = '::1'\nlisten.host = '0:0::1'\nlisten.port = 8701", "p.toml:3: listen.port"),
    ],
)
def test_the_two_listeners_need_two_addresses(text: str, where: str) -> None:
    (mistake,) = mistakes(text)
    port = 9 if "= 9" in text else 8700 if "8700" in text else 8701
    assert mistake == f"{where}: both listeners would bind port {port} of the same address; allowed another port or another address"


@pytest.mark.parametrize(
    "environ",
    [
        {"NYLAS_PROXY__LISTEN__PORT": "0", "NYLAS_PROXY__ADMIN__PORT": "0"},
        {"NYLAS_PROXY__LISTEN__PORT": "8701", "NYLAS_PROXY__ADMIN__HOST": "127.0.0.2"},
        {"NYLAS_PROXY__LISTEN__PORT": "8701", "NYLAS_PROXY__ADMIN__HOST": "::1"},
    ],
)
def test_free_ports_and_other_addresses_do_not_collide(environ: dict[str, str]) -> None:
    assert load(None, environ).listen.port in {0, 8701}


def test_a_listener_whose_port_is_wrong_is_not_said_to_collide() -> None:
    assert mistakes(NYLAS_PROXY__ADMIN__PORT="8700", NYLAS_PROXY__LISTEN__PORT="x") == [f'NYLAS_PROXY__LISTEN__PORT: got "x"; allowed {PORT}']
