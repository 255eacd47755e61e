"""Every kind of mistake in a value or a name, with the exact line that an operator reads."""

from __future__ import annotations

import pytest

from proxy.settings import Settings, load
from settings.refusals import (
    API_URL,
    BYTES,
    CONTROL,
    HEADER_SECRET,
    HOST,
    LISTEN_KEYS,
    NETWORKS,
    PORT,
    PROXY_URL,
    SECONDS,
    SECTIONS,
    VARIABLE_SECTIONS,
    mistakes,
)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("\n[lisen]\n", f"p.toml:2: lisen: unknown section; allowed {SECTIONS}; did you mean 'listen'?"),
        ("zzz = 1", f"p.toml:1: zzz: unknown section; allowed {SECTIONS}"),
        ("level = 'info'", f"p.toml:1: level: unknown section; allowed {SECTIONS}; did you mean 'log.level'?"),
        ("[listen]\nprot = 1", f"p.toml:2: listen.prot: unknown key; allowed {LISTEN_KEYS}; did you mean 'port'?"),
        ("listen = { zzz = 1 }", f"p.toml:1: listen.zzz: unknown key; allowed {LISTEN_KEYS}"),
        ("[listen]\nregion = 'us'", f"p.toml:2: listen.region: unknown key; allowed {LISTEN_KEYS}; did you mean 'upstream.region'?"),
        ('[log]\n"a\\nb" = 1', "p.toml:2: log.a\\nb: unknown key; allowed format, level, successes"),
        ("[log.level.x]\ny = 1", 'p.toml:1: log.level: got a table; allowed "debug", "info", "warning", "error"'),
        ("log = true", "p.toml:1: log: got true or false; allowed a table [log]"),
        ("log = 'json'", "p.toml:1: log: got text; allowed a table [log]"),
        ("[[log]]", "p.toml:1: log: got an array; allowed a table [log]"),
        ("log.level = 'wraning'", 'p.toml:1: log.level: got "wraning"; allowed "debug", "info", "warning", "error"; did you mean \'warning\'?'),
        ("log.level = 7", 'p.toml:1: log.level: got 7; allowed "debug", "info", "warning", "error"'),
        ("listen.port = '8700'", f'p.toml:1: listen.port: got "8700"; allowed {PORT}'),
        ("listen.port = 65536", f"p.toml:1: listen.port: got 65536; allowed {PORT}"),
        ("listen.port = -1", f"p.toml:1: listen.port: got -1; allowed {PORT}"),
        ("listen.port = 1.5", f"p.toml:1: listen.port: got 1.5; allowed {PORT}"),
        ("listen.port = true", f"p.toml:1: listen.port: got true; allowed {PORT}"),
        ("listen.port = [1]", f"p.toml:1: listen.port: got an array; allowed {PORT}"),
        ("listen.port = 2020-01-01", f"p.toml:1: listen.port: got a date or time; allowed {PORT}"),
        (f"listen.port = 0x{'f' * 5000}", f"p.toml:1: listen.port: got a number; allowed {PORT}"),
        (f"log.level = 0x{'f' * 5000}", 'p.toml:1: log.level: got a number; allowed "debug", "info", "warning", "error"'),
        ("listen.head_max_bytes = 0", f"p.toml:1: listen.head_max_bytes: got 0; allowed {BYTES}"),
        ("listen.max_connections = 0", "p.toml:1: listen.max_connections: got 0; allowed a whole number from 1 to 1000000"),
        ("upstream.connect_timeout_s = 0", f"p.toml:1: upstream.connect_timeout_s: got 0; allowed {SECONDS}"),
        ("upstream.connect_timeout_s = nan", f"p.toml:1: upstream.connect_timeout_s: got nan; allowed {SECONDS}"),
        ("upstream.connect_timeout_s = inf", f"p.toml:1: upstream.connect_timeout_s: got inf; allowed {SECONDS}"),
        ("upstream.connect_timeout_s = 86401", f"p.toml:1: upstream.connect_timeout_s: got 86401; allowed {SECONDS}"),
        ("listen.drain_timeout_s = -0.1", "p.toml:1: listen.drain_timeout_s: got -0.1; allowed a number of seconds from 0 to 86400"),
        ("bodies.refuse_empty_put = 'yes'", 'p.toml:1: bodies.refuse_empty_put: got "yes"; allowed true or false'),
        ("bodies.refuse_empty_put = 1", "p.toml:1: bodies.refuse_empty_put: got 1; allowed true or false"),
        (f"log.level = '{'x' * 100}'", f'p.toml:1: log.level: got "{"x" * 60}"; allowed "debug", "info", "warning", "error"'),
        ("admin.token = 123456", "p.toml:1: admin.token: got a number; allowed text"),
        ('admin.token = "a\\tb"', f"p.toml:1: admin.token: {CONTROL}; allowed text"),
        ("listen.host = ''", f'p.toml:1: listen.host: got ""; allowed {HOST}'),
        ("listen.host = '[::1]'", f"p.toml:1: listen.host: is neither an IP address nor a host name; allowed {HOST}"),
        ("listen.host = '127.0.0.1:80'", f"p.toml:1: listen.host: is neither an IP address nor a host name; allowed {HOST}"),
        ("listen.host = '300.1.1.1'", f"p.toml:1: listen.host: is neither an IP address nor a host name; allowed {HOST}"),
    ],
)
def test_a_mistake_in_the_file_names_line_key_and_what_is_allowed(text: str, mistake: str) -> None:
    assert mistakes(text) == [mistake]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("api.nylas.com", "does not begin with http:// or https://"),
        ("ftp://api.nylas.com", "does not begin with http:// or https://"),
        ("https:api.nylas.com", "names no valid host"),
        ("https://", "names no valid host"),
        ("https://a_b..c", "names no valid host"),
        ("https://ärger.example", "names no valid host"),
        ("https://[api.nylas.com]", "names no valid host"),
        ("https://[::1", "names no valid host"),
        ("https://[v1.a]", "names no valid host"),
        ("https://::1", "names no valid host"),
        ("https://a b", "holds a blank or a backslash"),
        (" https://api.nylas.com", "holds a blank or a backslash"),
        ("https://api.nylas.com\\\\x", "holds a blank or a backslash"),
        ("https://user@api.nylas.com", "holds a user name"),
        ("https://user:s3cret@api.nylas.com", "holds a user name"),
        ("https://api.nylas.com:", "names no valid port"),
        ("https://api.nylas.com:0", "names no valid port"),
        ("https://api.nylas.com:65536", "names no valid port"),
        ("https://api.nylas.com:http", "names no valid port"),
        ("https://api.nylas.com/v3", "has a path"),
        ("https://api.nylas.com//", "has a path"),
        ("https://api.nylas.com/?", "has a query or a fragment"),
        ("https://api.nylas.com#", "has a query or a fragment"),
    ],
)
def test_a_url_of_an_upstream_is_scheme_and_authority_and_never_repeated(url: str, what: str) -> None:
    assert mistakes(f'upstream.v3_url = "{url}"') == [f"p.toml:1: upstream.v3_url: {what}; allowed {API_URL}"]
    assert mistakes(NYLAS_PROXY__UPSTREAM__V2_URL=url) == [f"NYLAS_PROXY__UPSTREAM__V2_URL: {what}; allowed {API_URL}"]


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://user:s3cret@10.0.0.1:3128", "does not begin with http://"),
        ("http://user:s3cret@10.0.0.1:3128/path", "has a path"),
        ("http://user:s3cret@10.0.0.1:99999", "names no valid port"),
        ("http://user:s3/cret@10.0.0.1", "names no valid port"),
        ("http://user:s3cret@", "names no valid host"),
        ("http://user:s3cret\n@10.0.0.1", CONTROL),
    ],
)
def test_a_wrong_url_of_a_proxy_shows_nothing_of_its_password(url: str, what: str) -> None:
    assert mistakes(NYLAS_PROXY__UPSTREAM__PROXY_URL=url) == [f"NYLAS_PROXY__UPSTREAM__PROXY_URL: {what}; allowed {PROXY_URL}"]


