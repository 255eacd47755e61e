"""multipart/form-data (RFC 7578), split in memory."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form: its name, its file name (empty for plain fields), its type, its bytes."""

    name: str
    filename: str
    content_type: str
    content: bytes


def boundary_of(content_type: str) -> str | None:
    """The boundary that a Content-Type names, or None where it is no form."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    return boundary if header.get_content_type() == "multipart/form-data" and isinstance(boundary, str) and boundary else None


def split_form(content: bytes, boundary: str) -> list[Part] | None:
    """The parts in order, or None when the form has no proper end."""
    delimiter = b"\r\n--" + boundary.encode("utf-8", "replace")
    pieces = (b"\r\n" + content).split(delimiter)
    if not pieces[-1].startswith(b"--"):
        return None
    parts = [_part(piece) for piece in pieces[1:-1]]
    return [part for part in parts if part]


def _part(piece: bytes) -> Part | None:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank:
        return None
    header = BytesHeaderParser().parsebytes(head.lstrip(b"\r\n"))
    name = header.get_param("name", header="Content-Disposition")
    return Part(name if isinstance(name, str) else "", header.get_filename() or "", header.get_content_type(), content)
