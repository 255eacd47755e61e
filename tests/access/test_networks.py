"""With listen.client_networks, whoever comes from elsewhere is told so and takes nobody's place."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import TYPE_CHECKING

import pytest
from wire.cases import GET
from wire.rig import assert_refused, cause, running
from wire.stream import BrokenOff

from access.stage import dialled_from, is_served
from proxy.settings.networks import networks
from proxy.wire.allow_list import AllowList

if TYPE_CHECKING:
    from pathlib import Path

    from wire.process import Settings
    from wire.rig import Rig

FOREIGN = "127.0.0.2"


def test_a_client_of_an_allowed_address_is_served(fenced: Rig) -> None:
    assert is_served(fenced, fenced.dial())


def test_a_client_of_another_address_is_refused_before_it_asks(fenced: Rig) -> None:
    with contextlib.closing(dialled_from(fenced, FOREIGN)) as client:
        assert_refused(client, 403, "client_not_allowed")
    assert fenced.origin.is_untouched()


def test_what_a_client_of_another_address_sends_is_read_by_nobody(fenced: Rig) -> None:
    with contextlib.closing(dialled_from(fenced, FOREIGN)) as client:
        client.send(GET + GET)
        assert_refused(client, 403, "client_not_allowed")
    fenced.barrier()
    assert fenced.origin.is_untouched()


def test_clients_of_other_addresses_take_no_place_and_are_cut_where_they_are_too_many(tmp_path: Path) -> None:
    settings: Settings = {"listen": {"client_networks": "127.0.0.1", "max_connections": 2}}
    with running(settings, tmp_path) as rig:
        strangers = [dialled_from(rig, FOREIGN) for _ in range(4)]
        told = []
        for stranger in strangers:
            with contextlib.suppress(BrokenOff, ConnectionError):
                told.append(cause(stranger.response()))
        assert told == [(403, "client_not_allowed")] * 2
        friends = [rig.dial(), rig.dial()]
        assert [is_served(rig, friend) for friend in friends] == [True, True]
        for stranger in strangers:
            stranger.close()
        assert [is_served(rig, friend) for friend in friends] == [True, True]
        assert_refused(rig.dial(), 503, "overloaded")
        with contextlib.closing(dialled_from(rig, FOREIGN)) as stranger:
            assert_refused(stranger, 403, "client_not_allowed")


@pytest.mark.parametrize(
    ("text", "host", "admitted"),
    [
        ("", "203.0.113.9", True),
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.0/8 192.168.1.5", "192.168.1.5", True),
        ("10.0.0.0/8,192.168.1.5", "192.168.1.6", False),
        ("192.168.1.5 , 10.0.0.0/8", "10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:11.0.0.1", False),
        ("::ffff:10.0.0.0/104", "10.0.0.1", True),
        ("::ffff:10.0.0.0/104", "::ffff:11.0.0.1", False),
        ("::/0", "10.0.0.1", False),
        ("::/0", "2001:db8::1", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::1", "::1", True),
        ("::1", "::2", False),
        ("fe80::/10", "fe80::1%eth0", True),
    ],
)
def test_an_address_is_allowed_where_a_network_holds_it(text: str, host: str, admitted: bool) -> None:
    assert AllowList(networks(text)).admits((host, 40000)) is admitted


@pytest.mark.parametrize("peername", [None, "", "/run/app.sock", (), ("no address", 1)])
def test_whoever_has_no_address_is_none_of_a_network(peername: object) -> None:
    assert not AllowList(networks("0.0.0.0/0 ::/0")).admits(peername)
    assert AllowList().admits(peername)


def test_a_network_may_be_one_address() -> None:
    assert networks("10.0.0.1") == (ipaddress.ip_network("10.0.0.1/32"),)


