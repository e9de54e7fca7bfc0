"""HTTP calls that end: a deadline for the whole call, and a limit to the size of its answer.

The timeouts of `requests` apply to each read, so a server that sends a byte a second is waited for without
end. And it unpacks an answer before anyone can look at its size.
"""

import socket
import threading
import zlib
from contextlib import suppress
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

# 95 % of Intercom's recorded searches took less than a second. Its largest answers are pages of 150 contacts,
# and 64 MB leave 400 KB for each.
DEADLINE_SECONDS = 30.0
MAX_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024

_current = threading.local()


class TooSlowError(requests.RequestException):
    """The call had no complete answer when its deadline passed."""


class TooLargeError(requests.RequestException):
    """The answer has too many bytes, packed or unpacked."""


class UnknownPackingError(requests.RequestException):
    """The answer is packed in a way that was not asked for, so its size unpacked is unknown."""


class _Watch:
    """Ends the call of this thread when its deadline passes, by shutting its connection down."""

    def __init__(self, seconds: float) -> None:
        self.has_expired = False
        self._socket: socket.socket | None = None
        self._own: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _current.watch = self
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()
        _current.watch = None
        if self._own:
            self._own.close()

    def watch(self, connection: socket.socket | None) -> None:
        """Take the socket of the call, which may come too late: connecting takes time as well."""
        self._socket = connection
        if self.has_expired:
            self._expire()

    def watch_connecting(self, connection: socket.socket) -> None:
        """Take a socket that TLS is about to wrap, which leaves only a copy of it to shut down."""
        self._own = connection.dup()
        self.watch(self._own)

    def _expire(self) -> None:
        self.has_expired = True
        if self._socket:
            with suppress(OSError):  # it was closed in this moment
                self._socket.shutdown(socket.SHUT_RDWR)


class _Watched:
    """A connection whose socket is known to the watch of the thread that uses it."""

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        watch: _Watch | None = getattr(_current, "watch", None)
        if watch:
            watch.watch_connecting(connection)
            if watch.has_expired:
                connection.close()
                raise TimeoutError
        return connection

    def request(self, *arguments: Any, **options: Any) -> None:
        super().request(*arguments, **options)  # type: ignore[misc]
        watch: _Watch | None = getattr(_current, "watch", None)
        if watch:
            watch.watch(self.sock)  # type: ignore[attr-defined]


class _Connection(_Watched, HTTPConnection):
    pass


class _SecureConnection(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class BoundedAdapter(HTTPAdapter):
    """The adapter of a session that `bounded_request` is used with."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the pools of connections through a proxy."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def bounded_request(
    session: requests.Session, method: str, url: str, *, deadline_seconds: float, **options: Any
) -> tuple[requests.Response, bytes]:
    """Make a request; its response, and the whole body, unpacked.

    Raises:
        TooSlowError, TooLargeError, UnknownPackingError: see above.
        requests.RequestException: no answer arrived, or it broke off.
    """
    with _Watch(deadline_seconds) as watch:
        try:
            response = session.request(method, url, stream=True, **options)
            try:
                body = _unpacked(response, _packed(response))
            finally:
                response.close()
        except (requests.RequestException, HTTPError, OSError, zlib.error) as error:
            if watch.has_expired:
                raise TooSlowError from error
            if isinstance(error, requests.RequestException):
                raise
            raise requests.ConnectionError from error
        if watch.has_expired:  # to the reader, the shutdown was the end of the answer
            raise TooSlowError
        return response, body


def _packed(response: requests.Response) -> bytes:
    """The bytes as they arrive."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read(_CHUNK_BYTES, decode_content=False):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            raise TooLargeError
    return b"".join(chunks)


def _unpacked(response: requests.Response, packed: bytes) -> bytes:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return packed
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnknownPackingError
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # with the header of gzip or of zlib
    body = unpacker.decompress(packed, MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise TooLargeError
    if packed and not unpacker.eof:
        raise requests.ConnectionError  # it broke off
    return body
