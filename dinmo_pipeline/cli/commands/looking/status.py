"""`dinmo status`: each activation's tag, numbers, and last sync, from the state alone."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.project import declared_states, json_option, located_project, print_json, project_of
from dinmo_pipeline.cli.tables import as_share, print_table
from dinmo_pipeline.config import Problem, fingerprint
from dinmo_pipeline.config.schedules.phrases import in_words
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    import duckdb

    from dinmo_pipeline.config.declarations import Activation, Project, State
    from dinmo_pipeline.state.coordination.pauses import Pause
    from dinmo_pipeline.state.overview import ActivationOverview
    from dinmo_pipeline.sync.standing import Standing


@dataclass(frozen=True, slots=True)
class TagLeftBehind:
    """Contacts of a destination that the activation was moved from still carry its tag."""

    destination: str
    tag: str
    contacts: int


@dataclass(frozen=True, slots=True)
class ActivationStatus:
    """An activation as `dinmo status` shows it.

    `declared` is None when it is orphaned, or `broken` by these problems; `known` is None before the state
    knows it.
    """

    key: str
    declared: "Activation | None"
    known: "ActivationOverview | None"
    stuck: int
    left_behind: tuple[TagLeftBehind, ...]
    paused: "Pause | None"
    broken: tuple[Problem, ...]
    standing: "Standing"

    @property
    def tag(self) -> str | None:
        """The declared name of its tag; of an orphaned one, the last name."""
        if self.declared:
            return self.declared.name
        return self.known.tag_name if self.known else None

    @property
    def schedule(self) -> str:
        """Its schedule, or why it has none."""
        if self.declared is None:
            return "broken" if self.broken else "orphaned"
        if not self.declared.enabled:
            return "disabled"
        if self.paused:
            return "paused"
        return "after upstream" if self.declared.follows_upstream else self.declared.schedule


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    r"""Show how each activation stands: its state and why, tag, members, tagged contacts, and last sync.

    The state is the worst of the last reading of the segment, the last sync, the guards, who was found in
    Intercom, the last comparison, and the schedule. `dinmo explain` says what each state means. This asks
    neither the warehouse nor Intercom.

    \b
    Examples:
      dinmo status
      dinmo status --json | jq 'map_values(.state)'
    """
    located = located_project()
    project = project_of(located)
    if warning := outdated_daemon(project.state, fingerprint(located.declarations)):
        report(warning)
    rows = _read_all(project)
    if as_json:
        print_json({row.key: as_object(row) for row in rows})
        return
    _print_rows(rows)
    for row in rows:
        for note in notes(row):
            echo(f"{row.key}: {note}")
    troubled = sum(row.standing.state.needs_a_person for row in rows)
    if troubled:
        echo(
            f"{troubled:,} of {counted(len(rows), 'activation')} {'needs' if troubled == 1 else 'need'} a"
            " look."
        )


def _read_all(project: "Project") -> list[ActivationStatus]:
    """The rows of all state files; an activation that was moved has its numbers where it is now."""
    rows: dict[str, ActivationStatus] = {}
    left_behind: dict[str, tuple[TagLeftBehind, ...]] = {}
    for state in declared_states(project):
        with state.reading() as connection:
            found = read_status(connection, project, now=datetime.now(UTC))
        for row in found:
            left_behind[row.key] = left_behind.get(row.key, ()) + row.left_behind
            if row.declared is None:  # the file that knows it counts
                is_it = row.known is not None or row.key not in rows
            else:
                is_it = project.state.database_of(row.declared.destination) == state.database
            if is_it:
                rows[row.key] = row
    keys = dict.fromkeys((*project.declared_activations, *rows))
    return [replace(rows[key], left_behind=left_behind[key]) for key in keys]


def outdated_daemon(state: "State", declared: str) -> str | None:
    """A warning if the running daemon has other declarations than the files, by their fingerprint."""
    from dinmo_pipeline.state.file.loaded_declarations import read_loaded  # noqa: PLC0415  # 0.1 s
    from dinmo_pipeline.state.file.paths import lock_folder  # noqa: PLC0415

    loaded = read_loaded(lock_folder(state))
    if loaded is None or not loaded.is_current(datetime.now(UTC)) or loaded.fingerprint == declared:
        return None
    return (
        "The running daemon does not have these declarations: they have changed since it loaded them. Reload"
        " the code location in the Dagster UI, or restart the daemon. `dinmo dev` reloads by itself."
    )


def read_status(
    connection: "duckdb.DuckDBPyConnection", project: "Project", *, now: datetime
) -> list[ActivationStatus]:
    """The declared activations in their order, then the broken ones, then the orphaned ones."""
    from dinmo_pipeline.state.coordination.pauses import pauses  # noqa: PLC0415
    from dinmo_pipeline.state.file.locks import is_locked  # noqa: PLC0415
    from dinmo_pipeline.state.file.paths import lock_folder  # noqa: PLC0415
    from dinmo_pipeline.state.overview import overview  # noqa: PLC0415  # slow: imports DuckDB
    from dinmo_pipeline.state.retire import carried_tags  # noqa: PLC0415
    from dinmo_pipeline.state.stuck import count_stuck  # noqa: PLC0415
    from dinmo_pipeline.sync.standing import standing  # noqa: PLC0415

    declared, broken = project.activations, project.broken_of("activation")
    known = overview(connection)
    stuck = count_stuck(connection)
    left_behind: dict[str, tuple[TagLeftBehind, ...]] = {}
    for key, tag in carried_tags(connection):
        if key in declared and tag.destination != declared[key].destination:
            left = TagLeftBehind(tag.destination, tag.name, tag.contacts)
            left_behind[key] = (*left_behind.get(key, ()), left)
    paused = pauses(connection)
    return [
        ActivationStatus(
            key,
            declared.get(key),
            known.get(key),
            stuck.get(key, 0),
            left_behind.get(key, ()),
            paused.get(key),
            broken.get(key, ()),
            standing(
                key,
                declared.get(key),
                known.get(key),
                stuck=stuck.get(key, 0),
                paused=paused.get(key),
                broken=broken.get(key, ()),
                is_locked=partial(is_locked, lock_folder(project.state)),
                now=now,
            ),
        )
        for key in dict.fromkeys((*declared, *broken, *known))
    ]


def as_object(row: ActivationStatus) -> dict[str, Any]:
    """A row as `--json` prints it; the keys that the state knows are left out before it does."""
    known = {**asdict(row.known), "match_rate": row.known.match_rate} if row.known else {}
    return {
        "state": row.standing.state,
        "findings": [asdict(each) for each in row.standing.findings],
        "tag": row.tag,
        **({"destination": row.declared.destination} if row.declared else {}),
        "schedule": row.schedule,
        "description": row.declared.description if row.declared else None,
        **known,
        "stuck": row.stuck,
        "left_behind": [asdict(left) for left in row.left_behind],
        "paused": asdict(row.paused) if row.paused else None,
        "problems": [str(problem) for problem in row.broken],
    }


def notes(row: ActivationStatus) -> Iterator[str]:
    """What a person should know or do about an activation, a sentence each."""
    from dinmo_pipeline.sync.carriers import other_carriers_note  # noqa: PLC0415  # slow: imports DuckDB

    for found in row.standing.findings:
        if found.reason:
            yield f"{found.state.label}. {found.sentence}"
    for left in row.left_behind:
        yield (
            f"{counted(left.contacts, 'contact')} at its earlier destination {left.destination!r}"
            f" {'keeps' if left.contacts == 1 else 'keep'} the tag {left.tag!r}."
            f" To take it off: dinmo retire {row.key} --destination {left.destination}"
        )
    if row.declared and row.known and row.known.other_carriers:
        yield other_carriers_note(row.declared, row.known.other_carriers)


_COLUMNS = (
    *("ACTIVATION", "STATE", "MEMBERS", "TAGGED", "NOT IN INTERCOM", "MATCH", "PENDING", "STUCK"),
    *("IN SYNC AS OF", "LAST SYNC", "SCHEDULE", "TAG", "DESCRIPTION"),
)
# In a narrow terminal these go first, in this order.
_OPTIONAL = (
    *("DESCRIPTION", "LAST SYNC", "STUCK", "SCHEDULE", "TAG", "PENDING", "NOT IN INTERCOM"),
    *("IN SYNC AS OF", "MATCH"),
)


def _print_rows(rows: list[ActivationStatus]) -> None:
    print_table(_COLUMNS, [_cells(row) for row in rows], optional=_OPTIONAL)


def _cells(row: ActivationStatus) -> tuple[object, ...]:
    known, described = row.known, row.declared.description if row.declared else None
    last = (in_words(row.schedule), row.tag, described)
    if known is None:
        return (row.key, row.standing.state.label, *(None,) * 5, row.stuck, *(None,) * 2, *last)
    return (
        *(row.key, row.standing.state.label, known.members, known.tagged_contacts, known.not_in_intercom),
        *(as_share(known.match_rate), known.changes, row.stuck, _moment(known.in_sync_at)),
        *(_moment(known.last_sync_at), *last),
    )


def _moment(value: datetime | None) -> str | None:
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else None
