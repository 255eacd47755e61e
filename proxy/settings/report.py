"""The settings in force, written as a configuration file: what `check-config` prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from proxy.settings.fields import FIELDS, SECTIONS, dotted
from proxy.settings.kinds import MASK
from proxy.telemetry.status import Setting

if TYPE_CHECKING:
    from proxy.settings.fields import Field, Name
    from proxy.settings.source import Loaded

_URLS: Final = {"proxy_url", "redis_url"}
_NAME_MAILBOXES: Final = frozenset({("providers", "known"), ("providers", "aliases")})


def effective_toml(loaded: Loaded) -> str:
    """Write every setting as TOML, with where it comes from in a comment.

    A secret is masked, and its line is a comment as a whole, so that the text stays a valid configuration that sets no false secret.
    """
    return "\n".join(f"[{section}]\n{_section_lines(section, loaded)}" for section in SECTIONS)


def effective(loaded: Loaded) -> list[Setting]:
    """Return every setting in force for others than its author: masked where it is secret, and of tables that name mailboxes the size alone."""
    values = ((name, getattr(getattr(loaded.settings, name[0]), name[1])) for name in FIELDS)
    return [Setting(*name, _for_others(name, value), loaded.sources.get(name, "default")) for name, value in values]


def _for_others(name: Name, value: object) -> str:
    if name in _NAME_MAILBOXES and isinstance(value, dict):
        return f"{len(value)} mailboxes" if len(value) != 1 else "1 mailbox"
    return _toml(_masked(FIELDS[name], value))


def _section_lines(section: str, loaded: Loaded) -> str:
    values = getattr(loaded.settings, section)
    return "".join(_line(name, getattr(values, name[1]), loaded.sources.get(name, "default")) for name in FIELDS if name[0] == section)


def _line(name: tuple[str, str], value: object, source: str) -> str:
    masked = _masked(FIELDS[name], value)
    if masked != value:
        return f"# {name[1]} = {_toml(masked)}  # {_ascii(source)}, masked\n"
    return f"{name[1]} = {_toml(value)}  # {_ascii(source)}\n"


def _masked(field: Field, value: object) -> object:
    """Hide a secret; of a URL, hide the user name and the password."""
    if not field.secret or not value:
        return value
    if field.check not in _URLS:
        return MASK
    parts = urlsplit(str(value))
    return parts._replace(netloc=f"{MASK}@{parts.netloc.rpartition('@')[2]}").geturl() if "@" in parts.netloc else value


def _toml(value: object) -> str:
    """Write a value; the strings of JSON are basic strings of TOML (https://toml.io/en/v1.0.0#string), numbers and switches are the same."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{_ascii(dotted([key]))} = {_toml(inner)}" for key, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return _ascii(msgspec.json.encode(value).decode())


def _ascii(text: str) -> str:
    """Escape what a terminal or a pipe of any encoding may not take."""
    return re.sub(r"[^ -~]", lambda match: f"\\U{ord(match[0]):08X}", text)
