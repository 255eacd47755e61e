"""What throttle windows mean for everybody: a sentence about the application's, and one about those of mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.core.classify import FROM_THE_PROVIDER
from proxy.page.figures import count
from proxy.page.finding import Level, Until, Whom, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.page.finding import Finding, Part
    from proxy.telemetry.status import Status, Window

_LONG_S: Final = 10.0
"""Nylas' own limits are over in seconds; what lasts longer stops somebody's work."""


def throttled(status: Status) -> Iterator[Finding]:
    """Say what is throttled now; one that has reopened and is paced is not worth a word here."""
    closed = [window for window in status.windows if window.state != "recovering"]
    unlisted = max(0, status.windows_open - len(status.windows))
    if of_application := [window for window in closed if window.scope == "application"]:
        level = Level.TROUBLE if of_application[0].closes_in_s > _LONG_S else Level.NOTICE
        subject = f"The application itself is throttled ({_causes(of_application)}), "
        yield said(level, _whom(of_application), subject, *_reopening(of_application), "; what API v3 asks of mailboxes is not affected.")
    if of_mailboxes := [window for window in closed if window.scope != "application"]:
        yield _of_mailboxes(of_mailboxes, unlisted)


def _of_mailboxes(windows: Sequence[Window], unlisted: int) -> Finding:
    mailboxes = len({window.grant for window in windows}) + unlisted
    who = count(mailboxes, "mailbox", "mailboxes")
    if all(window.scope == "sends" for window in windows):
        subject, others = f"{who} may not send", "reading goes on."
    else:
        subject, others = f"{who} {'is' if mailboxes == 1 else 'are'} throttled", "others are not affected."
    return said(Level.NOTICE, _whom(windows), f"{subject} ({_causes(windows)}), ", *_reopening(windows, unlisted), f"; {others}")


def _causes(windows: Sequence[Window]) -> str:
    causes = [_cause(window) for window in windows]
    most = max(causes, key=causes.count)
    return most if len(set(causes)) == 1 else f"mostly {most}"


def _cause(window: Window) -> str:
    return "closed by hand" if window.source == "operator" else window.cause


def _reopening(windows: Sequence[Window], unlisted: int = 0) -> tuple[Part, ...]:
    is_one = len(windows) + unlisted == 1
    last_s = max(window.closes_in_s for window in windows)
    if last_s <= 0:
        return ("its time is over: one request tries it" if is_one else "their time is over: one request tries each",)
    return ("open again in " if is_one else "the last opens in ", Until(last_s))


def _whom(windows: Sequence[Window]) -> Whom:
    if all(window.source == "operator" for window in windows):
        return Whom.OPERATOR
    return Whom.PROVIDER if any(window.cause in FROM_THE_PROVIDER for window in windows) else Whom.NYLAS
