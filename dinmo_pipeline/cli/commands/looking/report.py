"""`dinmo report`: one page about every audience, for people who never saw Dagster."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.development.ports import PORT, chosen_port
from dinmo_pipeline.cli.development.report_server import (
    DEFAULT_DAYS,
    REPORT_PORT,
    made_report,
    report_server,
)
from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.own_files import write_own_file
from dinmo_pipeline.cli.project import located_project, project_of
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.config import Located

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
    "--days",
    type=click.IntRange(1, 3660),
    default=DEFAULT_DAYS,
    show_default=True,
    help="How far the charts go back.",
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
    content, page = made_report(project_of(located), days)
    write_own_file(out, page, marker=_MARK, what="the report")
    echo(f"{out}: {counted(len(content.audiences), 'audience')}, {out.stat().st_size / 1_000_000:.1f} MB.")
    for each in content.left_out:
        echo(each)


def _serve(located: "Located", days: int, port: int) -> None:
    """Serve the page until interrupted."""
    with report_server(located, days, port) as server, suppress(KeyboardInterrupt):
        echo(f"Report: {server.url}   Press Ctrl-C to stop.")
        server.serve_forever()
