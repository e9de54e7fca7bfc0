"""The client of one workspace: its host, its version, its calls."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from dinmo_pipeline.intercom.contacts import Contacts
from dinmo_pipeline.intercom.pacing import Pacer
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
    """What a token opens: the workspace's short code, its name, and its region where told."""

    id: str
    name: str
    region: str | None


class IntercomClient:
    """Calls to one workspace; may be shared between threads, and is closed by `with`.

    Args:
        token: an access token of the workspace; empty when there is none, which the first call reports.
        token_name: what a person calls the token, such as its environment variable; for errors.
        base_url: scheme and host; see REGION_HOSTS.
        version: the API version to speak, 2.13 or later.
        rate_limit_share: the part of the workspace's call budget to use, over 0 to 1.
        retry, pacer: for tests and for sharing a budget.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        *,
        token_name: str = "the access token",  # noqa: S107  # its name, not a token
        version: str = "2.16",
        rate_limit_share: float = 0.8,
        retry: RetryPolicy | None = None,
        pacer: Pacer | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        options: dict[str, Any] = {"sleep": sleep} if sleep else {}
        self._transport = Transport(
            base_url=base_url.rstrip("/"),
            token=token.strip(),
            token_name=token_name,
            version=version,
            pacer=pacer or Pacer(rate_limit_share, **options),
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
        """The workspace that the token opens: one call, to check token, host and version."""
        app = self._transport.call("GET", "/me").body.get("app") or {}
        return Workspace(str(app.get("id_code")), str(app.get("name")), app.get("region"))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
