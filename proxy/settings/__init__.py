"""What can be set, read once at the start: `load` gives frozen `Settings` or a `SettingsError` with every mistake."""

from proxy.settings.pacing import Identity, Limits, Patience, Providers, Redis, Retry, Windows
from proxy.settings.source import Loaded, SettingsError, load, read
from proxy.settings.values import Admin, Bodies, Listen, Log, Settings, Upstream

__all__ = [
    "Admin",
    "Bodies",
    "Identity",
    "Limits",
    "Listen",
    "Loaded",
    "Log",
    "Patience",
    "Providers",
    "Redis",
    "Retry",
    "Settings",
    "SettingsError",
    "Upstream",
    "Windows",
    "load",
    "read",
]
