"""HTTP sessions with kept connections, lent to one call at a time."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
from requests.adapters import HTTPAdapter


class _Bearer(requests.auth.AuthBase):
    """Sets the token as the last step, so that no .netrc replaces it; shows nothing of it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Sessions:
    """As many sessions as calls are under way at once, each with one connection that is used again.

    A session is not made for several threads, and threads come and go with each batch of work: so it
    belongs to a call, not to a thread.
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
        """A session for one call, the last one used first: its connection is the likeliest to live."""
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
        """Close all connections; one that is lent, when it comes back."""
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
            session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=1))
        return session
