"""Move a state: from one file to a file for each destination, back, or elsewhere."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dinmo_pipeline.config.declarations import State
from dinmo_pipeline.scratch.folders import scratch_folder
from dinmo_pipeline.state.errors import StateUnusableError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.paths import files_of
from dinmo_pipeline.state.file.private_files import private_files
from dinmo_pipeline.state.schema.version import mark_as_moved, migrate
from dinmo_pipeline.state.sql import literal, one_row

# What an activation is now. If it was moved to another destination, the file of that one has it; what the
# earlier one's file still has is outdated.
_CURRENT = frozenset({"segment_membership", "membership_changes", "change_sets", "pauses"})
_NOT_COPIED = frozenset({"leases", "schema_version"})


@dataclass(frozen=True, slots=True)
class MovedState:
    """The files that were written, and the rows in them by table.

    `outdated` rows, by table, were not copied: their activation has moved to another destination since.
    """

    files: Sequence[str]
    rows: Mapping[str, int]
    outdated: Mapping[str, int]


def move_state(source: State, target: State, declared: Mapping[str, str]) -> MovedState:
    """Copy a state to another place, check the copy, and mark the earlier state so that nothing uses it.

    `declared` are the destinations of the declared activations, by activation. The caller holds the locks of
    all activations. The new files appear at the end: whatever fails before leaves everything as it was.

    Raises:
        StateUnusableError: there is no state, the target exists, or something cannot be read or written.
    """
    states = [StateDatabase(str(file)) for file in files_of(source, ()) if file.exists()]
    if not states:
        raise StateUnusableError(f"There is no state in {source.database or source.folder}.")
    homes = _homes(states, declared)
    finals = sorted({target.database_of(home) for home in homes.values()} or target.databases(["none"]))
    if present := next((file for file in finals if Path(file).exists()), None):
        raise StateUnusableError(f"{present} exists already. Move it away, or declare another place.")
    folder = Path(finals[0]).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with private_files(), scratch_folder(folder) as aside:
            made = {final: aside / Path(final).name for final in finals}
            moved = _copied(source, states, target, made, homes)
            for final, file in made.items():
                os.link(file, final)
    except OSError as error:
        raise StateUnusableError(f"The state cannot be written to {folder}: {error.strerror}.") from error
    for state in states:
        with state.transaction() as connection:
            mark_as_moved(connection)
    return moved


def _homes(states: Iterable[StateDatabase], declared: Mapping[str, str]) -> dict[str, str]:
    """Where each activation of a state is sent: as declared if it was ever sent there, else as last synced.

    Of an activation that was never synced, or retired, only logs are left, which may be anywhere.
    """
    homes: dict[str, str] = {}
    others: set[str] = set()
    for state in states:
        with state.reading() as connection:
            sent = connection.execute(
                """
                SELECT activation, destination FROM dinmo.activation_tags
                UNION ALL SELECT activation, destination FROM dinmo.change_sets
                """
            ).fetchall()
            tables = [table for table, columns in _tables(connection) if "activation" in columns]
            found = " UNION ".join(f"SELECT activation FROM dinmo.{table}" for table in tables)
            others |= {row[0] for row in connection.execute(found).fetchall()}
        for activation, destination in sent:
            if activation not in homes or homes[activation] != declared.get(activation):
                homes[activation] = destination
    somewhere = min((*homes.values(), *declared.values()), default="none")
    return {key: homes.get(key) or declared.get(key) or somewhere for key in (*homes, *others)}


def _tables(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, list[str]]]:
    """The tables of a state to copy, with their columns."""
    found = connection.execute(
        """
        SELECT table_name, list(column_name ORDER BY column_index)
        FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (database_oid, schema_oid, table_name)
        WHERE database_name = 'state' AND schema_name = 'dinmo' GROUP BY table_name ORDER BY table_name
        """
    ).fetchall()
    yield from ((table, columns) for table, columns in found if table not in _NOT_COPIED)


def _copied(
    source: State,
    states: Iterable[StateDatabase],
    target: State,
    made: Mapping[str, Path],
    homes: Mapping[str, str],
) -> MovedState:
    """Write the new files, `made` by their final names."""
    rows: Counter[str] = Counter()
    outdated: Counter[str] = Counter()
    for file in made.values():
        with duckdb.connect(str(file)) as connection:
            migrate(connection, str(file))
    for state in states:
        with state.scratch() as connection, state.attached(connection):
            connection.execute("SET preserve_insertion_order = true")
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE homes (activation VARCHAR, is_here BOOLEAN, file VARCHAR)"
            )
            connection.executemany(
                "INSERT INTO homes VALUES (?, ?, ?)",
                [
                    [key, source.database_of(home) == state.database, target.database_of(home)]
                    for key, home in homes.items()
                ],
            )
            for final, file in made.items():
                connection.execute(f"ATTACH {literal(str(file))} AS target")
                rows.update(_copy(connection, final, target))
                connection.execute("DETACH target")
            for table in _CURRENT:
                outdated[table] += one_row(
                    connection,
                    f"SELECT count(*) FROM dinmo.{table} SEMI JOIN homes"
                    f" ON homes.activation = {table}.activation AND NOT is_here",
                )[0]
            connection.execute("SET preserve_insertion_order = false")
    return MovedState(list(made), dict(rows), {table: n for table, n in outdated.items() if n})


def _copy(connection: duckdb.DuckDBPyConnection, final: str, target: State) -> Counter[str]:
    """Copy the rows that belong into one file, each table in its order, and count them there."""
    copied: Counter[str] = Counter()
    # Of the file of a destination, `main.duckdb`.
    belongs = "true" if target.database else f"destination = {literal(Path(final).stem)}"
    for table, columns in _tables(connection):
        if "activation" in columns and (table in _CURRENT or "destination" not in columns):
            current = " AND is_here" if table in _CURRENT else ""
            where = f"activation IN (SELECT activation FROM homes WHERE file = {literal(final)}{current})"
        else:
            where = belongs
        listed = ", ".join(f'"{column}"' for column in columns)
        copied[table] += one_row(
            connection,
            f"INSERT INTO target.dinmo.{table} ({listed})"
            f" SELECT {listed} FROM state.dinmo.{table} WHERE {where} ORDER BY rowid",
        )[0]
    newest = one_row(
        connection,
        """
        SELECT greatest((SELECT coalesce(max(touched), 0) FROM target.dinmo.contacts),
                        (SELECT coalesce(max(greatest(number, settled)), 0) FROM target.dinmo.change_sets))
        """,
    )[0]
    connection.execute(f"CREATE OR REPLACE SEQUENCE target.dinmo.touches START {newest + 1}")
    return copied
