"""The demo's scenes: loads against limits and faults, how the simulated Nylas behaves, and how its reports are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.demo import load
from proxy.demo.evidence import Evidence, Reports, read_burst, read_sent, read_throttled

if TYPE_CHECKING:
    from collections.abc import Callable

# What a grant's id begins with names its provider. These have no limits besides the ones that the scenes are about.
BURST_GRANT = "imap-burst"
BURST_CALLS = 600
BURST_BEST_S = BURST_CALLS / 200 - 1  # 200 at the start of each second

WINDOW_GRANT, NEIGHBOUR_GRANT = "ews-closed", "ews-beside"
WINDOW_S = 4
CALLED_FOR_S = 6.5

SENDERS = tuple(f"imap-sender-{number}" for number in range(1, 6))
MAILS_EACH = 8


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    Attributes:
        name: For the conclusion.
        title: What happens and what the application does.
        load: What the application does, given the base URL of its SDK.
        read: What the simulator's reports say of it.
        scenario: How the simulator behaves, as TOML; it concerns the scene's own grants alone.
        side_by_side: Both ways are gone at the same time, since most of the scene is waiting.
    """

    name: str
    title: str
    load: Callable[[str], None]
    read: Callable[[Reports], Evidence]
    scenario: str = ""
    side_by_side: bool = False


def _closes_once(grant: str) -> str:
    return f'[[rule]]\nmethod = "GET"\npath = "/v3/grants/{grant}/*"\ncount = 1\nthrottle_s = {WINDOW_S}\n'


def _drops_first_send(grant: str) -> str:
    return f'[[rule]]\nmethod = "POST"\npath = "/v3/grants/{grant}/messages/send"\ncount = 1\nreset = "before_head"\n'


SCENES = (
    Scene(
        "Burst",
        f"{BURST_CALLS} calls at once on one mailbox, for which Nylas allows 200 a second",
        lambda base_url: load.burst(base_url, BURST_GRANT, BURST_CALLS),
        lambda reports: read_burst(reports, BURST_GRANT, BURST_CALLS, BURST_BEST_S),
    ),
    Scene(
        "Throttle",
        f"Exchange closes a mailbox for {WINDOW_S} s, and anew at each request meanwhile; the application calls on, for {CALLED_FOR_S} s",
        lambda base_url: load.keep_calling(base_url, (WINDOW_GRANT, NEIGHBOUR_GRANT), CALLED_FOR_S),
        lambda reports: read_throttled(reports, WINDOW_GRANT, NEIGHBOUR_GRANT),
        _closes_once(WINDOW_GRANT),
        side_by_side=True,
    ),
    Scene(
        "Sends",
        f"{MAILS_EACH * len(SENDERS)} mails; {len(SENDERS)} connections break after the mail was accepted; "
        "the application repeats what fails, as most do",
        lambda base_url: load.send_and_repeat(base_url, SENDERS, MAILS_EACH),
        lambda reports: read_sent(reports, MAILS_EACH * len(SENDERS), len(SENDERS)),
        "".join(map(_drops_first_send, SENDERS)),
    ),
)
