"""What is counted for Prometheus, over the wire."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import ssl
import string
import threading
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography import x509
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from wire.origin import Origin

from operating.rig import AT_ONCE, Sidecar, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from prometheus_client import Metric
    from wire.process import Settings

    from operating.rig import Caller, Nylas

GRANTS = 2000
RANDOM = 500
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
EXPIRY = 'nylas_proxy_certificate_expiry_timestamp_seconds{{certificate="{}"}}'
IN_A_WEEK = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).replace(microsecond=0)
GAUGES = ("nylas_proxy_in_flight", 'nylas_proxy_connections{side="client",state="busy"}', 'nylas_proxy_connections{side="v3",state="busy"}')
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
UNUSUAL = ("REPORT", "LOCK", "MKCOL", "SEARCH", "PURGE", "SUBSCRIBE")
SETTINGS: Settings = {
    "limits.overrides.v3_contacts": {"count": 1, "per_s": 600},
    # What nobody knows counts against these, and here it may not have to wait.
    **{
        f"limits.overrides.{name}": {"count": 100_000, "per_s": 1}
        for name in ("v3_applications", "v3_authentication", "v3_connectors", "v3_grants", "v3_webhooks", "v2_application", "v2_account")
    },
    "log": {"format": "json", "level": "warning"},
}


@pytest.fixture(scope="module")
def sidecar(nylas: Nylas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(nylas.url, tmp_path_factory.mktemp("metrics"), SETTINGS) as running:
        yield running


def ask_at_random(asking: Caller, dice: random.Random, methods: Sequence[str], count: int) -> None:
    """Ask for paths that nobody knows, of both APIs and of grants, by each of the methods."""
    for number in range(count):
        word = "".join(dice.choices(string.ascii_letters + string.digits + "-._~", k=dice.randrange(1, 20)))
        prefix = ("/", "/v3/", f"/v3/grants/nylas-{dice.randrange(10**9)}/")[number % 3]
        method = methods[number // 3 % len(methods)]
        answer = asking.ask(f"{prefix}x{word}/{number}?{word}=1", method=method, fields=AT_ONCE, body={} if method == "PUT" else None)
        assert answer.status == 404, answer.raw


def test_hostile_input_adds_no_series(sidecar: Sidecar) -> None:
    asking, dice = sidecar.caller(), random.Random(7)
    assert asking.ask("/v3/grants/nylas-0/messages").status == 200
    ask_at_random(asking, dice, METHODS, 3 * len(METHODS))
    sidecar.look("/metrics")
    before = sidecar.metrics()
    for number in range(GRANTS):
        assert asking.ask(f"/v3/grants/{dice.randrange(10**12)}-{number}/messages?limit=1").status == 200
    ask_at_random(asking, dice, METHODS + UNUSUAL, RANDOM)
    after = sidecar.metrics()
    assert after.keys() == before.keys()
    counted = 'nylas_proxy_requests_total{api="v3",cause="none",method="GET",origin="none",route="messages",status="200"}'
    assert after[counted] - before[counted] == GRANTS


def samples(families: Iterable[Metric]) -> dict[tuple[str, str], float]:
    ours = (sample for family in families for sample in family.samples if family.name.startswith("nylas_proxy_"))
    return {(sample.name, str(sorted(sample.labels.items()))): sample.value for sample in ours}


def test_both_forms_say_the_same_and_each_is_what_was_asked_for(sidecar: Sidecar) -> None:
    assert sidecar.ask("/v3/grants/nylas-0/messages").status == 200
    plain, other = (sidecar.look("/metrics", {"Accept": accept}) for accept in ("text/plain", f"{OPENMETRICS},text/plain;q=0.5"))
    assert plain.fields["Content-Type"].startswith("text/plain")
    assert other.fields["Content-Type"].startswith(OPENMETRICS)
    told = samples(plain_text(plain.raw.decode()))
    told_otherwise = samples(openmetrics(other.raw.decode()))  # type: ignore[no-untyped-call]  # by the library
    assert told_otherwise.keys() == told.keys()
    asked = {key: value for key, value in told.items() if key[0] == "nylas_proxy_requests_total"}
    assert asked
    assert asked.items() <= told_otherwise.items()


def test_metrics_answer_head(sidecar: Sidecar) -> None:
    head = sidecar.look("/metrics", method="HEAD")
    assert (head.status, head.raw) == (200, b"")
    assert head.fields["Content-Type"].startswith("text/plain")


def test_own_refusals_are_counted_by_the_limit(sidecar: Sidecar) -> None:
    statuses = [sidecar.ask("/v3/grants/nylas-r/contacts", fields=AT_ONCE).status for _ in range(4)]
    assert statuses == [200, 429, 429, 429]
    counted = sidecar.metrics()
    assert counted['nylas_proxy_refusals_total{by="limit",cause="rate_limit_nylas",level="grant",name="v3_contacts"}'] == 3
    of_status = 'nylas_proxy_requests_total{api="v3",cause="rate_limit_nylas",method="GET",origin="proxy",route="contacts",status="429"}'
    assert counted[of_status] == 3
    assert counted['nylas_proxy_upstream_attempts_total{api="v3",route="contacts",status="200"}'] == 1


def test_gauges_tell_of_a_request_that_is_under_way(sidecar: Sidecar) -> None:
    answers: list[int] = []
    asking = sidecar.caller()
    slow = threading.Thread(target=lambda: answers.append(asking.ask("/v3/grants/nylas-slowly/messages", cue="delay_s=1").status))
    slow.start()
    meanwhile = until(lambda: (now := sidecar.metrics())[GAUGES[-1]] and now)
    slow.join()
    assert answers == [200]
    assert [meanwhile[gauge] for gauge in GAUGES] == [1, 1, 1]
    afterwards = sidecar.metrics()
    assert [afterwards[gauge] for gauge in GAUGES] == [0, 0, 0]


def test_the_ends_of_certificates_are_told(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    own, theirs = ca.issue_cert("127.0.0.1", not_after=IN_A_WEEK), ca.issue_cert("localhost")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.configure_cert(context)
    settings: Settings = {
        "listen": {"tls_certificate": str(tmp_path / "own.pem"), "tls_key": str(tmp_path / "own.pem")},
        "upstream": {"ca_file": str(tmp_path / "ca.pem")},
    }
    with contextlib.closing(Origin(context=context)) as origin, Sidecar(f"https://localhost:{origin.port}", tmp_path, settings) as sidecar:
        assert sidecar.metrics()[EXPIRY.format("listen")] == ends_at(own) == IN_A_WEEK.timestamp()
        assert EXPIRY.format("v3") not in sidecar.metrics()
        client_tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with contextlib.closing(sidecar.process.dial(client_tls, server_name="127.0.0.1")) as client:
            client.send(b"GET /v3/grants/nylas-0/messages HTTP/1.1\r\nHost: x\r\n\r\n")
            origin.next_request().answer()
            assert client.response().status == 200
        assert sidecar.metrics()[EXPIRY.format("v3")] == ends_at(theirs)


def ends_at(certificate: trustme.LeafCert) -> float:
    """In seconds since 1970."""
    return x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).not_valid_after_utc.timestamp()
