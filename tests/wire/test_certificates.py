"""When certificates end, judged by the package `cryptography`."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import Any

import pytest
import trustme
from cryptography import x509
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.wire.certificates import expires_at, expiry_of_peer

AUTHORITY = trustme.CA()
SOON = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=1)
ENDS = {
    "soon": SOON,
    "long ago": dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    "at the last second of UTCTime": dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
    "at the first of GeneralizedTime": dt.datetime(2050, 1, 1, tzinfo=dt.UTC),
    "never, as far as RFC 5280 section 4.1.2.5 can say": dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
}
KEY_TYPES = {"EC": trustme.KeyType.ECDSA, "RSA": trustme.KeyType.RSA}


def issued(not_after: dt.datetime, key_type: trustme.KeyType = trustme.KeyType.ECDSA) -> trustme.LeafCert:
    return AUTHORITY.issue_cert("localhost", not_before=dt.datetime(2000, 1, 1, tzinfo=dt.UTC), not_after=not_after, key_type=key_type)


def pem(not_after: dt.datetime) -> bytes:
    return issued(not_after).cert_chain_pems[0].bytes()


def told_by_the_oracle(data: bytes) -> float:
    return min(certificate.not_valid_after_utc.timestamp() for certificate in x509.load_pem_x509_certificates(data))


@pytest.mark.parametrize("key_type", KEY_TYPES.values(), ids=KEY_TYPES)
@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_a_certificate_ends_when_the_oracle_says(ends: dt.datetime, key_type: trustme.KeyType) -> None:
    data = issued(ends, key_type).cert_chain_pems[0].bytes()
    assert expires_at(data) == told_by_the_oracle(data) == ends.timestamp()


@pytest.mark.parametrize("order", [1, -1])
def test_a_chain_ends_with_its_first_link(order: int) -> None:
    chain = b"".join([pem(ENDS["at the first of GeneralizedTime"]), pem(SOON), AUTHORITY.cert_pem.bytes()][::order])
    assert expires_at(chain) == told_by_the_oracle(chain) == SOON.timestamp()


def test_the_key_and_remarks_in_the_same_file_do_not_matter() -> None:
    leaf = issued(SOON)
    data = b"Subject: localhost\n" + leaf.private_key_and_cert_chain_pem.bytes() + b"# \xff the end -----BEGIN CERTIFICATE-----\n"
    assert expires_at(data) == SOON.timestamp()


def test_line_ends_of_windows_do_not_matter() -> None:
    assert expires_at(pem(SOON).replace(b"\n", b"\r\n")) == SOON.timestamp()


def test_a_broken_certificate_does_not_hide_the_others() -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    assert expires_at(broken + pem(SOON)) == SOON.timestamp()


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes([tag, len(content)]) + content


def a_certificate(*time: bytes, before: bytes = b"") -> bytes:
    """As far as the validity goes, which is as far as is read."""
    empty = element(0x30)
    told = element(0x30, element(0x17, b"000101000000Z"), *time)
    return ssl.DER_cert_to_PEM_cert(element(0x30, element(0x30, before, element(0x02, b"\x01"), empty, empty, told))).encode()


def test_a_certificate_of_the_first_version_says_no_version() -> None:
    """RFC 5280 section 4.1.2.1."""
    time = element(0x17, b"300101000000Z")
    assert expires_at(a_certificate(time)) == expires_at(a_certificate(time, before=element(0xA0, b"\x02\x01\x02"))) == 1893456000.0


@pytest.mark.parametrize(("text", "ends"), [(b"491231235959Z", 2524607999.0), (b"500101000000Z", -631152000.0), (b"991231235959Z", 946684799.0)])
def test_a_year_of_two_digits_is_one_from_1950_to_2049(text: bytes, ends: float) -> None:
    """RFC 5280 section 4.1.2.5.1."""
    assert expires_at(a_certificate(element(0x17, text))) == ends


@pytest.mark.parametrize(
    "time",
    [
        (element(0x17, b"3001010000Z"),),
        (element(0x17, b"300101000000+0100"),),
        (element(0x17, b"301301000000Z"),),
        (element(0x17, b"3001010000 0Z"),),
        (element(0x17, b"\xff01010000000Z"),),
        (element(0x18, b"300101000000Z"),),
        (element(0x18, b"20300101000000.5Z"),),
        (element(0x18, b"00000101000000Z"),),
        (element(0x0C, b"20300101000000Z"),),
        (b"\x17\x80300101000000Z\0\0",),
        (b"\x17\x85\0\0\0\0\x0d300101000000Z",),
        (b"\x17\x0e300101000000Z",),
        (b"\x17",),
        (),
    ],
)
def test_a_time_that_no_certificate_may_have_is_not_guessed(time: tuple[bytes, ...]) -> None:
    assert expires_at(a_certificate(*time)) is None


@pytest.mark.parametrize(
    "certificate",
    [
        a_certificate(element(0x17, b"300101000000Z"), before=b"\xa0\x80"),
        ssl.DER_cert_to_PEM_cert(b"\x31" + ssl.PEM_cert_to_DER_cert(a_certificate(element(0x17, b"300101000000Z")).decode())[1:]).encode(),
    ],
    ids=["of a length that DER does not have", "no sequence"],
)
def test_what_only_looks_like_a_certificate_is_none(certificate: bytes) -> None:
    assert expires_at(certificate) is None


def test_a_file_without_a_certificate_tells_nothing() -> None:
    assert expires_at(AUTHORITY.issue_cert("localhost").private_key_pem.bytes()) is None


DER = ssl.PEM_cert_to_DER_cert(pem(SOON).decode())


@given(st.binary())
@example(b"-----BEGIN CERTIFICATE-----\n\xff-----END CERTIFICATE-----")
@example(b"-----BEGIN CERTIFICATE-----\nA-----END CERTIFICATE-----")
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert expires_at(data) is None
    assert expires_at(ssl.DER_cert_to_PEM_cert(data).encode()) is None


@given(st.integers(0, len(DER) - 1), st.integers(0, 255), st.integers(0, len(DER)))
def test_no_damage_is_too_strange(at: int, byte: int, cut: int) -> None:
    damaged = DER[:at] + bytes([byte]) + DER[at + 1 :]
    for data in (damaged, DER[:cut], damaged[:cut]):
        found = expires_at(ssl.DER_cert_to_PEM_cert(data).encode())
        assert found is None or isinstance(found, float)


def shown_to_a_client(leaf: trustme.LeafCert) -> Any:
    """What `getpeercert()` gives after a real handshake, in memory."""
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    leaf.configure_cert(serving)
    AUTHORITY.configure_trust(asking)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server, client = serving.wrap_bio(up, down, server_side=True), asking.wrap_bio(down, up, server_hostname="localhost")
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.getpeercert()


@pytest.mark.parametrize("ends", [SOON, ENDS["at the first of GeneralizedTime"]])
def test_what_upstream_shows_ends_when_its_certificate_does(ends: dt.datetime) -> None:
    assert expiry_of_peer(shown_to_a_client(issued(ends))) == ends.timestamp()


@pytest.mark.parametrize("peercert", [{}, {"notAfter": ""}, {"notAfter": "tomorrow"}, {"notAfter": 5}, {"notAfter": "Feb 32 00:00:00 2030 GMT"}])
def test_a_peer_that_tells_no_time_tells_none(peercert: dict[str, object]) -> None:
    assert expiry_of_peer(peercert) is None
