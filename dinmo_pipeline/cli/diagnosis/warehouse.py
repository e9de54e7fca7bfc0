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
    """Where alerts go, and whether their secrets are set; nothing is sent."""
    from dinmo_pipeline.orchestration.alerts.resource import alerts_resource  # noqa: PLC0415  # slow

    variables = dict.fromkeys(name for each in project.all_alerts for name in each.variables)
    missing = [name for name in variables if not os.environ.get(name)]
    for variable in missing:
        fix = f"Set {variable}, also in .env."
        yield warn("alerts", f"{variable} is not set: its alerts go nowhere.", fix)
    channels = dict.fromkeys(
        channel.name
        for each in project.all_alerts
        for channel in alerts_resource(each, os.environ).channels()
    )
    if channels and not missing:
        sends = "nothing was sent; `dinmo alerts test` sends a message"
        yield ok("alerts", f"{'; '.join(channels)}: {sends}")
    if not project.all_alerts:
        yield ok("alerts", "none are declared: nobody is told of a failure")


def written_folders(project: Project, home: Path) -> list[Path]:
    """The folders that a sync writes to."""
    return [*(file.parent for file in files_of(project.state, project.destinations)), home]
