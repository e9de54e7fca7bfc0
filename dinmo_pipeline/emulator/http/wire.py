"""Requests and responses as ASGI messages, and connections that break."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from dinmo_pipeline.emulator.call import Response

TRANSPORT: Final = "dinmo.transport"
"""The ASGI extension that holds the connection's transport, for faults to break."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        path: Still percent-encoded, so an encoded slash differs from a real one.
        headers: Headers by lower-case name.
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
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=b"".join(chunks),
    )


async def send_response(send: Send, response: Response, headers: Mapping[str, str]) -> None:
    """Send a response.

    Args:
        send: ASGI's `send`.
        response: The response; its own headers win.
        headers: Further headers.
    """
    own = {"Content-Type": response.content_type, "Content-Length": str(len(response.body))}
    pairs = {**headers, **own, **response.headers}.items()
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        }
    )
    await send({"type": "http.response.body", "body": response.body})


async def hang_up(scope: Scope, receive: Receive, *, after_s: float) -> None:
    """Break the connection without a response, unless the client leaves first.

    Args:
        scope: ASGI's scope, with the `dinmo.transport` extension.
        receive: ASGI's `receive`.
        after_s: Delay in seconds.
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
    """A status with its reason phrase, like "200 OK"."""
    return f"{status} {HTTPStatus(status).phrase}"


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
