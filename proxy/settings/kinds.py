"""The kinds of settings: their bounds, and the words in which a mistake is told what is allowed.

An annotation's `extra` may name a further check in `proxy.settings.checks` (`check`), say that values may hold a password (`secret`), or, of a
table, name the rules in `proxy.settings.tables` for what stands in it (`rules`). A table may have words in its place (`choices`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypedDict

from msgspec import Meta

MASK: Final = "***"

Port = Annotated[int, Meta(ge=0, le=65535, description="a whole number from 0 (any free port) to 65535")]
Count = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]
UpTo10 = Annotated[int, Meta(ge=1, le=10, description="a whole number from 1 to 10")]
UpTo1000 = Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")]
Units = Annotated[int, Meta(ge=1, le=1_000_000_000, description="a whole number from 1 to 1000000000")]
Bytes = Annotated[int, Meta(ge=1, le=2**40, description="a whole number of bytes from 1 to 1099511627776")]
BytesOrNone = Annotated[int, Meta(ge=0, le=2**40, description="a whole number of bytes from 0 to 1099511627776")]
# A day is more than any call to Nylas lasts, and keeps `inf` and slips of the keyboard out of the timers.
Seconds = Annotated[float, Meta(gt=0, le=86400, description="a number of seconds above 0, at most 86400")]
SecondsOrNone = Annotated[float, Meta(ge=0, le=86400, description="a number of seconds from 0 to 86400")]
Milliseconds = Annotated[int, Meta(ge=1, le=60_000, description="a whole number of milliseconds from 1 to 60000")]
ItemsOrNone = Annotated[int, Meta(ge=0, le=200, description="a whole number from 0 to 200")]
Share = Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")]
ShareBelowAll = Annotated[float, Meta(ge=0, le=0.9, description="a number from 0 to 0.9")]
Switch = Annotated[bool, Meta(description="true or false")]
Host = Annotated[str, Meta(min_length=1, description="an IP address (IPv6 without brackets) or a host name", extra={"check": "host"})]
File = Annotated[str, Meta(description="the path of a readable PEM file, or empty", extra={"check": "file"})]
CaFile = Annotated[str, Meta(description="the path of a readable PEM file of certificates, or empty", extra={"check": "ca_file"})]
KeyFile = Annotated[str, Meta(description="the path of a readable file of at least 16 bytes, or empty", extra={"check": "key_file"})]
NewFile = Annotated[
    str,
    Meta(description="the path of a file, there or not, in a directory that can be written, or empty", extra={"check": "new_file"}),
]
Secret = Annotated[str, Meta(description="text", extra={"secret": True})]
HeaderSecret = Annotated[
    str,
    Meta(description="visible ASCII characters without blanks, or empty", extra={"check": "header_secret", "secret": True}),
]
Networks = Annotated[
    str,
    Meta(
        description='networks and addresses, such as "10.0.0.0/8 192.168.1.5 ::1", blanks or commas between them, or empty',
        extra={"check": "networks"},
    ),
]
ApiUrl = Annotated[
    str,
    Meta(description="http:// or https://, a host and perhaps a port, such as https://api.us.nylas.com", extra={"check": "api_url"}),
]
ProxyUrl = Annotated[
    str,
    Meta(
        description="http://, perhaps user:password@, a host and perhaps a port, such as http://127.0.0.1:3128",
        extra={"check": "proxy_url", "secret": True},
    ),
]
RedisUrl = Annotated[
    str,
    Meta(
        description="redis:// or rediss://, perhaps user:password@, a host, perhaps a port, perhaps /DATABASE; or unix:///SOCKET; or empty",
        extra={"check": "redis_url", "secret": True},
    ),
]
Grant = Annotated[str, Meta(min_length=1, description="the id or the address of a grant", extra={"check": "grant"})]
Application = Annotated[str, Meta(pattern=r"\S", description="the name of an application")]
Provider = Literal["google", "microsoft", "ews", "eas", "icloud", "yahoo", "imap", "nylas"]


class Override(TypedDict, total=False):
    """Numbers in place of a limit's own; of a cap on requests in flight, `count` is how many."""

    count: Units
    per_s: Seconds


ProviderByGrant = Annotated[
    Mapping[str, Provider],
    Meta(
        description='a table, in the file only: id or address of a grant = "google", "microsoft", "ews", "eas", "icloud", "yahoo", "imap" or "nylas"',
        extra={"rules": "providers"},
    ),
]
Applications = Annotated[
    Literal["single", "credential"] | Mapping[str, Application],
    Meta(
        description='"single", "credential" or, in the file only, a table: fingerprint of a credential = name of its application',
        extra={"rules": "applications", "choices": ("single", "credential")},
    ),
]
Aliases = Annotated[
    Mapping[str, Grant],
    Meta(description="a table, in the file only: id or address of a grant = another id or address of the same grant", extra={"rules": "aliases"}),
]
Overrides = Annotated[
    Mapping[str, Override],
    Meta(
        description="a table, in the file only: name of a limit = { count = a whole number, per_s = a number of seconds }, one or both of them",
        extra={"rules": "overrides"},
    ),
]
SecondsByCause = Annotated[
    Mapping[str, Seconds],
    Meta(description="a table, in the file only: cause of throttling = a number of seconds above 0, at most 86400", extra={"rules": "causes"}),
]
