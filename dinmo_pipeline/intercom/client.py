"""The client of one workspace: its host, its version, its calls."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dinmo_pipeline.intercom.contacts import Contacts
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
    """What a token opens: the workspace's short code, its name, and its region where told.

    Intercom's description allows each to be null; code and name are empty then.
    """

    id: str
    name: str
    region: str | None


class IntercomClient:
    """Calls to one workspace; may be shared between threads, and is closed by `with`.

    `access` is a digest of host and token: while it is the same, so is the workspace.

    Args:
        token: an access token of the workspace; empty when there is none, which the first call reports.
        token_name: what a person calls the token, such as its environment variable; for errors.
        base_url: scheme and host; see REGION_HOSTS.
        version: the API version to speak, 2.13 or later.
        rate_limit_share: the part of the workspace's call budget to use, over 0 to 1.
        budget_folder: where all runs of this machine share that budget; None is this client's own.
        retry, pacer, sleep: for tests.

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
        """How many requests went out so far, retries included."""
        return self._transport.calls

    def workspace(self) -> Workspace:
        """The workspace that the token opens: one call, also when asked again; a token never opens another.

        Raises:
            IntercomError: see errors.py.
        """
        if self._workspace is None:
            self._workspace = self._ask_for_workspace()
        return self._workspace

    def _ask_for_workspace(self) -> Workspace:
        app = self._transport.call("GET", "/me").body.get("app")
        told = app if isinstance(app, dict) else {}
        id_code, name, region = (
            value if isinstance(value := told.get(key), str) else None
            for key in ("id_code", "name", "region")
        )
        return Workspace(id_code or "", name or "", region)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _digest(base_url: str, token: str) -> str:
    """A name for host and token that tells nothing of the token."""
    return hashlib.sha256(f"{base_url}\n{token}".encode()).hexdigest()[:20]
