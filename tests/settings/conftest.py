from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

if TYPE_CHECKING:
    from pathlib import Path


class PemFiles(NamedTuple):
    authority: Path
    certificate: Path
    key: Path
    other_key: Path
    encrypted_key: Path


@pytest.fixture(scope="session")
def pem_files(tmp_path_factory: pytest.TempPathFactory) -> PemFiles:
    folder = tmp_path_factory.mktemp("pem")
    files = PemFiles(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem", folder / "other_key.pem", folder / "encrypted_key.pem")
    authority = trustme.CA()
    pair = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(files.authority))
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    pair.private_key_pem.write_to_path(str(files.key))
    authority.issue_cert("localhost").private_key_pem.write_to_path(str(files.other_key))
    key = load_pem_private_key(pair.private_key_pem.bytes(), None)
    files.encrypted_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")))
    return files


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("identity") / "key"
    path.write_bytes(b"0123456789abcdef")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, so that messages name files without a path."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
