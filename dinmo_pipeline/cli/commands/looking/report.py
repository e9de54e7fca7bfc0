"""`dinmo report`: one page about every audience, for people who never saw Dagster."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.development.ports import PORT, chosen_port
from dinmo_pipeline.cli.exit_codes import message_and_code
from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.own_files import write_own_file
from dinmo_pipeline.cli.project import declared_states, located_project, project_of
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.config import Located
    from dinmo_pipeline.config.declarations import Project
    from dinmo_pipeline.report.content import Report

REPORT_PORT = 8056
_MARK = '<meta name="generator" content="dinmo report">'


@click.command("report")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("audience.html"),
    show_default=True,
    help="Where to write the page. Only an earlier report is replaced.",
)
@click.option(
    "--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="How far the charts go back."
)
@click.option("--serve", is_flag=True, help="Write nothing; serve the page on this machine, always current.")
@click.option("--port", type=PORT, help=f"With --serve: its port; by default {REPORT_PORT}, or a free one.")
def write_report(*, out: Path, days: int, serve: bool, port: int | None) -> None:
    r"""Write one page about every audience: how each stands, its size and moves, and what they share.

    The page is one file that needs no network, with emails and ids masked. It is read from the state alone,
    so neither the warehouse nor Intercom is asked. It needs the extra `report`.

    \b
    Examples:
      dinmo report
      dinmo report --out /var/www/audience.html --days 365
      dinmo report --serve
    """
    from dinmo_pipeline.report.page import MissingLibraryError, require_libraries  # noqa: PLC0415

    try:
        require_libraries()
    except MissingLibraryError as error:
        raise click.ClickException(str(error)) from None
    located = located_project()
    if serve:
        _serve(located, days, chosen_port(port, "--port", REPORT_PORT))
        return
    content, page = _made(project_of(located), days)
    write_own_file(out, page, marker=_MARK, what="the report")
    echo(f"{out}: {counted(len(content.audiences), 'audience')}, {out.stat().st_size / 1_000_000:.1f} MB.")
    for each in content.left_out:
        echo(f"Left out: {each}")


def _made(project: "Project", days: int) -> "tuple[Report, str]":
    from dinmo_pipeline.report.content import read_report  # noqa: PLC0415  # slow: imports DuckDB
    from dinmo_pipeline.report.page import render  # noqa: PLC0415

    content = read_report(declared_states(project), project, days=days, now=datetime.now(UTC))
    return content, render(content)


def _serve(located: "Located", days: int, port: int) -> None:
    """Serve the page until interrupted, by the declarations and the state of each moment."""
    from dinmo_pipeline.report.serving import ReportServer  # noqa: PLC0415

    def make_page() -> str:
        return _made(project_of(located, warn=False), days)[1]

    def explain(error: Exception) -> str | None:
        found = message_and_code(error)
        return found[0] if found else None

    with ReportServer(port, make_page, explain) as server, suppress(KeyboardInterrupt):
        echo(f"Report: {server.url}   Press Ctrl-C to stop.")
        server.serve_forever()
