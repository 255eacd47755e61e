"""What can be set, read once at the start: `load` gives frozen `Settings` or a `SettingsError` with every mistake."""

from proxy.settings.source import Loaded, SettingsError, load, read
from proxy.settings.values import Admin, Bodies, Listen, Log, Settings, Upstream

__all__ = ["Admin", "Bodies", "Listen", "Loaded", "Log", "Settings", "SettingsError", "Upstream", "load", "read"]
