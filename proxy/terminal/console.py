"""The standard output of this process, as the library that draws wants it."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import NoReturn

from rich.console import Console


class _Output(Console):
    """Leaves it to the command line to say that the reader has gone."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def standard_output() -> Console:
    """Return a console on standard output that takes texts as they are, and writes `?` for what the encoding does not have."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return _Output(markup=False, highlight=False, emoji=False)
