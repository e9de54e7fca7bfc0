"""One call to Intercom: headers, pacing, retries, and an error that says what to do."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from dinmo_pipeline.intercom.answers import read_error
from dinmo_pipeline.intercom.errors import ConfigurationError, IntercomError, UnavailableError
from dinmo_pipeline.intercom.pacing import Pacer, read_rate_headers
from dinmo_pipeline.intercom.retry import RETRIED_STATUSES, RetryPolicy

TIMEOUT_SECONDS = (5.0, 30.0)  # to connect, and between bytes of the answer
USER_AGENT = "dinmo-pipeline"


class _Bearer(requests.auth.AuthBase):
    """Sets the token as the last step, so that no .netrc replaces it; shows nothing of it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its JSON object and Intercom's id of the request."""

    body: Mapping[str, Any]
    request_id: str | None


@dataclass
class Transport:
    """Makes calls to one workspace; may be shared between threads.

    Attributes:
        base_url: scheme and host, without a path.
        token_name: what a person calls the token, for errors.
        version: the `Intercom-Version` sent with each call; without it the app's own setting would rule.
        calls: how many requests went out, retries included.
    """

    base_url: str
    token: str = field(repr=False)
    token_name: str
    version: str
    pacer: Pacer
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    sleep: Callable[[float], None] = time.sleep
    calls: int = field(default=0, init=False)
    _local: threading.local = field(default_factory=threading.local, init=False, repr=False)
    _count_lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _sessions: list[requests.Session] = field(default_factory=list, init=False, repr=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a call that is safe to repeat, and repeat it while that may help.

        Raises:
            IntercomError: see errors.py; UnavailableError when all attempts failed.
        """
        self._require_token()
        for attempt in range(1, self.retry.attempts + 1):
            failure, asked_wait = self._attempt(method, path, json, query)
            if isinstance(failure, Answer):
                return failure
            if attempt == self.retry.attempts or not isinstance(failure, UnavailableError):
                raise failure
            wait = self.retry.wait_seconds(attempt, asked_wait)
            if asked_wait is None:
                self.sleep(wait)
            else:
                self.pacer.close_for(wait)
        raise AssertionError  # the loop above always returns or raises

    def close(self) -> None:
        """Close the connections of all threads."""
        for session in self._sessions:
            session.close()

    def _require_token(self) -> None:
        if not self.token:
            raise ConfigurationError(f"{self.token_name} is not set, so Intercom cannot be asked.")
        if not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            # The HTTP library would refuse it as well, and print it.
            raise ConfigurationError(f"{self.token_name} holds characters that no token has.")

    def _attempt(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> tuple[Answer | IntercomError, float | None]:
        """One request: its answer or error, and the wait in seconds that a 429 asks for."""
        self.pacer.wait_for_turn()
        with self._count_lock:
            self.calls += 1
        try:
            response = self._session().request(
                method,
                self.base_url + path,
                json=json,
                params=query,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,  # the token goes to no other host
            )
        except requests.RequestException as error:
            host = urlsplit(self.base_url).netloc
            reason = type(error).__name__
            return UnavailableError(f"{method} {path}: no answer from {host} ({reason})"), None
        rate = read_rate_headers(response.headers)
        if rate:
            self.pacer.learn(rate)
        result = read_answer(method, path, response)
        if isinstance(result, UnavailableError) and response.status_code == 429:  # noqa: PLR2004
            return result, _asked_wait(response.headers, rate.reset_in if rate else None)
        return result, None

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.auth = _Bearer(self.token)
            session.headers.update(
                {
                    "Accept": "application/json",
                    "Intercom-Version": self.version,
                    "User-Agent": USER_AGENT,
                }
            )
            self._local.session = session
            self._sessions.append(session)
        return session


def read_answer(method: str, path: str, response: requests.Response) -> Answer | IntercomError:
    """An HTTP response as an answer or as the error it stands for; accepts any body."""
    try:
        body = response.json()
    except ValueError:
        body = None
    # A body of errors under status 200 has been reported: it is an error.
    ok = response.status_code == 200  # noqa: PLR2004
    if ok and isinstance(body, dict) and body.get("type") != "error.list":
        return Answer(body, response.headers.get("X-Request-Id"))
    return read_error(
        f"{method} {path}",
        response.status_code,
        body if isinstance(body, dict) else {},
        response.headers,
        retried=response.status_code in RETRIED_STATUSES,
    )


def _asked_wait(headers: Mapping[str, str], reset_in: float | None) -> float:
    """Seconds to stay away after a 429; without usable headers one whole window."""
    try:
        retry_after: float | None = float(headers["Retry-After"])
    except (KeyError, ValueError):
        retry_after = None
    known = [wait for wait in (retry_after, reset_in) if wait is not None]
    return max(1.0, *known) if known else 10.0
