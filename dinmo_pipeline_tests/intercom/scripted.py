"""A real HTTP server that gives scripted answers, for answers that no emulator would give."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer with any status, body, and headers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as sent: text and bytes unchanged, anything else as JSON."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True)
class Request:
    """A request that the server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Answers with `answer`, a function of the request, and keeps all requests in `requests`."""

    base_url: str
    answer: Callable[[Request], Reply] = lambda _request: Reply(body={})
    requests: list[Request] = field(default_factory=list)

    def reply(self, *replies: Reply) -> None:
        """Give these replies one after another, and the last one forever."""
        left = list(replies)
        self.requests.clear()
        self.answer = lambda _request: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def scripted() -> Iterator[ScriptedServer]:
    """Run one on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            headers = dict(self.headers.items())
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            server.requests.append(request)
            reply = server.answer(request)
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815  # names that http.server looks for

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as http:
        server = ScriptedServer(f"http://127.0.0.1:{http.server_address[1]}")
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def error_body(code: str, message: str = "") -> dict[str, Any]:
    """An `error.list` as Intercom writes it."""
    return {
        "type": "error.list",
        "request_id": "req-in-body",
        "errors": [{"code": code, "message": message}],
    }
