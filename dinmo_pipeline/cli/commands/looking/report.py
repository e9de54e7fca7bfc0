"""`dinmo report`: one page about every audience, for people who never saw Dagster."""

from datetime import UTC, datetime
from pathlib import Path

import click

from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.own_files import write_own_file
from dinmo_pipeline.cli.project import declared_project, declared_states
from dinmo_pipeline.text.wording import counted

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
def write_report(*, out: Path, days: int) -> None:
    r"""Write one page about every audience: how each stands, its size and moves, and what they share.

    The page is one file that needs no network, with emails and ids masked. It is read from the state alone,
    so neither the warehouse nor Intercom is asked. It needs the extra `report`.

    \b
    Examples:
      dinmo report
      dinmo report --out /var/www/audience.html --days 365
    """
    from dinmo_pipeline.report.content import read_report  # noqa: PLC0415  # slow: imports DuckDB
    from dinmo_pipeline.report.page import MissingLibraryError, render, require_libraries  # noqa: PLC0415

    try:
        require_libraries()
    except MissingLibraryError as error:
        raise click.ClickException(str(error)) from None
    project = declared_project()
    content = read_report(declared_states(project), project, days=days, now=datetime.now(UTC))
    write_own_file(out, render(content), marker=_MARK, what="the report")
    echo(f"{out}: {counted(len(content.audiences), 'audience')}, {out.stat().st_size / 1_000_000:.1f} MB.")
    for each in content.left_out:
        echo(f"Left out: {each}")
