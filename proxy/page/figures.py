"""Numbers as people read them: `0.21 ms`, `18 min 20 s`, `46.6 MB`. Nothing here knows what they count."""

from __future__ import annotations

from typing import Final

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_STEP: Final = 1000
_PLACES: Final = ((100, 0), (10, 1), (0.1, 2))
_BYTES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def duration(length_s: float) -> str:
    """Write a duration in whole seconds, in its two largest units: `18 min 20 s`. The page's script writes them alike."""
    whole_s = max(0, int(length_s + 0.5))
    for unit_s, unit, part_s, part in ((_DAY_S, "d", _HOUR_S, "h"), (_HOUR_S, "h", _MINUTE_S, "min"), (_MINUTE_S, "min", 1, "s")):
        if whole_s >= unit_s:
            rest = whole_s % unit_s // part_s
            return f"{whole_s // unit_s} {unit} {rest} {part}" if rest else f"{whole_s // unit_s} {unit}"
    return f"{whole_s} s"


def precise(length_s: float) -> str:
    """Write a duration that may be short: `0.21 ms`, `1.24 s`; from a minute on as `duration` does."""
    if length_s >= _MINUTE_S - 0.5:
        return duration(length_s)
    if length_s >= 1:
        return f"{number(length_s)} s"
    return f"{number(length_s * _STEP)} ms"


def number(value: float) -> str:
    """Write a number with three digits that count, two below 1, none behind the point from 100 on: `12.3`, `0.21`, `1,234`."""
    places = next((places for least, places in _PLACES if abs(value) >= least), 3)
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def bytes_of(size_bytes: float) -> str:
    """Write a size in memory, in powers of 1000: `46.6 MB`."""
    for unit in _BYTES[:-1]:
        if size_bytes < _STEP - 0.5:
            return f"{number(size_bytes)} {unit}"
        size_bytes /= _STEP
    return f"{number(size_bytes)} {_BYTES[-1]}"


def share(part: float) -> str:
    """Write a share of 1 in per cent; what is there is never told as nothing, nor what is missing as all."""
    if 0 < part < 0.01:  # noqa: PLR2004
        return "under 1 %"
    if 0.99 < part < 1:  # noqa: PLR2004
        return "over 99 %"
    return f"{part * 100:.0f} %"


def count(many: int, one: str, more: str = "") -> str:
    """Write how many of something: `1 request`, `1,204 requests`; `more` where an s does not do."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"
