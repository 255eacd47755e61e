"""Settings about waiting, repeating, limits and where they are counted: bounds, files, URLs, and what must hold between them."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio.connection import parse_url

from proxy.core.identity import KEY_MIN_BYTES
from proxy.settings import Identity, Patience, Redis, Retry, Settings, Windows, load
from proxy.settings.report import effective_toml
from proxy.settings.source import read
from settings.refusals import APPLICATION, CONTROL, KEY_FILE, NEW_FILE, REDIS_URL, SECONDS, mistakes

SECONDS_OR_NONE = "a number of seconds from 0 to 86400"
COUNT = "a whole number from 1 to 1000000"
MILLISECONDS = "a whole number of milliseconds from 1 to 60000"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("patience.default_s", "-1", SECONDS_OR_NONE),
        ("patience.max_s", "86401", SECONDS_OR_NONE),
        ("patience.client_timeout_s", "0", SECONDS),
        ("patience.max_waiting", "0", COUNT),
        ("retry.max_attempts", "0", "a whole number from 1 to 10"),
        ("retry.max_attempts", "11", "a whole number from 1 to 10"),
        ("retry.initial_s", "0", SECONDS),
        ("retry.cap_s", "0", SECONDS),
        ("retry.budget_ratio", "1.1", "a number from 0 to 1"),
        ("retry.budget_ratio", "-0.1", "a number from 0 to 1"),
        ("retry.idempotency_keys", "1", "true or false"),
        ("limits.mode", '"off"', '"enforce", "observe"'),
        ("limits.headroom", "1.5", "a number from 0 to 1"),
        ("limits.headroom", "nan", "a number from 0 to 1"),
        ("limits.reserve", "0.91", "a number from 0 to 0.9"),
        ("limits.application", '"many"', APPLICATION),
        ("limits.application", "3", APPLICATION),
        ("providers.discover", "1", "true or false"),
        ("limits.gmail_profile", "2026", '"classic", "2026"'),
        ("limits.gmail_recovery_s", "0", SECONDS),
        ("limits.gmail_recovery_spacing_s", "-1", SECONDS_OR_NONE),
        ("limits.gmail_recovery_list_limit", "-1", "a whole number from 0 to 200"),
        ("limits.gmail_recovery_list_limit", "201", "a whole number from 0 to 200"),
        ("redis.connect_timeout_ms", "0", MILLISECONDS),
        ("redis.command_timeout_ms", "60001", MILLISECONDS),
        ("redis.command_timeout_ms", "0.5", MILLISECONDS),
        ("redis.on_loss", '"panic"', '"local", "refuse"'),
        ("redis.replicas", "0", "a whole number from 1 to 1000"),
        ("redis.replicas", "1001", "a whole number from 1 to 1000"),
        ("bodies.replay_max_bytes", "-1", "a whole number of bytes from 0 to 1099511627776"),
        ("bodies.buffered_max_bytes", "0", "a whole number of bytes from 1 to 1099511627776"),
    ],
)
def test_a_value_beyond_its_bounds_is_refused(key: str, value: str, allowed: str) -> None:
    assert mistakes(f"{key} = {value}") == [f"p.toml:1: {key}: got {value}; allowed {allowed}"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "text",
    [
        "patience = { default_s = 0, max_s = 0, client_timeout_s = 86400 }",
        "retry = { max_attempts = 1, budget_ratio = 0, cap_s = 0.5 }",
        "retry = { max_attempts = 10, budget_ratio = 1 }",
        "limits = { headroom = 0, reserve = 0.9 }",
        "limits = { headroom = 1, reserve = 0 }",
        "limits = { gmail_recovery_spacing_s = 0, gmail_recovery_list_limit = 0 }",
        "limits.gmail_recovery_list_limit = 200",
        "redis = { replicas = 1000, connect_timeout_ms = 1, command_timeout_ms = 60000 }",
        "bodies.replay_max_bytes = 0",
    ],
)
def test_a_value_at_its_bounds_is_taken(text: str) -> None:
    Path("p.toml").write_text(text)
    assert load(Path("p.toml"), {}) != Settings()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("patience.default_s = 61", "p.toml:1: patience.default_s: patience.default_s of 61 seconds is longer than patience.max_s of 60"),
        ("patience.max_s = 5", "p.toml:1: patience.max_s: patience.default_s of 10 seconds is longer than patience.max_s of 5"),
        (
            "patience.max_s = 5\npatience.default_s = 5.5",
            "p.toml:2: patience.default_s: patience.default_s of 5.5 seconds is longer than patience.max_s of 5",
        ),
        ("retry.initial_s = 30", "p.toml:1: retry.initial_s: retry.initial_s of 30 seconds is longer than retry.cap_s of 20"),
        ("redis.url = 'redis://h'", "p.toml:1: redis.url: is set without identity.key_file, which all proxies on one server share"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_at_the_one_that_was_set(text: str, mistake: str) -> None:
    assert mistakes(text) == [mistake]


@pytest.mark.usefixtures("folder")
def test_of_a_contradiction_with_a_wrong_half_only_the_wrong_half_is_told() -> None:
    assert mistakes("patience.max_s = 5\npatience.default_s = 'x'") == [f'p.toml:2: patience.default_s: got "x"; allowed {SECONDS_OR_NONE}']
    assert mistakes("redis.url = 'redis://h'\nidentity.key_file = 'none'") == [
        f"p.toml:2: identity.key_file: cannot be read (No such file or directory); allowed {KEY_FILE}",
    ]


def test_equal_times_contradict_nothing() -> None:
    environ = {"NYLAS_PROXY__PATIENCE__MAX_S": "10", "NYLAS_PROXY__RETRY__CAP_S": "0.5"}
    assert load(None, environ) == Settings(patience=Patience(max_s=10), retry=Retry(cap_s=0.5))


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://u:s3cret@h", "does not begin with redis:// or rediss://"),
        ("h:6379", "does not begin with redis:// or rediss://"),
        ("redis://u:s3cret@", "names no valid host"),
        ("redis://:s3#cret@h", "names no valid host"),
        ("redis://u:s3/cret@h", "names no valid port"),
        ("redis://u:s3cret@h:0", "names no valid port"),
        ("redis://:s3cret@h/s3cret", "has a path that is no number of a database"),
        ("redis://:s3cret@h/1/2", "has a path that is no number of a database"),
        ("redis://:s3cret@h/1?s3cret", "has a query or a fragment"),
        ("redis://:s3 cret@h", "holds a blank or a backslash"),
        ("unix://:s3cret@", "names no absolute path"),
        ("unix:///", "names no absolute path"),
        ("unix://s3cret/run", "names no absolute path"),
        ("unix://u:s3cret@h/run", "names no absolute path"),
        ("unix://[s3cret/run", "names no absolute path"),
        ("unix:///run/s3 cret", "holds a blank"),
        ("unix:///run/s3cret?database=1", "has more after the path than ?db=NUMBER"),
        ("unix:///run/s3cret?db=x", "has more after the path than ?db=NUMBER"),
        ("unix:///run/s3cret#1", "has more after the path than ?db=NUMBER"),
        ("redis://:s3cret\n@h", CONTROL),
    ],
)
def test_a_wrong_url_of_redis_shows_nothing_of_its_password(url: str, what: str) -> None:
    assert mistakes(NYLAS_PROXY__REDIS__URL=url) == [f"NYLAS_PROXY__REDIS__URL: {what}; allowed {REDIS_URL}"]


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://h", None),
        ("REDIS://h:6379/", None),
        ("rediss://[::1]:6379/15", None),
        ("unix:///run/redis.sock?db=2", None),
        ("rediss://u:s3@cret@h:1/2", "rediss://***@h:1/2"),
        ("redis://:s3cret@[::1]", "redis://***@[::1]"),
        ("unix://:s3cret@/run/redis.sock?db=2", "unix://***@/run/redis.sock?db=2"),
    ],
)
def test_a_url_of_redis_is_taken_and_its_user_and_password_masked_in_what_is_printed(url: str, masked: str | None, key_file: Path) -> None:
    loaded = read(None, {"NYLAS_PROXY__REDIS__URL": url, "NYLAS_PROXY__IDENTITY__KEY_FILE": str(key_file)})
    assert loaded.settings == Settings(redis=Redis(url=url), identity=Identity(key_file=str(key_file)))
    printed = effective_toml(loaded).splitlines()
    line = f'# url = "{masked}"  # NYLAS_PROXY__REDIS__URL, masked' if masked else f'url = "{url}"  # NYLAS_PROXY__REDIS__URL'
    assert [one for one in printed if "REDIS__URL" in one] == [line]
    assert parse_url(url)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("content", "count"), [(b"", 0), (b"0123456789abcde", 15), (b"\n 0123456789abcde \n", 15)])
def test_a_short_key_is_refused(content: bytes, count: int) -> None:
    Path("key").write_bytes(content)
    assert mistakes("identity.key_file = 'key'") == [
        f"p.toml:1: identity.key_file: holds {count} bytes without the blanks around them; allowed {KEY_FILE}",
    ]


@pytest.mark.usefixtures("folder")
def test_a_key_of_the_least_length_and_a_long_one_are_taken() -> None:
    for size_bytes in (KEY_MIN_BYTES, 100_000):
        Path("key").write_bytes(b"\n" + b"x" * size_bytes)
        assert load(None, {"NYLAS_PROXY__IDENTITY__KEY_FILE": "key"}) == Settings(identity=Identity(key_file="key"))


def test_a_journal_may_be_new_or_be_there_and_the_check_leaves_no_trace(folder: Path) -> None:
    for name in ("new.json", str(folder / "old.json"), "dangling"):
        (folder / "old.json").write_text("kept")
        (folder / "dangling").unlink(missing_ok=True)
        (folder / "dangling").symlink_to("nothing")
        before = sorted(folder.iterdir())
        assert load(None, {"NYLAS_PROXY__WINDOWS__JOURNAL": name}) == Settings(windows=Windows(journal=name))
        assert sorted(folder.iterdir()) == before
        assert (folder / "old.json").read_text() == "kept"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("none/journal.json", "lies in a directory in which no file can be made (No such file or directory)"),
        ("text/journal.json", "lies in a directory in which no file can be made (Not a directory)"),
        (".", "cannot be read (Is a directory)"),
        ("directory", "cannot be read (Is a directory)"),
        ("x" * 300, "cannot be read (File name too long)"),
    ],
)
def test_a_journal_that_could_not_be_written_is_refused(name: str, what: str) -> None:
    Path("text").touch()
    Path("directory").mkdir()
    assert mistakes(NYLAS_PROXY__WINDOWS__JOURNAL=name) == [f"NYLAS_PROXY__WINDOWS__JOURNAL: {what}; allowed {NEW_FILE}"]


@pytest.mark.usefixtures("folder")
def test_a_journal_in_a_directory_without_leave_to_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # file permissions do not stop a superuser, as whom these tests may run
    assert mistakes(NYLAS_PROXY__WINDOWS__JOURNAL="j") == [
        f"NYLAS_PROXY__WINDOWS__JOURNAL: lies in a directory in which no file can be made (Permission denied); allowed {NEW_FILE}",
    ]
