"""What is known about Nylas, as data: one TOML file a subject, each row with its source where it is not self-evident."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """Return the parsed table of `name`: "routes", "rules", "causes" or "sources".

    Raises:
        FileNotFoundError: There is no such subject.
    """
    return _parsed(_FOLDER / f"{name}.toml")


def load_folder(name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all files of the folder `name` ("errors"), by the array that they stand in, in order of the files' names.

    Raises:
        FileNotFoundError: There is no such folder, or it is empty.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((_FOLDER / name).glob("*.toml")):
        for array, of_file in _parsed(path).items():
            rows.setdefault(array, []).extend(of_file)
    if not rows:
        raise FileNotFoundError(f"no facts about {name!r}")
    return rows


def _parsed(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
