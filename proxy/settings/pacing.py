"""What an operator can set about limits, waiting and repeating; like `proxy.settings.values`, values and their defaults alone."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from proxy.settings.kinds import (
    MASK,
    Aliases,
    Applications,
    Bytes,
    Count,
    ItemsOrNone,
    KeyFile,
    Milliseconds,
    NewFile,
    Overrides,
    ProviderByGrant,
    RedisUrl,
    Seconds,
    SecondsByCause,
    SecondsOrNone,
    Share,
    ShareBelowAll,
    Switch,
    UpTo10,
    UpTo1000,
)


class Patience(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a request may wait for limits and throttle windows before it is answered 429.

    Attributes:
        default_s: Where the request does not say it in `X-Nylas-Proxy-Patience`; 0 never waits. A wait that is known to be longer is not begun.
        max_s: A longer `X-Nylas-Proxy-Patience` is cut to this.
        client_timeout_s: After so long the callers themselves give up, as the official SDKs do; nothing is begun that would outlive it.
        max_waiting: Requests that wait at a time; one more is answered 503.
        waiting_max_bytes: What their bodies take in memory meanwhile; one that would need more is answered 503.
    """

    default_s: SecondsOrNone = 10.0
    max_s: SecondsOrNone = 60.0
    client_timeout_s: Seconds = 90.0
    max_waiting: Count = 10_000
    waiting_max_bytes: Bytes = 67_108_864


class Retry(Struct, frozen=True, forbid_unknown_fields=True):
    """How often, and how fast, a failed request that can be repeated safely is repeated.

    Attributes:
        max_attempts: Attempts in all, the first included; 1 repeats nothing.
        initial_s: The longest wait before the second attempt, drawn at random from 0 up to it and doubled for each further attempt.
        cap_s: The longest wait before any attempt.
        budget_ratio: Repeats for each request, in the long run; beyond it errors are passed on, so that an outage is not made worse.
        idempotency_keys: Give an `Idempotency-Key` to each send of API v3 that has none, so that it can be repeated without a second mail.
    """

    max_attempts: UpTo10 = 3
    initial_s: Seconds = 0.5
    cap_s: Seconds = 20.0
    budget_ratio: Share = 0.1
    idempotency_keys: Switch = True


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of Nylas and of the mail providers, and how they are kept.

    Attributes:
        mode: `enforce` holds what would exceed a limit; `observe` holds nothing and tells what it would have held.
        headroom: Every period is taken for so much longer, as a share of it, since requests do not travel evenly.
        reserve: The share of every limit that is left to what does not pass the proxy.
        application: `single` counts all credentials as one application, `credential` each as one of its own; a table names the application of each
            credential, all that are not in it being one more. A fingerprint is the beginning of a SHA-256:
            `printf %s "$NYLAS_API_KEY" | sha256sum | cut -c1-16`.
        gmail_profile: The generation of Gmail's quotas: `classic`, or `2026` for Google projects created since May 2026.
        gmail_recovery_s: For how long after a throttle of a Gmail mailbox has ended it counts as recovering, in which time the next two hold.
        gmail_recovery_spacing_s: Changes of a Gmail mailbox that recovers keep this distance, as the limit `gmail_recovery_spacing`; 0 for none.
        gmail_recovery_list_limit: Answers to lists of more items of a Gmail mailbox that recovers carry `X-Nylas-Proxy-Advice`; 0 for none.
        overrides: Numbers of limits in place of the published ones, by the limits' names; a limit that is not kept otherwise is kept then.
    """

    mode: Literal["enforce", "observe"] = "enforce"
    headroom: Share = 0.05
    reserve: ShareBelowAll = 0.0
    application: Applications = "single"
    gmail_profile: Literal["classic", "2026"] = "classic"
    gmail_recovery_s: Seconds = 60.0
    gmail_recovery_spacing_s: SecondsOrNone = 1.0
    gmail_recovery_list_limit: ItemsOrNone = 20
    overrides: Overrides = {}


class Providers(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known beforehand about grants.

    Attributes:
        known: Providers of grants, so that their limits are kept from the first request on; others are learned from answers.
        discover: Ask Nylas once about each grant or account of which nothing is known, beside its first request and with that one's credential: its
            limits are kept from then on, and throttle windows hold under its id, its address and `me` alike. Counts against the application.
        aliases: Names of the same grant, so that its limits and throttle windows hold under each of them.
    """

    known: ProviderByGrant = {}
    discover: Switch = False
    aliases: Aliases = {}

    def __repr__(self) -> str:
        return f"Providers(known={len(self.known)} grants, discover={self.discover}, aliases={len(self.aliases)} names)"


class Windows(Struct, frozen=True, forbid_unknown_fields=True):
    """Throttle windows: for how long a throttling answer closes a grant or the application.

    Attributes:
        journal: File that keeps open windows over a restart; empty keeps them in memory alone. It is written anew at each change.
        default_s: Lengths of windows by the throttling answer's cause, for answers that do not name a time.
    """

    journal: NewFile = ""
    default_s: SecondsByCause = {}


class Redis(Struct, frozen=True, forbid_unknown_fields=True):
    """Where several proxies count together.

    Attributes:
        url: Redis server, or one that speaks like it; empty counts in this process alone.
        connect_timeout_ms: For a connection.
        command_timeout_ms: For the answer to one command.
        on_loss: While the server is away, `local` counts in each proxy its share of the limits, `refuse` answers 503.
        replicas: Proxies that share the server; while it is away each keeps to this part of the limits.
    """

    url: RedisUrl = ""
    connect_timeout_ms: Milliseconds = 30
    command_timeout_ms: Milliseconds = 50
    on_loss: Literal["local", "refuse"] = "local"
    replicas: UpTo1000 = 1

    def __repr__(self) -> str:
        return f"Redis(url={MASK if self.url else ''!r}, on_loss={self.on_loss!r}, replicas={self.replicas}, ...)"


class Identity(Struct, frozen=True, forbid_unknown_fields=True):
    """How grants and credentials are named where they are counted: by keyed hashes.

    Attributes:
        key_file: File with the secret key of the hashes, the same for all proxies that share a Redis server and required with one; empty makes one,
            kept beside `windows.journal`.
    """

    key_file: KeyFile = ""
