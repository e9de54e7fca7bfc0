"""Whether each token opens the workspace that is meant, and may do what a sync does."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dinmo_pipeline.cli.destinations import open_client
from dinmo_pipeline.cli.diagnosis.findings import Finding, fail, not_checked, ok, one_line, warn
from dinmo_pipeline.config.declarations import Destination, Project
from dinmo_pipeline.intercom.errors import AccessError, IntercomError
from dinmo_pipeline.intercom.permissions import READ_CONTACTS, READ_TAGS, WRITE_TAGS
from dinmo_pipeline.state.errors import StateError

if TYPE_CHECKING:
    from dinmo_pipeline.intercom.client import IntercomClient, Workspace

_MAX_CLOCK_SKEW: Final = timedelta(seconds=30)
_EVERY_USER: Final = {"field": "role", "operator": "=", "value": "user"}


def check_destination(project: Project, destination: Destination) -> Iterator[Finding]:
    """Token, workspace, permissions and clock, by three calls that change nothing."""
    subject, variable = f"destination {destination.key}", destination.access_token.name
    if not os.environ.get(variable, "").strip():
        yield fail(
            subject,
            f"The environment variable {variable} (its access token) is not set.",
            f"Set {variable}, also in .env. Intercom's Developer Hub has the token.",
        )
        yield not_checked(f"{subject}: clock", "There was no answer to compare with.")
        return
    with open_client(project, destination.key, attempts=1) as client:
        try:
            workspace = client.workspace()
        except IntercomError as error:
            yield fail(subject, one_line(error), _fix(destination, error))
        else:
            yield _workspace(project, destination, workspace)
            yield from _permissions(subject, client)
        yield _clock(f"{subject}: clock", client.last_date)


def _workspace(project: Project, destination: Destination, workspace: "Workspace") -> Finding:
    subject = f"destination {destination.key}"
    named = f"workspace {workspace.name!r} ({workspace.id})"
    region = (workspace.region or "").lower()
    if not destination.base_url and region and region != destination.region:
        return fail(
            subject,
            f"{named} is in region {region}, the declarations say {destination.region}.",
            f"Set `region: {region}` for it.",
        )
    if earlier := _other_workspace(project, destination.key, workspace.id):
        return fail(
            subject,
            f"{named} is not the workspace of earlier syncs, {earlier}, so a sync would be refused.",
            "Use a token of that workspace, or declare this one as another destination.",
        )
    return ok(subject, f"{named}, region {region or 'unknown'}")


def _other_workspace(project: Project, destination: str, found: str) -> str | None:
    """The workspace of earlier syncs, if it is another one; None if that is unknown."""
    from dinmo_pipeline.state.file.database import StateDatabase  # noqa: PLC0415  # 0.1 s to import
    from dinmo_pipeline.state.workspaces import recorded_workspace  # noqa: PLC0415

    database = project.state.database_of(destination)
    try:
        with StateDatabase(database, wait_seconds=1.0).reading() as connection:
            recorded = recorded_workspace(connection, destination)
    except StateError:
        return None
    if recorded is None or not found or recorded.workspace_id == found:
        return None
    return f"{recorded.name!r} ({recorded.workspace_id})"


def _permissions(subject: str, client: "IntercomClient") -> Iterator[Finding]:
    reads: tuple[tuple[str, Callable[[], object]], ...] = (
        (READ_TAGS, client.tags.list),
        (READ_CONTACTS, lambda: client.contacts.count(_EVERY_USER)),
    )
    granted = []
    for permission, read in reads:
        try:
            read()
        except AccessError as error:
            fix = f"Give the token the permission {permission!r} in Intercom's Developer Hub."
            yield fail(f"{subject}: permissions", one_line(error), fix)
        except IntercomError as error:
            yield not_checked(f"{subject}: permissions", one_line(error))
        else:
            granted.append(permission)
    if granted:
        yield ok(f"{subject}: permissions", " and ".join(granted))
    yield not_checked(f"{subject}: permissions", f"{WRITE_TAGS!r} can only be tried by writing a tag.")


def _clock(subject: str, intercoms: datetime | None) -> Finding:
    if intercoms is None:
        return not_checked(subject, "There was no answer to compare with.")
    ahead = datetime.now(UTC) - intercoms
    if abs(ahead) <= _MAX_CLOCK_SKEW:
        return ok(subject, "This machine and Intercom agree")
    seconds = abs(ahead).total_seconds()
    way = "ahead of" if ahead > timedelta(0) else "behind"
    return warn(
        subject,
        f"This machine is {seconds:,.0f} s {way} Intercom.",
        "Synchronise the clock (NTP): sign-ups are found by their time.",
    )


def _fix(destination: Destination, error: IntercomError) -> str:
    if isinstance(error, AccessError):
        return f"Put a token of the workspace into {destination.access_token.name}, with its permissions."
    if destination.base_url:
        return f"Does something run at {destination.base_url}? `dinmo dev --emulator` starts a local one."
    return "Check the network and the region, then run it again."
