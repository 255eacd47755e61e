"""What of the settings takes effect while the proxy runs, and what therefore becomes of settings that are read once more. Nothing here reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from proxy.settings.fields import FIELDS, SECTIONS
from proxy.settings.values import Settings

if TYPE_CHECKING:
    from proxy.settings.fields import Name

_EVERY_KEY: Final = "*"
_AT_ONCE: Final = {
    ("limits", _EVERY_KEY),
    ("patience", _EVERY_KEY),
    ("retry", _EVERY_KEY),
    ("windows", "default_s"),
    ("log", "level"),
    ("log", "successes"),
}
# Under other applications everything that has been counted so far would belong to nobody.
_AT_RESTART: Final = {("limits", "application")}

LIVE: Final[frozenset[Name]] = frozenset(
    name for name in FIELDS if not _AT_ONCE.isdisjoint({name, (name[0], _EVERY_KEY)}) and name not in _AT_RESTART
)
"""The settings that take effect at once; all others do when the proxy is started."""


class Changes(NamedTuple):
    """The settings that differ, as `section.key`, in the order of the file.

    Attributes:
        applied: Those that take effect at once.
        at_restart: Those that wait for a restart.
    """

    applied: tuple[str, ...]
    at_restart: tuple[str, ...]


def changes(before: Settings, after: Settings) -> Changes:
    """Tell what differs between the settings in force and those that were read just now."""
    differing = [name for name in FIELDS if _value(before, name) != _value(after, name)]
    return Changes(
        applied=tuple(".".join(name) for name in differing if name in LIVE),
        at_restart=tuple(".".join(name) for name in differing if name not in LIVE),
    )


def merged(before: Settings, after: Settings) -> Settings:
    """Return the settings in force after a reload: those of `before`, with the ones of `after` that take effect at once.

    Where neither contradicts itself, the result does not: settings that have to agree take effect together.
    """
    return Settings(**{section: _merged_section(section, before, after) for section in SECTIONS})


def _merged_section(section: str, before: Settings, after: Settings) -> Any:  # noqa: ANN401  each section has a type of its own
    live = {name[1]: _value(after, name) for name in LIVE if name[0] == section}
    return msgspec.structs.replace(getattr(before, section), **live)


def _value(settings: Settings, name: Name) -> object:
    section, key = name
    return getattr(getattr(settings, section), key)
