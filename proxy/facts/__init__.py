"""What is known about Nylas, as data: one TOML file a subject, each row with its source where it is not self-evident."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, Any]:
    """Return the parsed table of `name`: "routes", "errors" or "causes".

    Raises:
        FileNotFoundError: There is no such subject.
    """
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))
