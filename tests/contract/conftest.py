from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from contract.cases import SCENARIO, Sdk, asked_of
from contract.processes import arrivals_by_case, closed_port, driven, proxy, simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SDKS = ("v6", "v5")


@dataclass(frozen=True, slots=True)
class Way:
    """What both SDKs saw on one way, and what reached the simulator at its end.

    Attributes:
        outcomes: By SDK and case: the driver's line.
        arrivals: By SDK and case: the simulator's records, in order.
    """

    outcomes: dict[Sdk, dict[str, dict[str, Any]]]
    arrivals: dict[Sdk, dict[str, list[dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Contract:
    """The two ways of the same calls: straight to a simulator, and through the proxy to another one just like it.

    Attributes:
        direct: Without the proxy.
        proxied: With it.
        upstream_urls: By SDK: the simulator behind the proxy.
    """

    direct: Way
    proxied: Way
    upstream_urls: dict[Sdk, str]


def travelled(base_urls: dict[Sdk, dict[str, str]], simulators: dict[Sdk, str], authority: Path) -> Way:
    """Run the drivers one after the other, each with the base URLs by target that are meant for it."""
    outcomes = {sdk: driven(sdk, asked_of(sdk), base_urls[sdk], authority) for sdk in SDKS}
    return Way(outcomes, {sdk: arrivals_by_case(simulators[sdk]) for sdk in SDKS})


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate for the proxy's own listener, and the authority that an application must trust for it."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    paths = {name: folder / f"{name}.pem" for name in ("authority", "certificate", "key")}
    authority.cert_pem.write_to_path(str(paths["authority"]))
    issued.cert_chain_pems[0].write_to_path(str(paths["certificate"]))
    issued.private_key_pem.write_to_path(str(paths["key"]))
    return paths


@pytest.fixture(scope="session")
def contract(certificates: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    """Both ways, travelled once by each SDK, at the same time. Each API of each way has a simulator of its own, so that all count alike."""
    scenario = tmp_path_factory.mktemp("scenario") / "downloads.toml"
    scenario.write_text(SCENARIO)
    tls = {"listen__tls_certificate": str(certificates["certificate"]), "listen__tls_key": str(certificates["key"])}
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        beside, behind = ({sdk: start(simulator(scenario)) for sdk in SDKS} for _ in range(2))
        nowhere = start(closed_port())
        upstreams = (behind["v6"], behind["v5"])
        through = {
            "main": start(proxy(*upstreams)),
            "down": start(proxy(nowhere, nowhere)),
            "impatient": start(proxy(*upstreams, upstream__response_timeout_s="0.5")),
            "tls": start(proxy(*upstreams, **tls)),
        }
        with ThreadPoolExecutor(2) as pool:
            direct = pool.submit(travelled, {sdk: {"main": beside[sdk], "down": nowhere} for sdk in SDKS}, beside, certificates["authority"])
            proxied = pool.submit(travelled, dict.fromkeys(SDKS, through), behind, certificates["authority"])
            yield Contract(direct.result(), proxied.result(), behind)
