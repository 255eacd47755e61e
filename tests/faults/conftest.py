"""The stand of the fault programme: one for all cases that leave the process as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme
from wire.authority import Authority

from faults.stand import Stand, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

GROWTH_MAX_BYTES = 32 * 1024 * 1024


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """It ends as it was at the beginning."""
    folder = tmp_path_factory.mktemp("faults")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    authority = Authority(ca, str(folder / "ca.pem"))
    with standing(folder, tls=authority.server("localhost"), ca_file=authority.file) as made:
        began_bytes = made.proxy.resident_bytes()
        yield made
        made.settle()
        assert made.proxy.resident_bytes() - began_bytes < GROWTH_MAX_BYTES
