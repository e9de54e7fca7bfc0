"""HTTP sessions that keep their connections, each lent to one call at a time."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests

from dinmo_pipeline.intercom.bounded import BoundedAdapter


class _Bearer(requests.auth.AuthBase):
    """Sets the token as the last step, so that no .netrc replaces it, and never shows it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Sessions:
    """As many sessions as there are calls in flight, each with one reused connection.

    A session is not thread-safe, and threads come and go with each batch of work, so a session belongs to
    a call and not to a thread.
    """

    def __init__(self, token: str, headers: Mapping[str, str]) -> None:
        self._token = token
        self._headers = headers
        self._lock = threading.Lock()
        self._idle: list[requests.Session] = []
        self._closed = False
        self.made = 0

    @contextmanager
    def lend(self) -> Iterator[requests.Session]:
        """Lend the session that was used last, since its connection is the likeliest to be open."""
        with self._lock:
            session = self._idle.pop() if self._idle else self._make()
        try:
            yield session
        finally:
            with self._lock:
                if self._closed:
                    session.close()
                else:
                    self._idle.append(session)

    def close(self) -> None:
        """Close all connections; those of lent sessions when they come back."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def _make(self) -> requests.Session:
        self.made += 1
        session = requests.Session()
        session.auth = _Bearer(self._token)
        session.headers.update(self._headers)
        for scheme in ("https://", "http://"):
            session.mount(scheme, BoundedAdapter(pool_connections=1, pool_maxsize=1))
        return session
