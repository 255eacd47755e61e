"""What is asked of every peer: the requests, the answers, and the header fields that an SDK would send."""

from __future__ import annotations

import json
from dataclasses import dataclass

GRANT = "3f2c8a54-6b1d-4c8e-9d7a-0f5e2b9c4a11"
REQUEST_FIELDS = {
    "Host": "api.example.test",
    "Authorization": "Bearer nyk_v0_a_key_that_opens_nothing",
    "User-Agent": "Nylas Python SDK 6.18.0 - 3.11.7",
    "X-Nylas-API-Wrapper": "python",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of request, repeated.

    Attributes:
        name: As the table shows it.
        path: The target; one row of the upstream's configuration.
        answer_bytes: Length of the body that upstream answers with.
        upload_bytes: Length of the request body; 0 makes it a GET, anything else a POST.
        connections: Keep-alive connections that the closed-loop load holds.
    """

    name: str
    path: str
    answer_bytes: int
    upload_bytes: int = 0
    connections: int = 32

    @property
    def method(self) -> str:
        """The request method."""
        return "POST" if self.upload_bytes else "GET"


def _a_message_list(length_bytes: int) -> str:
    """Build a JSON list answer of exactly `length_bytes`, free of the characters that nginx would interpret."""
    answer = {"request_id": "5fa64c92-e840-4357-86b9-2aa364d35b88", "data": [{"id": "1", "grant_id": GRANT, "object": "message", "body": ""}]}
    padding_bytes = length_bytes - len(json.dumps(answer))
    return json.dumps(answer).replace('"body": ""', f'"body": "{"x" * padding_bytes}"')


SMALL_ANSWER = _a_message_list(2048)
UPLOAD_ANSWER = _a_message_list(512)

SMALL = Work("2 KB GET", f"/v3/grants/{GRANT}/messages/1", answer_bytes=2048)
LARGE = Work("100 KB GET", f"/v3/grants/{GRANT}/attachments/1/download", answer_bytes=102_400)
UPLOAD = Work("4 MB upload", f"/v3/grants/{GRANT}/drafts", answer_bytes=512, upload_bytes=4 * 1024 * 1024, connections=8)
