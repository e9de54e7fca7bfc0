"""`dinmo move-state`: divide the state by destination, join it again, or move it elsewhere."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import declared_project, json_option, print_json
from dinmo_pipeline.config.declarations import State
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.config.declarations import Project


@click.command("move-state")
@click.argument("earlier", metavar="FROM", type=click.Path(exists=True, resolve_path=True, path_type=Path))
@json_option
def move_state(earlier: Path, *, as_json: bool) -> None:
    r"""Copy the state from the file or folder FROM to where `state` in the declarations says.

    Stop the daemon first. The copy is checked, and the earlier state is marked so that nothing uses it any
    more. Nothing is deleted.

    \b
    Examples:
      dinmo move-state state.duckdb
    """
    from dinmo_pipeline.state.moving import move_state as move  # noqa: PLC0415  # 0.2 s to import

    project = declared_project()
    source = State(folder=str(earlier)) if earlier.is_dir() else State(database=str(earlier))
    if source == project.state:
        raise click.UsageError(
            f"{earlier} is where the declarations have the state already. Change `state` there first."
        )
    declared = {key: activation.destination for key, activation in project.activations.items()}
    with ExitStack() as held:
        _lock(held, source, project)
        moved = move(source, project.state, declared)
    if as_json:
        print_json(asdict(moved))
        return
    rows = counted(sum(moved.rows.values()), "row")
    echo(f"{rows} of {counted(len(moved.rows), 'table')} moved to {', '.join(moved.files)}.")
    if moved.outdated:
        outdated = ", ".join(f"{number:,} of {table}" for table, number in moved.outdated.items())
        echo(f"Left out, since their activation has moved to another destination since: {outdated}.")
    report(f"Nothing can use {earlier} any more. Keep it until the next sync is done, then delete it.")


def _lock(held: ExitStack, source: State, project: "Project") -> None:
    """Hold the locks of all activations; raises ActivationHeldError if a sync is running."""
    from dinmo_pipeline.state.file.locks import activation_lock  # noqa: PLC0415
    from dinmo_pipeline.state.file.paths import lock_folder  # noqa: PLC0415

    for key in sorted(project.activations):
        lock = activation_lock(lock_folder(source), key, on_wait=report, wait_seconds=5.0)
        held.enter_context(lock)
