"""Serves the report to browsers of this machine, made anew for each look at it."""

from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import urlsplit

_HOST = "127.0.0.1"
_NAMES = frozenset({_HOST, "localhost"})


class ReportServer(ThreadingHTTPServer):
    """A server of the page that `make_page` returns; use it in a `with`, and call `serve_forever`.

    It may raise: `explain` then gives the sentence to show instead, or None for an unexpected error. One page
    is made at a time.
    """

    daemon_threads = True

    def __init__(
        self, port: int, make_page: Callable[[], str], explain: Callable[[Exception], str | None]
    ) -> None:
        self._make_page = make_page
        self._explain = explain
        self._making = Lock()
        super().__init__((_HOST, port), _Handler)

    @property
    def url(self) -> str:
        """Like "http://127.0.0.1:8056"."""
        return f"http://{_HOST}:{self.server_port}"

    def page(self) -> tuple[HTTPStatus, str, str]:
        """The status, type and text of an answer."""
        try:
            with self._making:
                return HTTPStatus.OK, "text/html", self._make_page()
        except Exception as error:
            sentence = self._explain(error)
            if sentence is None:
                raise
            return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", sentence


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    server_version = "dinmo"
    sys_version = ""

    def do_GET(self) -> None:  # as the standard library calls it
        # Another name means that a page of somebody else's reads this one by way of a name of its own.
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in _NAMES:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif urlsplit(self.path).path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            status, kind, text = self.server.page()
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Log nothing: a terminal shows only what a person asked for."""
