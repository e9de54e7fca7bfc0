"""Makes calls to Intercom: headers, pacing, retries, and errors that say what to do."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from dinmo_pipeline.intercom.answers import Answer, read_answer
from dinmo_pipeline.intercom.bounded import (
    DEADLINE_SECONDS,
    MAX_BYTES,
    TooLargeError,
    TooSlowError,
    UnknownPackingError,
    bounded_request,
)
from dinmo_pipeline.intercom.errors import (
    ConfigurationError,
    IntercomError,
    UnavailableError,
    UnreadableError,
)
from dinmo_pipeline.intercom.pacing.pacer import Pacer
from dinmo_pipeline.intercom.pacing.rate_headers import (
    WINDOW_SECONDS,
    read_date,
    read_rate_headers,
    read_retry_after,
)
from dinmo_pipeline.intercom.retry import RetryPolicy
from dinmo_pipeline.intercom.sessions import Sessions

TIMEOUT_SECONDS = (5.0, 30.0)  # to connect, and between bytes of an answer
USER_AGENT = "dinmo-pipeline"

_TOO_MANY = 429


@dataclass
class Transport:
    """Makes calls to one workspace; thread-safe.

    Attributes:
        base_url: scheme and host, without a path.
        token_name: the token's name in errors.
        version: sent as `Intercom-Version`; without it Intercom uses a setting of the app.
        timeout: seconds to connect, and between bytes of an answer.
        deadline_seconds: the longest time from a request to the end of its answer.
        calls: the number of requests so far, including retries.
        last_date: Intercom's time when it last answered; None before that.
    """

    base_url: str
    token: str = field(repr=False)
    token_name: str
    version: str
    pacer: Pacer
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    sleep: Callable[[float], None] = time.sleep
    timeout: tuple[float, float] = TIMEOUT_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS
    calls: int = field(default=0, init=False)
    last_date: datetime | None = field(default=None, init=False)
    sessions: Sessions = field(init=False, repr=False)
    _count_lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(
            self.token,
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "Intercom-Version": self.version,
                "User-Agent": USER_AGENT,
            },
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a call that is safe to repeat, and retry it as long as that may help.

        Raises:
            IntercomError: see errors.py; UnavailableError if all attempts failed.
        """
        self._require_token()
        attempt = 1
        while True:
            result, requested_wait = self._attempt(method, path, json, query)
            if isinstance(result, Answer):
                return result
            if attempt >= self.retry.attempts or not isinstance(result, UnavailableError):
                raise result
            wait = self.retry.wait_seconds(attempt, requested_wait)
            if requested_wait is None:
                self.sleep(wait)
            else:
                self.pacer.close_for(wait)
            attempt += 1

    def close(self) -> None:
        """Close the connections."""
        self.sessions.close()

    def _require_token(self) -> None:
        if not self.token:
            raise ConfigurationError(f"{self.token_name} is not set. Intercom cannot be called.")
        if not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            # The HTTP library would refuse it too, and print it.
            raise ConfigurationError(
                f"{self.token_name} has characters that a token cannot have. Copy it again."
            )

    def _attempt(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> tuple[Answer | IntercomError, float | None]:
        """One request: its answer or error, and the wait in seconds that the answer requests."""
        turn = self.pacer.wait_for_turn()
        with self._count_lock:
            self.calls += 1
        try:
            with self.sessions.lend() as session:
                response, body = bounded_request(
                    session,
                    method,
                    self.base_url + path,
                    deadline_seconds=self.deadline_seconds,
                    json=json,
                    params=query,
                    timeout=self.timeout,
                    allow_redirects=False,  # the token must not go to another host
                )
        except requests.RequestException as error:
            return self._no_answer(f"{method} {path}", error), None
        self.last_date = read_date(response.headers) or self.last_date
        rate = read_rate_headers(response.headers)
        if rate:
            self.pacer.learn(rate, turn)
        result = read_answer(method, path, response, body, token=self.token)
        requested_wait = read_retry_after(response.headers)
        if isinstance(result, UnavailableError) and result.status == _TOO_MANY:
            # Without a usable reset: one whole window. Shorter back-offs were seen to fail (PostHog#68832).
            reset_in = (rate.reset_in if rate else None) or WINDOW_SECONDS
            requested_wait = max(requested_wait or 0.0, reset_in, 1.0)
        return result, requested_wait

    def _no_answer(self, call: str, error: requests.RequestException) -> IntercomError:
        """The error of a request without an answer. It quotes nothing, since that might show a header."""
        if isinstance(error, TooSlowError):
            return UnavailableError(
                f"{call}: no complete answer within {self.deadline_seconds:g} seconds, even after retries."
            )
        if isinstance(error, TooLargeError):
            return UnreadableError(f"{call}: the answer is larger than {MAX_BYTES // 2**20} MB.")
        if isinstance(error, UnknownPackingError):
            return UnreadableError(f"{call}: the answer is packed in a way that was not asked for.")
        reason = type(error).__name__
        # Requests raises ValueErrors for a malformed URL, proxy, or header.
        if isinstance(error, ValueError):
            return ConfigurationError(
                f"{call}: the request cannot be sent ({reason}). Check the destination's `base_url` and"
                " `api_version`, and the proxy settings of this machine."
            )
        host = urlsplit(self.base_url).netloc
        if isinstance(error, requests.exceptions.SSLError) and "VERIFY_FAILED" in str(error):
            return ConfigurationError(
                f"{call}: the certificate of {host} is not trusted. If a proxy inspects connections, set"
                " REQUESTS_CA_BUNDLE to its certificate."
            )
        return UnavailableError(f"{call}: no answer from {host} ({reason}), even after retries.")
