"""What is to be said about a proxy: a sentence whose numbers and times can be told apart from its words, so that a view can keep them running."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from proxy.page.figures import duration


class Level(StrEnum):
    """How much a finding matters, as a heading says it."""

    WELL = "OK"
    NOTICE = "Notice"
    TROUBLE = "Trouble"


class Whom(StrEnum):
    """Who has something to do, or something to answer for."""

    NOBODY = "nobody"
    APPLICATION = "the application"
    PROXY = "this proxy"
    MACHINE = "the machine"
    OPERATOR = "an operator"
    REDIS = "Redis"
    NETWORK = "the network"
    NYLAS = "Nylas"
    PROVIDER = "a mail provider"


class Figure(NamedTuple):
    """A number within a sentence.

    Attributes:
        text: As it is written.
    """

    text: str


class Until(NamedTuple):
    """A time to come within a sentence.

    Attributes:
        s: In so many seconds.
    """

    s: float

    @property
    def text(self) -> str:
        """As it is written now."""
        return duration(self.s)


class Since(NamedTuple):
    """A time gone by within a sentence.

    Attributes:
        s: So many seconds ago.
    """

    s: float

    @property
    def text(self) -> str:
        """As it is written now."""
        return duration(self.s)


Part = str | Figure | Until | Since


class Finding(NamedTuple):
    """Something to be said.

    Attributes:
        level: How much it matters.
        whom: Who has something to do about it.
        parts: The sentence, piece by piece.
    """

    level: Level
    whom: Whom
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The sentence."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)


def said(level: Level, whom: Whom, *parts: Part) -> Finding:
    """Make a finding of its pieces."""
    return Finding(level, whom, parts)
