"""What must hold between settings that are each allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.settings.checks import same_address, tls_mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.settings.fields import Name
    from proxy.settings.values import Settings

_TLS_FILES: Final = (("listen", "tls_certificate"), ("listen", "tls_key"))
_ADDRESSES: Final = (("admin", "port"), ("listen", "port"), ("admin", "host"), ("listen", "host"))
_AT_MOST: Final = (
    (("patience", "default_s"), ("patience", "max_s")),
    (("retry", "initial_s"), ("retry", "cap_s")),
)
"""Pairs of seconds of which the first is not longer than the second."""


class Contradiction(NamedTuple):
    """Settings that cannot stand together.

    Attributes:
        settings: Which; the first of them that somebody has set is the one to be mended.
        what: In words that continue its name.
    """

    settings: tuple[Name, ...]
    what: str


def contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Yield what is wrong between values."""
    listen, redis = settings.listen, settings.redis
    if mistake := tls_mistake(listen.tls_certificate, listen.tls_key):
        key, what = mistake
        yield Contradiction((("listen", key), *_TLS_FILES), what)
    if listen.client_ca_file and not listen.tls_certificate:
        what = "is set without listen.tls_certificate: clients show certificates in TLS alone"
        yield Contradiction((("listen", "client_ca_file"), ("listen", "tls_certificate")), what)
    if same_address(settings):
        what = f"both listeners would bind port {listen.port} of the same address; allowed another port or another address"
        yield Contradiction(_ADDRESSES, what)
    for pair in _AT_MOST:
        shorter, longer = (getattr(getattr(settings, section), key) for section, key in pair)
        if shorter > longer:
            yield Contradiction(pair, f"{'.'.join(pair[0])} of {shorter:g} seconds is longer than {'.'.join(pair[1])} of {longer:g}")
    if redis.url and not settings.identity.key_file:
        yield Contradiction((("redis", "url"), ("identity", "key_file")), "is set without identity.key_file, which all proxies on one server share")