@pytest.mark.parametrize(
    "url",
    ["http://h", "https://api.us.nylas.com", "http://127.0.0.1:9/", "https://[::1]:443", "HTTPS://A-b.c_d.example.:1", "http://xn--rger-koa.example"],
)
def test_scheme_host_and_port_make_a_url(url: str) -> None:
    assert load(None, {"NYLAS_PROXY__UPSTREAM__V3_URL": url}).upstream.v3_url == url


def test_the_url_of_a_proxy_may_hold_a_user_and_a_password() -> None:
    url = "http://user:p%40ss@10.0.0.1:3128"
    assert load(None, {"NYLAS_PROXY__UPSTREAM__PROXY_URL": url}).upstream.proxy_url == url


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("10.0.0.1/8", '"10.0.0.1/8" names an address inside a network; the network is 10.0.0.0/8'),
        ("::1 fd00::1/8", '"fd00::1/8" names an address inside a network; the network is fd00::/8'),
        ("10.0.0.0/8, 10.0.0/8", '"10.0.0/8" is neither a network nor an address'),
        ("10.0.0.0/33", '"10.0.0.0/33" is neither a network nor an address'),
        ("10.0.0.0/255.0.0.0", '"10.0.0.0/255.0.0.0" is neither a network nor an address'),
        ("10.0.0.0/", '"10.0.0.0/" is neither a network nor an address'),
        ("fe80::1%eth0", '"fe80::1%eth0" is neither a network nor an address'),
        ("[::1]", '"[::1]" is neither a network nor an address'),
        ("10.0.0.1;10.0.0.2", '"10.0.0.1;10.0.0.2" is neither a network nor an address'),
        ("localhost", '"localhost" is neither a network nor an address'),
        ("x" * 100, f'"{"x" * 60}" is neither a network nor an address'),
        (" , ", "names no network"),
    ],
)
def test_a_network_of_clients_that_is_none_is_named_with_what_is_right(written: str, what: str) -> None:
    assert mistakes(f'listen.client_networks = "{written}"') == [f"p.toml:1: listen.client_networks: {what}; allowed {NETWORKS}"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("secret", ["s3 cret", " s3cret", "s3cr\u00e9t"])
def test_a_secret_that_no_field_can_carry_is_refused_unsaid(secret: str) -> None:
    what = "holds a blank, or what is not ASCII"
    assert mistakes(f'listen.client_secret = "{secret}"') == [f"p.toml:1: listen.client_secret: {what}; allowed {HEADER_SECRET}"]


@pytest.mark.parametrize(
    ("variable", "value", "mistake"),
    [
        ("NYLAS_PROXY__LISTEN__PROT", "1", "unknown variable; allowed NYLAS_PROXY__LISTEN__ and {listen}; {hint}LISTEN__PORT'?"),
        ("NYLAS_PROXY__LISTEN_PORT", "1", "unknown variable; allowed {any}; {hint}LISTEN__PORT'?"),
        ("NYLAS_PROXY_LISTEN__PORT", "1", "unknown variable; allowed NYLAS_PROXY__LISTEN__ and {listen}; {hint}LISTEN__PORT'?"),
        ("NYLAS_PROXY__TOKEN", "s3cret", "unknown variable; allowed {any}; {hint}ADMIN__TOKEN'?"),
        ("NYLAS_PROXY__ADMIN__LEVEL", "1", "unknown variable; allowed NYLAS_PROXY__ADMIN__ and HOST, PORT, TOKEN; {hint}LOG__LEVEL'?"),
        ("nylas_proxy__admin__port", "1", "unknown variable; allowed NYLAS_PROXY__ADMIN__ and HOST, PORT, TOKEN; {hint}ADMIN__PORT'?"),
        ("NYLAS_PROXY__Log__Level", "info", "unknown variable; allowed NYLAS_PROXY__LOG__ and FORMAT, LEVEL, SUCCESSES; {hint}LOG__LEVEL'?"),
        ("NYLAS_PROXY__", "s3cret", "unknown variable; allowed {any}"),
        ("NYLAS_PROXY__LISTEN__PORT", "", f'got ""; allowed {PORT}'),
        ("NYLAS_PROXY__LISTEN__PORT", "abc", f'got "abc"; allowed {PORT}'),
        ("NYLAS_PROXY__LISTEN__PORT", " 1", f'got " 1"; allowed {PORT}'),
        ("NYLAS_PROXY__LISTEN__PORT", "65536", f'got "65536"; allowed {PORT}'),
        ("NYLAS_PROXY__LISTEN__PORT", "9" * 5000, f'got "{"9" * 60}"; allowed {PORT}'),
        ("NYLAS_PROXY__LISTEN__HEAD_TIMEOUT_S", "inf", f'got "inf"; allowed {SECONDS}'),
        ("NYLAS_PROXY__LISTEN__HEAD_TIMEOUT_S", "nan", f'got "nan"; allowed {SECONDS}'),
        ("NYLAS_PROXY__BODIES__REFUSE_EMPTY_PUT", "maybe", 'got "maybe"; allowed true or false'),
        ("NYLAS_PROXY__LOG__LEVEL", "INFO", 'got "INFO"; allowed "debug", "info", "warning", "error"'),
        ("NYLAS_PROXY__LOG__LEVEL", "inf", 'got "inf"; allowed "debug", "info", "warning", "error"; did you mean \'info\'?'),
        ("NYLAS_PROXY__LOG__LEVEL", "\udcff", f'{CONTROL}; allowed "debug", "info", "warning", "error"'),
        ("NYLAS_PROXY__ADMIN__TOKEN", "s3cret\n", f"{CONTROL}; allowed text"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(variable: str, value: str, mistake: str) -> None:
    everything = f"NYLAS_PROXY__SECTION__KEY, sections {VARIABLE_SECTIONS}"
    expected = mistake.format(listen=LISTEN_KEYS.upper(), any=everything, hint="did you mean 'NYLAS_PROXY__")
    assert mistakes(**{variable: value}) == [f"{variable}: {expected}"]


def test_a_variable_whose_name_is_not_printable_is_named_on_one_line() -> None:
    (mistake,) = mistakes(**{"NYLAS_PROXY__A\n\udcff": "1"})
    assert mistake.startswith("NYLAS_PROXY__A\\n\\udcff: unknown variable; ")


def test_variables_of_kubernetes_and_of_others_are_left_alone() -> None:
    environ = {"NYLAS_PROXY_PORT": "tcp://10.0.0.1:8700", "NYLAS_PROXY_SERVICE_HOST": "10.0.0.1", "PATH": "/bin", "NYLAS_PROXY_CONFIG": ""}
    assert load(None, environ) == Settings()


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("TRUE", True), ("1", True), ("yes", True), ("Yes", True), ("false", False), ("False", False), ("0", False), ("NO", False)],
)
def test_a_switch_in_the_environment_is_a_word_or_a_digit(text: str, value: bool) -> None:
    assert load(None, {"NYLAS_PROXY__BODIES__REFUSE_EMPTY_PUT": text}).bodies.refuse_empty_put is value
