"""Who asks: the application, and the grant, account or client that a request belongs to, as keyed hashes.

The names of a grant fold into one subject: percent-encoding and the case of ASCII letters do not matter, `me` is the credential, and aliases tell the
rest: those of settings everywhere, those that were learned in one application. Two ids are two grants, also if they share an address. In v2 the
credential is the account. Nobody can tell a name or a token from its hash without the key, and hashes of different kinds of things never meet.
Nothing but hashes is kept here: one costs half a microsecond, so remembering names and tokens would gain little.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from proxy.core.bounded import forget_oldest
from proxy.core.model import Api

if TYPE_CHECKING:
    from proxy.core.model import RequestContext

Applications = Literal["single", "credential"] | Mapping[str, str]
"""All credentials are one application, or each its own, or fingerprints of credentials tell its name; all credentials not listed are one more."""

KEY_MIN_BYTES: Final = 16
KEY_MAX_BYTES: Final = 64
LEARNED_MAX: Final = 10_000
OTHERS_MAX: Final = 3
FINGERPRINT_CHARS: Final = 16

_HASH_BYTES: Final = 16
_ME: Final = b"me"
_CLIENT_PREFIXES: Final = (b"/a/", b"/component/")
_NAMES_ITS_CLIENT: Final = 3
_NO_ALIASES: Final[Mapping[str, str]] = {}
_V3: Final = Api.V3


class Who(NamedTuple):
    """Whose request it is, in hashes that keys may hold."""

    application: str
    subject: str


def credential_of(authorization: bytes) -> bytes:
    """Return what the value of an Authorization field proves: the token of Bearer, the user name of Basic.

    `name:password` where Basic has a password; the whole value where it is neither or cannot be read; nothing where there is nothing.
    """
    value = authorization.strip()
    scheme, _, proof = value.partition(b" ")
    kind = scheme.lower()
    if kind == b"bearer":
        return proof.strip()
    if kind != b"basic":
        return value
    try:
        pair = a2b_base64(proof)
    except ValueError:
        return value
    name, _, password = pair.partition(b":")
    return pair if password else name


def fingerprint(credential: bytes) -> str:
    """Return how settings name a credential: the first 16 hex digits of its SHA-256."""
    return sha256(credential).hexdigest()[:FINGERPRINT_CHARS]


def folded(grant: bytes) -> bytes:
    """Return the one form of all spellings of a grant in paths: percent-decoded, once, and ASCII letters in lower case."""
    return (unquote_to_bytes(grant) if b"%" in grant else grant).lower()


class Identity:
    """Tells who asks.

    Args:
        key: 16 to 64 bytes that nobody else knows; the same in all proxies that share a ledger.
        applications: What counts as one application.
        aliases: Names of grants, each with another name of the same grant.

    Raises:
        ValueError: The key is too short or too long.
    """

    def __init__(self, key: bytes, *, applications: Applications = "single", aliases: Mapping[str, str] = _NO_ALIASES) -> None:
        if not KEY_MIN_BYTES <= len(key) <= KEY_MAX_BYTES:
            raise ValueError(f"identity key: needs {KEY_MIN_BYTES} to {KEY_MAX_BYTES} bytes, not {len(key)}")
        self._grants, self._credentials, self._clients, self._applications = (
            blake2b(key=key, digest_size=_HASH_BYTES, person=kind) for kind in (b"grant", b"credential", b"client", b"application")
        )
        self._single = self._hash(self._applications, b"")
        self._applies = applications
        # Each alias stands beside the subject that all its names have, never beside another alias. The given ones stay; the learned ones, each with
        # its application, are bounded, and an id among them stands beside itself.
        self._given: dict[str, str] = {}
        self._learned: dict[tuple[str, str], str] = {}
        self._others: dict[tuple[str, str], tuple[str, ...]] = {}
        for name, other in aliases.items():
            self._give(name.encode(), other.encode())
        ids = (name.encode() for pair in aliases.items() for name in pair if not _is_address(name.encode()))
        self._fixed = frozenset((*self._given, *map(self.named, ids)))

    def who(self, context: RequestContext, authorization: bytes) -> Who:
        """Return whose request it is.

        Args:
            context: The request.
            authorization: The value of its Authorization field, empty where it has none.
        """
        if context.grant is not None:
            name = folded(context.grant)
            own = self._hash(self._grants, name) if name != _ME else self._hash(self._credentials, credential_of(authorization))
            application = self._application(authorization, None)
            return Who(application, self.resolved(application, own))
        if context.route.api is _V3:
            application = self._application(authorization, None)
            return Who(application, application)
        client = _client_of(context)
        application = self._application(authorization, client)
        if client is not None:
            return Who(application, self._hash(self._clients, client))
        return Who(application, self.resolved(application, self._hash(self._credentials, credential_of(authorization))))

    def grant(self, name: bytes) -> str:
        """Return the subject of the grant called `name`, an id or an address, spelt as in a path or plainly, as far as settings tell."""
        own = self.named(name)
        return self._given.get(own, own)

    def named(self, name: bytes) -> str:
        """Return what the grant called `name` would be known as if nobody knew another name of it."""
        return self._hash(self._grants, folded(name))

    @property
    def sole_application(self) -> str | None:
        """The application of all requests, where settings say that there is but one."""
        return self._single if self._applies == "single" else None

    def resolved(self, application: str, subject: str) -> str:
        """Return the subject that stands for all names of a grant, given that of any of them, in an application."""
        own = self._given.get(subject, subject)
        return self._learned.get((application, own), own)

    def learn(self, application: str, subject: str, stands: str) -> None:
        """Take a subject for another name of the grant whose id is `stands`, in one application; the one learned last has it.

        An id is never taken for another one, nor is what settings tell changed. What is learned is bounded: the oldest is forgotten first.
        """
        self._learned[application, stands] = stands
        if subject in self._fixed or self._learned.get((application, subject)) == subject:
            return
        self._learned[application, subject] = stands
        before = (other for other in self.others(application, stands) if other != subject)
        self._others[application, stands] = (subject, *before)[:OTHERS_MAX]
        forget_oldest(self._learned, LEARNED_MAX)
        forget_oldest(self._others, LEARNED_MAX)

    def others(self, application: str, subject: str) -> tuple[str, ...]:
        """Return what else a grant was learned to be known as, here or in another process; the latest few."""
        others = self._others.get((application, subject), ())
        return tuple(other for other in others if self._learned.get((application, other)) == subject)

    def _give(self, name: bytes, other: bytes) -> None:
        """Let the second name stand for both, or the first where that is an id and the second an address."""
        was, stands = self.grant(name), self.grant(other)
        if _is_address(other) and not _is_address(name):
            was, stands = stands, was
        if was != stands:
            self._given.update({alias: stands for alias, of in self._given.items() if of == was})
            self._given[was] = stands

    def _application(self, authorization: bytes, client: bytes | None) -> str:
        if self._applies == "single":
            return self._single
        if self._applies == "credential":
            return self._hash(self._credentials, credential_of(authorization)) if client is None else self._hash(self._clients, client)
        name = self._applies.get(fingerprint(credential_of(authorization)), "")
        return self._hash(self._applications, name.encode())

    @staticmethod
    def _hash(kind: blake2b, name: bytes) -> str:
        # A copy of a hash that has taken in the key already costs less than a new one.
        digest = kind.copy()
        digest.update(name)
        return digest.hexdigest()


def _is_address(name: bytes) -> bool:
    return b"@" in folded(name)


def _client_of(context: RequestContext) -> bytes | None:
    """Return the client id that a path of v2 names: `/a/{client_id}`, `/component/{client_id}`."""
    if not context.target.startswith(_CLIENT_PREFIXES):
        return None
    return context.target.partition(b"?")[0].split(b"/", _NAMES_ITS_CLIENT)[2]
