"""The report for browsers of this machine, by the declarations and the state of each moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Final

from dinmo_pipeline.cli.development.ports import free_port
from dinmo_pipeline.cli.exit_codes import message_and_code
from dinmo_pipeline.cli.project import declared_states, project_of

if TYPE_CHECKING:
    from dinmo_pipeline.config import Located
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.report.content import Report
    from dinmo_pipeline.report.serving import ReportServer

REPORT_PORT: Final = 8056
DEFAULT_DAYS: Final = 90


def made_report(project: "Project", days: int) -> "tuple[Report, str]":
    """What the state has of the last days, and the page of it."""
    from dinmo_pipeline.report.content import read_report  # noqa: PLC0415  # slow: imports DuckDB
    from dinmo_pipeline.report.page import render  # noqa: PLC0415

    content = read_report(declared_states(project), project, days=days, now=datetime.now(UTC))
    return content, render(content)


def report_server(located: "Located", days: int, port: int) -> "ReportServer":
    """A server of the page, to be used in a `with`. What `dinmo` would print as an error, it shows."""
    from dinmo_pipeline.report.serving import ReportServer  # noqa: PLC0415

    def make_page() -> str:
        return made_report(project_of(located, warn=False), days)[1]

    def explain(error: Exception) -> str | None:
        found = message_and_code(error)
        return found[0] if found else None

    return ReportServer(port, make_page, explain)


@contextmanager
def served_report(located: "Located") -> Iterator[str | None]:
    """The address of the report within the block; None without the extra `report`."""
    from dinmo_pipeline.report.page import MissingLibraryError, require_libraries  # noqa: PLC0415

    try:
        require_libraries()
    except MissingLibraryError:
        yield None
        return
    with report_server(located, DEFAULT_DAYS, free_port(REPORT_PORT)) as server:
        thread = Thread(target=server.serve_forever, name="report", daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()
