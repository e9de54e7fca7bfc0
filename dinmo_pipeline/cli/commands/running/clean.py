"""`dinmo clean`: remove what `history` no longer keeps, and give its space back to the disk."""

import sqlite3
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.dagster_home import dagster_instance
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.leases import command_leases
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import declared_project, declared_states, json_option, print_json
from dinmo_pipeline.cli.tables import print_table
from dinmo_pipeline.text.wording import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import dagster as dg

    from dinmo_pipeline.config.declarations import History, Project
    from dinmo_pipeline.state.file.database import StateDatabase

# A file of a run that is just being created must not look abandoned.
_ABANDONED_AGE = timedelta(days=1)


@dataclass
class Cleaned:
    """What was removed, or with `--dry-run` would be.

    Attributes:
        runs: old runs of Dagster.
        runs_kept: old runs that stay, as the last of an activation.
        abandoned_files: files of events of runs that were deleted earlier, for example in the UI.
        rows: rows of the state, by table; only of tables that `history` limits.
        freed_bytes: the bytes given back to the disk, by what had them.
        failures: what could not be done, a sentence each.
    """

    runs: int = 0
    runs_kept: int = 0
    abandoned_files: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    freed_bytes: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@json_option
def clean(*, dry_run: bool, as_json: bool) -> int:
    r"""Remove old runs and rows that `history` no longer keeps, and give their space back to the disk.

    The sensor `history_sensor` and the runs do the same without being asked, but shrink no file.

    \b
    Examples:
      dinmo clean --dry-run
      dinmo clean
    """
    from dinmo_pipeline.cli.progress import progress_bar  # noqa: PLC0415  # 0.2 s to import

    project = declared_project()
    done = Cleaned()
    with progress_bar("looking at old runs"):
        with dagster_instance() as instance:
            _clean_instance(instance, project, done, dry_run=dry_run)
        with command_leases(project, "clean", () if dry_run else project.destinations) as fence:
            _clean_state(map(fence, declared_states(project)), project.history, done, dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, **asdict(done)})
    else:
        _print(done, dry_run=dry_run)
    for failure in done.failures:
        report(failure)
    return FAILED if done.failures else DONE


def _clean_instance(
    instance: "dg.DagsterInstance", project: "Project", done: Cleaned, *, dry_run: bool
) -> None:
    # Dagster takes seconds to import.
    from dinmo_pipeline.dagster_storage import leftovers  # noqa: PLC0415
    from dinmo_pipeline.orchestration.checks import all_check_keys  # noqa: PLC0415
    from dinmo_pipeline.orchestration.naming import names_of  # noqa: PLC0415
    from dinmo_pipeline.orchestration.runs.history import remove_all_old_runs  # noqa: PLC0415
    from dinmo_pipeline.sync.session import progress_listener  # noqa: PLC0415

    now = datetime.now(UTC)
    show = progress_listener.get()
    if keep := project.history.keep_runs:
        found = remove_all_old_runs(
            names_of(project),
            instance,
            all_check_keys(names_of(project)),
            project.declared_activations,
            before=now - keep,
            on_progress=lambda looked_at, total: show("old runs", looked_at, total),
            dry_run=dry_run,
        )
        done.runs, done.runs_kept = found.removed, found.kept
        done.freed_bytes["runs"] = found.freed
        done.failures += found.failures
    abandoned = list(leftovers.abandoned_files(instance, now - _ABANDONED_AGE))
    done.abandoned_files = len(abandoned)
    done.freed_bytes["abandoned_files"] = sum(
        leftovers.database_bytes(path) if dry_run else leftovers.remove_files(path) for path in abandoned
    )
    freed = 0
    for path, free in leftovers.shrinkable(instance).items():
        try:
            freed += free if dry_run else leftovers.shrink(path)
        except sqlite3.Error as error:
            done.failures.append(
                f"Dagster's database {path} could not be made smaller: {error}. It is as it was. Run this"
                " again when fewer runs are under way, or with more space on the disk."
            )
    done.freed_bytes["dagster_databases"] = freed


def _clean_state(
    states: "Iterable[StateDatabase]", history: "History", done: Cleaned, *, dry_run: bool
) -> None:
    from dinmo_pipeline.state.file.compacting import compact, free_bytes  # noqa: PLC0415  # slow: DuckDB
    from dinmo_pipeline.state.upkeep.history import count_old_rows, remove_old_rows  # noqa: PLC0415
    from dinmo_pipeline.sync.session import progress_listener  # noqa: PLC0415

    now, show = datetime.now(UTC), progress_listener.get()
    done.freed_bytes["state"] = 0
    for state in states:
        counts = count_old_rows(state, history, now=now)
        if any(counts.values()) and not dry_run:

            def on_removed(table: str, rows: int, counts: "Mapping[str, int]" = counts) -> None:
                show(f"dinmo.{table}", rows, max(counts[table], rows))

            counts = remove_old_rows(state, history, now=now, on_removed=on_removed)
        for table, rows in counts.items():
            done.rows[table] = done.rows.get(table, 0) + rows
        free = free_bytes(state)
        if free and not dry_run:
            file = Path(state.database)
            before = file.stat().st_size
            compact(state)
            free = before - file.stat().st_size
        done.freed_bytes["state"] += free


def _print(done: Cleaned, *, dry_run: bool) -> None:
    freed = {name: in_bytes(number) for name, number in done.freed_bytes.items()}
    print_table(
        ("WHAT", "TO REMOVE" if dry_run else "REMOVED", "SPACE"),
        [
            ("old runs", done.runs, freed.get("runs")),
            ("files of runs deleted earlier", done.abandoned_files, freed["abandoned_files"]),
            *((f"rows of dinmo.{table}", rows, None) for table, rows in done.rows.items()),
            ("free space in Dagster's databases", None, freed["dagster_databases"]),
            ("free space in the state file", None, freed["state"]),
        ],
    )
    total = in_bytes(sum(done.freed_bytes.values()))
    echo(f"{total} to free, at least." if dry_run else f"{total} freed.")
    if done.runs_kept:
        echo(f"{done.runs_kept:,} old runs stay, as the last of an activation.")
