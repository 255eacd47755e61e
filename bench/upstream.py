"""The upstream of every peer: an nginx (else a stand-in) that answers from memory, plain and over TLS with a certificate made for the run."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import trustme
from child_process import Child, fill_in, free_port, start
from workload import LARGE, SMALL, SMALL_ANSWER, UPLOAD, UPLOAD_ANSWER


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where peers forward to.

    Attributes:
        name: `plain` or `TLS`.
        port: On 127.0.0.1; the certificate is for `localhost` and for that address.
        ca_file: What to verify the certificate with.
    """

    name: str
    port: int
    ca_file: Path

    @property
    def scheme(self) -> str:
        """The URL scheme."""
        return "https" if self.name == "TLS" else "http"


def nginx_path() -> str | None:
    """Find nginx, also where an ordinary user's PATH does not look."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def own_name() -> str:
    """Return the name of the user that runs this, for nginx: as root it would change to one who may not read the folder."""
    return pwd.getpwuid(os.geteuid()).pw_name


def start_upstream(folder: Path, core: int) -> tuple[Child, Upstream, Upstream]:
    """Start the upstream; returns it and its two sides, plain and TLS."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "certificate.pem")
    (folder / "large.bin").write_bytes(os.urandom(LARGE.answer_bytes))
    plain, tls = Upstream("plain", free_port(), folder / "ca.pem"), Upstream("TLS", free_port(), folder / "ca.pem")
    nginx = nginx_path()
    command = _nginx_command(nginx, folder, plain.port, tls.port) if nginx else _stand_in_command(folder, plain.port, tls.port)
    return start(command, folder, core), plain, tls


def _nginx_command(nginx: str, folder: Path, port: int, tls_port: int) -> list[str]:
    configuration = fill_in(
        "nginx_upstream.conf", folder / "nginx.conf",
        user=own_name(), folder=folder, port=port, tls_port=tls_port, certificate=folder / "certificate.pem",
        small_path=SMALL.path, small_answer=SMALL_ANSWER, large_path=LARGE.path, large_file=folder / "large.bin",
        upload_path=UPLOAD.path, upload_answer=UPLOAD_ANSWER,
    )  # fmt: skip
    return [nginx, "-e", str(folder / "output.log"), "-c", str(configuration)]


def _stand_in_command(folder: Path, port: int, tls_port: int) -> list[str]:
    script = Path(__file__).with_name("stand_in_upstream.py")
    return [sys.executable, str(script), str(port), str(tls_port), str(folder / "certificate.pem"), str(folder / "large.bin")]
