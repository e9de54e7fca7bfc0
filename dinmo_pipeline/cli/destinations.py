"""Clients of the declared workspaces, their tokens from the environment."""

import os
from typing import TYPE_CHECKING

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.state.file.paths import budget_folder

if TYPE_CHECKING:
    from dinmo_pipeline.intercom.client import IntercomClient


def open_client(project: Project, key: str, *, attempts: int | None = None) -> "IntercomClient":
    """A client of a destination; close it, or use it in a `with`. A missing token fails at the first call.

    `attempts` is how often it makes a call that gets no answer.
    """
    from dinmo_pipeline.intercom.client import REGION_HOSTS, IntercomClient  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.intercom.retry import RetryPolicy  # noqa: PLC0415

    destination = project.destinations[key]
    variable = destination.access_token.name
    return IntercomClient(
        os.environ.get(variable, ""),
        destination.base_url or REGION_HOSTS[destination.region],
        token_name=(f"The environment variable {variable} (access token of destination {destination.key!r})"),
        version=destination.api_version,
        rate_limit_share=destination.rate_limit_share,
        budget_folder=budget_folder(project.state),
        retry=RetryPolicy(attempts=attempts) if attempts else None,
    )
