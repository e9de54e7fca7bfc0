"""A client for one workspace: every status is an answer, a missing answer is an error."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import requests

VERSION = "2.16"
_PAUSE_SECONDS = 0.1  # at most 100 calls in 10 seconds; the lowest recorded limit is 167
_WINDOW_SECONDS = 10.0
_TIMEOUT_SECONDS = 30


class WorkspaceError(Exception):
    """The workspace cannot be tested; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `body` is empty if it is not a JSON object."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.status == requests.codes.ok and self.body.get("type") != "error.list"

    @property
    def code(self) -> str:
        """The code of the first error; empty without an error."""
        errors = self.body.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else None
        return str(first.get("code") or "") if isinstance(first, dict) else ""

    @property
    def words(self) -> str:
        """Status, code and message, for a report."""
        errors = self.body.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else {}
        message = first.get("message") if isinstance(first, dict) else None
        return f"{self.status} {self.code}".strip() + (f" ({message})" if message else "")

    def items(self, key: str = "data") -> list[Mapping[str, Any]]:
        """The objects of a list; empty if there is no list."""
        listed = self.body.get(key)
        return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []

    def ids(self, key: str = "data") -> set[str]:
        """The ids of the objects of a list."""
        return {str(one.get("id")) for one in self.items(key)}


@dataclass
class Api:
    """Calls a workspace slowly enough for the lowest rate limit, and waits after a 429.

    Attributes:
        base_url: Scheme and host.
        sleep: Waits for some seconds.
        calls: How many requests were sent.
        refused: The first 429, if any.
    """

    base_url: str
    token: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    calls: int = 0
    refused: Answer | None = None
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        version: str = VERSION,
        token: str | None = None,
    ) -> Answer:
        """Make a call.

        Raises:
            WorkspaceError: no answer came, or three 429.
        """
        for _ in range(3):
            answer = self._once(method, path, body, version, token or self.token)
            if answer.status != requests.codes.too_many_requests:
                return answer
            self.refused = self.refused or answer
            self.sleep(_until_reset(answer.headers))
        raise WorkspaceError(f"{method} {path}: over the rate limit three times")

    def get(self, path: str, **options: Any) -> Answer:
        """Call with GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: Mapping[str, Any], **options: Any) -> Answer:
        """Call with POST."""
        return self.call("POST", path, body, **options)

    def delete(self, path: str) -> Answer:
        """Call with DELETE."""
        return self.call("DELETE", path)

    def search(self, query: Mapping[str, Any], per_page: int = 150, **more: Any) -> Answer:
        """Search a page of contacts; `more` is added to the body."""
        pagination = {"per_page": per_page, **more.pop("pagination", {})}
        body = {"query": query, "pagination": pagination, **more}
        return self.post("/contacts/search", body)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None, version: str, token: str
    ) -> Answer:
        self.sleep(_PAUSE_SECONDS)
        self.calls += 1
        try:
            response = self._session.request(
                method,
                self.base_url + path,
                json=body,
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept": "application/json",
                    "Intercom-Version": version,
                },
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,  # keep the token from other hosts
            )
        except requests.RequestException as error:
            # Without its message, which may contain the token.
            raise WorkspaceError(f"{method} {path}: no answer ({type(error).__name__})") from None
        try:
            read = response.json()
        except ValueError:
            read = None
        return Answer(response.status_code, read if isinstance(read, dict) else {}, response.headers)


def reset_in(headers: Mapping[str, str]) -> float | None:
    """Seconds until the rate limit resets, by the clock of the answer."""
    try:
        date = parsedate_to_datetime(headers["Date"]).timestamp()
        return float(headers["X-RateLimit-Reset"]) - date
    except (KeyError, TypeError, ValueError):
        return None


def _until_reset(headers: Mapping[str, str]) -> float:
    seconds = reset_in(headers)
    is_plausible = seconds is not None and 0 < seconds <= 2 * _WINDOW_SECONDS
    return seconds if seconds is not None and is_plausible else _WINDOW_SECONDS
