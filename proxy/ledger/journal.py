"""Keeps throttle windows over a restart where there is no Redis: a small file, written whole each time and put in place at once.

It holds hashed scopes, durations and times of the wall clock, nothing else. A file that cannot be read is set aside, never a reason not to start.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import TYPE_CHECKING, Any, Final

from proxy.core.model import Cause
from proxy.core.window import Opening, ThrottleWindow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION: Final = 1
_MAX_BYTES: Final = 16 * 1024 * 1024
_LONGEST_US: Final = 7 * 86_400_000_000
_OPENING: Final = {"wait_us": int, "cap_us": int, "growth_percent": int, "cause": str, "probes": bool}


def load(path: Path, now_s: float, now_us: int) -> tuple[dict[str, ThrottleWindow], str | None]:
    """Return the windows that are still of interest, and what was wrong with the file, if anything was.

    Args:
        path: The file; one that is not there holds nothing.
        now_s: Seconds since 1970.
        now_us: The ledger's clock, in which the windows are told.
    """
    try:
        data = path.read_bytes()[: _MAX_BYTES + 1]
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        return {}, f"{path} cannot be read ({error.strerror}): windows of before the restart are not known"
    try:
        document = json.loads(data)
        windows = {str(row["scope"]): _window(row, now_s, now_us) for row in _rows(document)}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return {}, f"{path} is damaged; it was set aside as {_set_aside(path)}, and windows of before the restart are not known"
    return {scope: window for scope, window in windows.items() if window is not None}, None


def rows_of(windows: Mapping[str, ThrottleWindow], now_s: float, now_us: int) -> list[dict[str, object]]:
    """Return what is written about the windows, in times of the wall clock."""
    return [_row(scope, window, now_s, now_us) for scope, window in windows.items()]


def save(path: Path, rows: list[dict[str, object]]) -> None:
    """Write the rows, so that a crash at any moment leaves the old file or the new one.

    Raises:
        OSError: The file could not be written.
    """
    data = json.dumps({"version": VERSION, "windows": rows}).encode()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 - the same call, and the pair of names reads better so
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - as above
        raise


def _rows(document: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - what a file holds
    if not isinstance(document, dict) or document.get("version") != VERSION or not isinstance(document["windows"], list):
        raise ValueError("no journal of this version")
    return document["windows"]


def _row(scope: str, window: ThrottleWindow, now_s: float, now_us: int) -> dict[str, object]:
    reopened_us = window.reopened_at_us
    return {
        "scope": scope,
        "closes_at_s": now_s + (window.closes_at_us - now_us) / 1e6,
        "length_us": window.length_us,
        "reopened_at_s": None if reopened_us is None else now_s + (reopened_us - now_us) / 1e6,
        "opening": window.opening._asdict(),
    }


def _window(row: dict[str, Any], now_s: float, now_us: int) -> ThrottleWindow | None:
    values = {key: row["opening"][key] for key in _OPENING}
    if not all(isinstance(values[key], kind) for key, kind in _OPENING.items()):
        raise ValueError("an opening of other types")
    Cause(values["cause"])
    length_us = min(int(row["length_us"]), _LONGEST_US)
    # Not longer than it was: the wall clock may have been set back meanwhile.
    remaining_us = min(int((float(row["closes_at_s"]) - now_s) * 1e6), length_us)
    window = ThrottleWindow(Opening(**values), now_us, now_us + remaining_us, length_us)
    if row["reopened_at_s"] is not None:
        window.reopened_at_us = now_us + min(0, int((float(row["reopened_at_s"]) - now_s) * 1e6))
    return None if window.is_over() else window


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged")
    with contextlib.suppress(OSError):
        path.replace(aside)
    return aside
