"""`dinmo backup`: a checked copy of the state, while syncs run."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.project import declared_project, declared_states, json_option, print_json
from dinmo_pipeline.cli.tables import print_table

if TYPE_CHECKING:
    from dinmo_pipeline.state.file.backup import Backup


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def backup(path: Path, *, as_json: bool) -> None:
    r"""Copy the state to PATH, which is new, private and checked. Syncs may run meanwhile.

    PATH becomes a file or, with `state: {folder: …}`, a folder with a file for each destination.

    To restore it, stop everything, move the state file and the files beside it away, put the copy in its
    place, and run one sync.

    \b
    Examples:
      dinmo backup state-2026-03-01.duckdb
    """
    from dinmo_pipeline.state.file.backup import back_up, back_up_folder  # noqa: PLC0415  # 0.1 s to import

    project = declared_project()
    states = declared_states(project)
    made = back_up_folder(states, path) if project.state.folder else [back_up(states[0], path)]
    if as_json:
        print_json({"status": "ok", "backups": [asdict(each) for each in made]})
    else:
        for each in made:
            _print(each)


def _print(made: "Backup") -> None:
    print_table(("TABLE", "ROWS"), [(f"dinmo.{table}", rows) for table, rows in made.rows.items()])
    echo(
        f"{made.path}: {made.size_bytes:,} bytes, schema {made.schema_version}, every row read. The state was"
        f" closed to writers for {made.locked_seconds:.1f} s."
    )
