"""The removal of what is over from the state, once it is older than `history` allows.

What something still reads stays, however old it is:

    change_log               the newest sync of each activation; the outcomes that decide whether a member is
                             stuck; which contact another was merged into; that we tagged a contact, until we
                             untag it: by these rows a reconciliation knows a carrier as ours
    syncs                    the newest of each activation, the newest that was ok, and any that is running
    membership_sizes         those that the checks and guards compare with
    membership_departures    nothing

The newest row of a table is the last one, and stays the last one.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import duckdb

from dinmo_pipeline.config.declarations import History
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import SIZES_COMPARED
from dinmo_pipeline.state.readings import NET_SIZE_AGE
from dinmo_pipeline.state.sql import one_row
from dinmo_pipeline.state.stuck import FAILED_SYNCS

# The history of a segment that is seldom read begins with these.
SIZES_KEPT = 20
_ROWS_PER_TRANSACTION = 1_000_000


def count_old_rows(state: StateDatabase, history: History, *, now: datetime) -> dict[str, int]:
    """The rows that `remove_old_rows` would remove, by table; only of tables with a limit."""
    with state.reading() as connection:
        return {
            table: int(one_row(connection, f"SELECT count(*) FROM ({query})", values)[0])
            for table, (query, values) in _old_rows(history, now).items()
        }


def remove_old_rows(
    state: StateDatabase,
    history: History,
    *,
    now: datetime,
    is_over: Callable[[], bool] = lambda: False,
    on_removed: Callable[[str, int], None] = lambda _table, _rows: None,
) -> dict[str, int]:
    """Remove old rows in short transactions, until none are left or `is_over`; their number by table.

    `on_removed` is called after each transaction, with a table and how many rows it has lost so far.
    """
    removed: dict[str, int] = {}
    for table, (query, values) in _old_rows(history, now).items():
        removed[table] = 0
        while not is_over():
            rows = state.transact(lambda connection: _remove(connection, table, query, values))  # noqa: B023
            removed[table] += rows
            on_removed(table, removed[table])
            if rows < _ROWS_PER_TRANSACTION:
                break
    return removed


def is_first_reading_of_day(state: StateDatabase, *, now: datetime) -> bool:
    """Whether no segment was read since midnight (UTC): once a day is often enough for what is old."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with state.reading() as connection:
        (newest,) = one_row(
            connection,
            "SELECT max(materialized_at) FROM dinmo.membership_sizes WHERE materialized_at <= ?",
            [now],
        )
    return newest is None or newest < midnight


def _remove(
    connection: duckdb.DuckDBPyConnection, table: str, query: str, values: Mapping[str, datetime]
) -> int:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE old_rows AS {query} ORDER BY row LIMIT {_ROWS_PER_TRANSACTION}", values
    )
    return int(one_row(connection, f"DELETE FROM dinmo.{table} WHERE rowid IN (SELECT row FROM old_rows)")[0])


def _old_rows(history: History, now: datetime) -> dict[str, tuple[str, Mapping[str, datetime]]]:
    """The queries for the row numbers to remove, with their parameters, by table."""
    queries: dict[str, tuple[str, Mapping[str, datetime]]] = {}
    if history.keep_syncs:
        before = {"before": now - history.keep_syncs}
        queries["change_log"] = (_OLD_CHANGES, before)
        queries["syncs"] = (_OLD_SYNCS, before)
    if history.keep_memberships:
        before = {"before": now - history.keep_memberships}
        queries["membership_departures"] = (_OLD_STAYS, before)
        # The guards look back over a week, and what size is usual takes longer to see.
        queries["membership_sizes"] = (
            _OLD_SIZES,
            {"before": min(before["before"], now - SIZES_COMPARED), "week_ago": now - NET_SIZE_AGE},
        )
    return queries


_OLD_CHANGES = f"""
    WITH newest_syncs AS (
        SELECT activation, arg_max(sync_id, rowid) AS sync_id FROM dinmo.syncs GROUP BY activation
        UNION
        SELECT activation, sync_id FROM dinmo.syncs WHERE status = 'running'
    ),
    -- The same outcomes as in stuck.py, also of members who are not stuck yet.
    judged AS (
        SELECT activation, change, identifier, sync_id FROM dinmo.change_log
        SEMI JOIN dinmo.membership_changes USING (activation, change, identifier)
        WHERE outcome <> 'pending' GROUP BY activation, change, identifier, sync_id
        QUALIFY row_number() OVER (
            PARTITION BY activation, change, identifier ORDER BY max(change_log.rowid) DESC
        ) <= {FAILED_SYNCS}
    ),
    old AS (
        SELECT rowid AS row, * FROM dinmo.change_log WHERE logged_at < $before AND merged_into IS NULL
    ),
    ours AS (
        SELECT max(log.rowid) AS row FROM dinmo.change_log AS log
        SEMI JOIN (FROM old WHERE change = 'entered' AND outcome = 'applied') AS tagged
            USING (activation, contact_id)
        WHERE outcome = 'applied' GROUP BY activation, contact_id
        HAVING arg_max(change, log.rowid) = 'entered'
    )
    SELECT row FROM old
    ANTI JOIN newest_syncs USING (activation, sync_id)
    ANTI JOIN judged USING (activation, change, identifier, sync_id)
    ANTI JOIN ours USING (row)
"""

_OLD_SYNCS = """
    SELECT rowid AS row FROM dinmo.syncs
    WHERE started_at < $before AND status <> 'running' AND rowid NOT IN (
        SELECT max(rowid) FROM dinmo.syncs GROUP BY activation
        UNION ALL
        SELECT max(rowid) FROM dinmo.syncs WHERE status = 'ok' GROUP BY activation
    )
"""

_OLD_STAYS = "SELECT rowid AS row FROM dinmo.membership_departures WHERE left_at < $before"

_OLD_SIZES = f"""
    SELECT rowid AS row FROM dinmo.membership_sizes
    WHERE materialized_at < $before AND rowid NOT IN (
        SELECT rowid FROM dinmo.membership_sizes
        QUALIFY row_number() OVER (PARTITION BY activation ORDER BY rowid DESC) <= {SIZES_KEPT}
        UNION ALL
        SELECT max(rowid) FROM dinmo.membership_sizes
        WHERE applied_to IS NOT NULL GROUP BY activation, applied_to
        UNION ALL
        SELECT max(rowid) FROM dinmo.membership_sizes
        WHERE applied_to IS NOT NULL AND (released OR materialized_at <= $week_ago)
        GROUP BY activation, applied_to
    )
"""
