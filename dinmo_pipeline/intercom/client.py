"""The client of one workspace: its host, its version, its calls."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from dinmo_pipeline.intercom.contacts import Contacts
from dinmo_pipeline.intercom.json_values import read_text
from dinmo_pipeline.intercom.pacing.pacer import Pacer
from dinmo_pipeline.intercom.retry import RetryPolicy
from dinmo_pipeline.intercom.tags import Tags
from dinmo_pipeline.intercom.transport import Transport

# The regional hosts keep a call in its region; api.intercom.io may forward it.
REGION_HOSTS = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}


@dataclass(frozen=True, slots=True)
class Workspace:
    """The workspace that a token opens.

    Intercom's description allows each value to be null.

    Attributes:
        id: its short code; empty if null.
        name: its name; empty if null.
        region: where it is hosted; None if null.
    """

    id: str
    name: str
    region: str | None


class IntercomClient:
    """The client of one workspace: thread-safe, and closed by `with`.

    `access` is a digest of host and token: as long as it is the same, so is the workspace.

    Args:
        token: an access token of the workspace. The first call reports an empty one.
        base_url: scheme and host; see REGION_HOSTS.
        token_name: the token's name in errors, such as its environment variable.
        version: the API version to use, 2.13 or later.
        rate_limit_share: the part of the workspace's call budget to use, above 0 and up to 1.
        budget_folder: where all runs of this machine share the budget; None for a budget of its own.
        retry: when to repeat a call; for tests.
        pacer: when a call may go out; for tests.
        sleep: waits some seconds; for tests.

    Raises:
        ConfigurationError: the folder cannot be used.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        *,
        token_name: str = "the access token",  # noqa: S107  # its name, not a token
        version: str = "2.16",
        rate_limit_share: float = 0.8,
        budget_folder: Path | None = None,
        retry: RetryPolicy | None = None,
        pacer: Pacer | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        token, base_url = token.strip(), base_url.rstrip("/")
        options: dict[str, Any] = {"sleep": sleep} if sleep else {}
        self.token_name = token_name
        self.access = _digest(base_url, token)
        self._workspace: Workspace | None = None
        shared = budget_folder and budget_folder / f"{self.access}.budget"
        self._transport = Transport(
            base_url=base_url,
            token=token,
            token_name=token_name,
            version=version,
            pacer=pacer or Pacer(rate_limit_share, shared, **options),
            retry=retry or RetryPolicy(),
            **options,
        )
        self.contacts = Contacts(self._transport)
        self.tags = Tags(self._transport)

    @property
    def calls(self) -> int:
        """The number of requests so far, including retries."""
        return self._transport.calls

    @property
    def last_date(self) -> datetime | None:
        """Intercom's time when it last answered; None before that."""
        return self._transport.last_date

    def workspace(self) -> Workspace:
        """The workspace that the token opens, by one call. Later uses need none: it never changes.

        Raises:
            IntercomError: see errors.py.
        """
        if self._workspace is None:
            self._workspace = self._fetch_workspace()
        return self._workspace

    def _fetch_workspace(self) -> Workspace:
        app = self._transport.call("GET", "/me").body.get("app")
        fields = app if isinstance(app, dict) else {}
        return Workspace(
            id=read_text(fields.get("id_code")) or "",
            name=read_text(fields.get("name")) or "",
            region=read_text(fields.get("region")),
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _digest(base_url: str, token: str) -> str:
    """A name for host and token that does not reveal the token."""
    return hashlib.sha256(f"{base_url}\n{token}".encode()).hexdigest()[:20]
