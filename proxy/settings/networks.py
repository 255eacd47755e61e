"""Networks of clients: a text of them read, and what is wrong with one that cannot be read."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

_SHOWN_MAX_CHARS: Final = 60
_BETWEEN: Final = re.compile(r"[ ,]+")
# Neither a netmask, which some programs write the other way round, nor a zone, which is a name of this machine alone.
_WRITTEN: Final = re.compile(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks that `text` names, those of IPv4-mapped addresses as IPv4. Raises ValueError where one is none."""
    return tuple(_as_ipv4(ip_network(part)) for part in _parts(text))


def networks_mistake(text: str) -> str | None:
    """Complain about the first part that is no network, and about blanks and commas alone, which would allow everybody."""
    parts = _parts(text)
    if not parts:
        return "names no network"
    return next((mistake for part in parts if (mistake := _mistake(part))), None)


def _parts(text: str) -> list[str]:
    return [part for part in _BETWEEN.split(text) if part]


def _mistake(part: str) -> str | None:
    shown = part[:_SHOWN_MAX_CHARS]
    try:
        network = ip_network(part, strict=False) if _WRITTEN.fullmatch(part) else None
    except ValueError:
        network = None
    if network is None:
        return f'"{shown}" is neither a network nor an address'
    try:
        ip_network(part)
    except ValueError:
        return f'"{shown}" names an address inside a network; the network is {network}'
    return None


def _as_ipv4(network: Network) -> Network:
    if isinstance(network, IPv4Network) or not network.subnet_of(_MAPPED):
        return network
    return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED.prefixlen))
