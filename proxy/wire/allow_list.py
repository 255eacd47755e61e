"""Which clients may connect, by the address that they come from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class AllowList:
    """The networks that clients may come from.

    Args:
        networks: IPv4-mapped ones written as IPv4; none of them allows all clients.
    """

    __slots__ = ("_networks",)

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(networks)

    def admits(self, peername: object) -> bool:
        """Tell whether a client may connect.

        Args:
            peername: As a transport names the other side; a client that is gone already has none, and is not admitted.
        """
        if not self._networks:
            return True
        address = _address(peername)
        return address is not None and any(address in network for network in self._networks)


def _address(peername: object) -> IPv4Address | IPv6Address | None:
    """Return where a peer is; a listener for both generations of IP sees those of IPv4 as IPv4-mapped (RFC 4291 section 2.5.5.2)."""
    if not isinstance(peername, tuple) or not peername:
        return None
    try:
        address = ip_address(peername[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
