"""The scripts that run within the server, and how their answers read. What they compute is what the book computes, number by number."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.core.book import Admitted, Held, HeldBy, Receipt
from proxy.core.window import Opening, Probe, Reopened
from proxy.ledger.away import AwayError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.quota import Ask

PREFIX: Final = "nylas-proxy"
_LONGEST_US: Final = 7 * 86_400_000_000
_HERE: Final = Path(__file__).parent
_BY: Final = {1: HeldBy.WINDOW, 2: HeldBy.IN_FLIGHT, 3: HeldBy.LIMIT}

Word = str | int


class Script:
    """A script, and the name under which a server remembers it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


def script(name: str) -> Script:
    """Return one of the package's scripts, behind what they share."""
    return Script((_HERE / "state.lua").read_text() + "\n" + (_HERE / f"{name}.lua").read_text())


class Command(NamedTuple):
    """What is sent: a script with its keys and arguments, or a plain command."""

    script: Script | None
    keys: tuple[str, ...]
    arguments: tuple[Word, ...]

    def words(self, *, by_name: bool) -> tuple[Word, ...]:
        """Return the command in full; `by_name` names the script where else its source goes."""
        if self.script is None:
            return self.arguments
        head: tuple[Word, ...] = ("EVALSHA", self.script.sha) if by_name else ("EVAL", self.script.source)
        return (*head, len(self.keys), *self.keys, *self.arguments)


class Answer(NamedTuple):
    """What the server said to an admission.

    Attributes:
        result: As the book would say it, but that its entries are the server's.
        opening: Of the window that holds; its `wait_us` is the window's whole length.
    """

    result: Admitted | Held
    opening: Opening | None = None


def log_key(application: str, key: str) -> str:
    """Return the key of a limit's log. All keys of an application share one hash tag."""
    return f"{PREFIX}:{{{application}}}:log:{key}"


def cap_key(application: str, key: str) -> str:
    """Return the key of a cap's leases."""
    return f"{PREFIX}:{{{application}}}:cap:{key}"


def window_key(application: str, scope: str) -> str:
    """Return the key of a scope's window."""
    return f"{PREFIX}:{{{application}}}:window:{scope}"


class Scripts:
    """Builds commands.

    Args:
        admit: Asks for admission.
        correct: Everything else.
    """

    def __init__(self, admit: Script, correct: Script) -> None:
        self._admit = admit
        self._correct = correct

    def admit(self, ask: Ask, entry_id: int) -> Command:
        """Return the command that asks for admission."""
        application = ask.application
        keys = [window_key(application, scope) for scope in ask.scopes]
        keys += [cap_key(application, cap.key) for cap in ask.caps]
        arguments: list[Word] = [entry_id, ask.lease_id, len(ask.scopes), len(ask.caps), *(cap.count for cap in ask.caps)]
        for claim in ask.claims:
            keys.append(log_key(application, claim.key))
            arguments += (claim.count, claim.window_us, claim.cost)
        return Command(self._admit, tuple(keys), tuple(arguments))

    def correct(self, key: str, *what: Word) -> Command:
        """Return the command that corrects what one key holds."""
        return Command(self._correct, (key,), what)

    def touch(self) -> Command:
        """Return the command that shows whether scripts run and may write."""
        return self.correct(f"{PREFIX}:alive", "touch")


def words_of(opening: Opening) -> Iterable[Word]:
    """Return an opening as the scripts take it."""
    return opening.wait_us, opening.cap_us, opening.growth_percent, opening.cause, int(opening.probes)


def read_answer(ask: Ask, reply: Any) -> Answer:  # noqa: ANN401 - whatever a server says
    """Return what the server said to an admission; raises AwayError where that makes no sense."""
    try:
        return _read(ask, reply)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as nonsense:
        raise AwayError("an answer that makes no sense") from nonsense


def _read(ask: Ask, reply: list[Any]) -> Answer:
    if reply[0]:
        _, ids, probes, reopened = reply
        receipts = tuple(Receipt(claim.key, entry_id, claim.cost, claim.window_us) for claim, entry_id in zip(ask.claims, ids, strict=True))
        probed = tuple(Probe(ask.scopes[i - 1], length_us) for i, length_us in zip(probes[::2], probes[1::2], strict=True))
        ages = zip(reopened[::3], reopened[1::3], reopened[2::3], strict=True)
        return Answer(Admitted(receipts, probed, tuple(Reopened(ask.scopes[i - 1], age_us, length_us) for i, age_us, length_us in ages)))
    _, wait_us, kind, which, probing, *window = reply
    if not 0 <= wait_us <= _LONGEST_US:
        raise ValueError("a wait of ages")
    by = _BY[kind]
    if by is not HeldBy.WINDOW:
        what = (ask.caps if by is HeldBy.IN_FLIGHT else ask.claims)[which - 1]
        return Answer(Held(wait_us, by, what.key, what.name))
    length_us, cap_us, growth_percent, cause, probes = window[0]
    opening = Opening(length_us, cap_us, growth_percent, cause.decode(), bool(probes))
    return Answer(Held(wait_us, by, ask.scopes[which - 1], opening.cause, bool(probing)), opening)
