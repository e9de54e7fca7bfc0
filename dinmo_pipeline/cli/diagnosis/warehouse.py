"""Whether the source and the state can be opened, and alerts have somewhere to go."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from dinmo_pipeline.cli.diagnosis.findings import Finding, fail, not_checked, ok, one_line, warn
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.state.errors import StateBusyError, StateError
from dinmo_pipeline.state.file.paths import files_of

_WAIT_SECONDS = 3.0


def check_source(project: Project) -> Iterator[Finding]:
    """Open the source as a sync does, and run the smallest query."""
    from dinmo_pipeline.segments import SourceError, open_source  # noqa: PLC0415  # 0.3 s to import

    variable = project.source.uri.name if project.source.uri else None
    uri = os.environ.get(variable) if variable else None
    if variable and not uri:
        yield fail(
            "source", f"The environment variable {variable} is not set.", f"Set {variable}, or in .env."
        )
        return
    where = project.source.path or f"the URI in {variable}"
    started = time.monotonic()
    try:
        with open_source(project.source, uri=uri, wait_seconds=_WAIT_SECONDS, on_wait=report) as source:
            source.count("SELECT 1 AS one")
    except SourceError as error:
        yield fail("source", one_line(error), f"Check `source` in the declarations: {where}.")
        return
    yield ok("source", f"{project.source.type}, {where}: answered in {time.monotonic() - started:.1f} s")


def check_state(project: Project) -> Iterator[Finding]:
    """Open each state file for reading."""
    for file in files_of(project.state, project.destinations):
        yield _state_file(file)


def _state_file(file: Path) -> Finding:
    from dinmo_pipeline.state.file.database import StateDatabase  # noqa: PLC0415  # 0.1 s to import

    if not file.exists():
        parent = next(each for each in file.parents if each.exists())
        if os.access(parent, os.W_OK):
            return ok("state", f"{file} is made by the first sync")
        return fail("state", f"{file} cannot be made: {parent} is not writable.", "Let this user write.")
    try:
        with StateDatabase(str(file), wait_seconds=_WAIT_SECONDS).reading() as connection:
            connection.execute("SELECT 1").fetchall()
    except StateBusyError as error:
        return not_checked("state", one_line(error), "Run it again when no sync is under way.")
    except StateError as error:
        return fail("state", one_line(error), "Check `state` in the declarations.")
    return ok("state", f"{file}, {file.stat().st_size / 1e6:,.1f} MB")


def check_alerts(project: Project) -> Iterator[Finding]:
    """Whether the webhook is set; nothing is sent to it."""
    if project.alerts is None:
        return
    variable = project.alerts.webhook.name
    if os.environ.get(variable):
        yield ok("alerts", f"{variable} is set; nothing was sent")
    else:
        yield warn("alerts", f"{variable} is not set: alerts go nowhere.", f"Set {variable}, also in .env.")


def written_folders(project: Project, home: Path) -> list[Path]:
    """The folders that a sync writes to."""
    return [*(file.parent for file in files_of(project.state, project.destinations)), home]
