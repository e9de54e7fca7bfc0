"""Requests and answers as ASGI messages, and answers that never come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from dinmo_pipeline.emulator.call import Answer

TRANSPORT: Final = "dinmo.transport"
"""The ASGI extension with the connection's transport, which a fault breaks."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    Attributes:
        path: Still percent-encoded, so that an encoded slash is told from a real one.
        headers: By lower-case name.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


async def read(scope: Scope, receive: Receive) -> Request:
    """Read a request to its end."""
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    query = scope["query_string"].decode("latin-1")
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        },
        body=b"".join(chunks),
    )


async def send_answer(send: Send, answer: Answer, headers: Mapping[str, str]) -> None:
    """Send an answer.

    Args:
        send: ASGI's.
        answer: Its own headers win over the others.
        headers: Further ones.
    """
    own = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
    pairs = {**headers, **own, **answer.headers}.items()
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


async def hang_up(scope: Scope, receive: Receive, *, after_s: float) -> None:
    """Break the connection without an answer, unless the client gives up before.

    Args:
        scope: ASGI's; its `dinmo.transport` extension is broken.
        receive: ASGI's.
        after_s: Seconds until then.
    """
    if after_s:
        try:
            await asyncio.wait_for(_client_left(receive), after_s)
        except TimeoutError:
            pass
        else:
            return
    scope["extensions"][TRANSPORT].abort()
    await _client_left(receive)


def status_line(status: int) -> str:
    """A status with its phrase, like "200 OK"."""
    return f"{status} {HTTPStatus(status).phrase}"


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
