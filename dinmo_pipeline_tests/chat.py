"""A chat server with an incoming webhook, over real HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Chat(ThreadingHTTPServer):
    """Keeps what was posted, newest last, counts GETs as beats, and responds with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Webhook)
        self.posted: list[dict[str, str]] = []
        self.status = 200
        self.beats = 0

    @property
    def url(self) -> str:
        """The URL of its webhook, which contains a secret, as real ones do."""
        return f"http://127.0.0.1:{self.server_address[1]}/services/secret-of-the-webhook"

    def take(self) -> list[str]:
        """The texts posted since the last time this was called."""
        texts = [body["text"] for body in self.posted]
        self.posted.clear()
        return texts


class _Webhook(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.posted.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Location", "/services/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.beats += 1
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # its own name
        """Log nothing."""


@contextmanager
def chat_of_a_test() -> Iterator[Chat]:
    """Run a chat server."""
    with Chat() as chat:
        thread = Thread(target=chat.serve_forever, daemon=True)
        thread.start()
        yield chat
        chat.shutdown()
        thread.join()
