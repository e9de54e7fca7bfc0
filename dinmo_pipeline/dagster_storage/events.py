"""Dagster's SQLite storage of events, with connections that stay open.

Dagster 1.13 opens the database anew for every statement of every event: a new engine, which compiles each
statement again, and a last connection, whose end writes the journal back into the file. That is two thirds
of what an event costs.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import QueuePool

# The index of all events, and the runs that a process is writing or showing.
_MAX_OPEN = 4
# As in Dagster. SQLite's own 5 seconds are too few on a busy machine.
_BUSY_TIMEOUT_SECONDS = 30


class OpenSqliteEventLogStorage(SqliteEventLogStorage):
    """SQLite storage of events that keeps the databases it used last open.

    The files are Dagster's, so processes with Dagster's own class can share them.
    """

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._open: OrderedDict[str, Engine] = OrderedDict()
        self._inherited: list[Engine] = []
        self._process = os.getpid()
        self._found: set[tuple[str, str]] = set()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction in the database of a run, or in the index; all of Dagster's calls go through it."""
        with self._db_lock:
            engine = self._engine_of(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; Dagster asks for each check, and migrations only add tables."""
        return self._once_found(
            ("table", table_name), lambda: super(OpenSqliteEventLogStorage, self).has_table(table_name)
        )

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Whether its table of assets has a column; Dagster asks for each materialization."""
        return self._once_found(
            ("column", column_name),
            lambda: super(OpenSqliteEventLogStorage, self)._has_asset_key_col_on_connection(
                conn, column_name
            ),
        )

    def _once_found(self, what: tuple[str, str], look: Callable[[], bool]) -> bool:
        if what not in self._found and look():
            self._found.add(what)
        return what in self._found

    def delete_events(self, run_id: str) -> None:
        """Delete the events of a run, and close its database, whose file may be deleted next."""
        super().delete_events(run_id)
        with self._db_lock:
            self._close(run_id)

    def wipe(self) -> None:
        """Delete everything, for which the databases must be closed."""
        self._close_all()
        super().wipe()

    def dispose(self) -> None:
        """Close the databases, at the end of the instance."""
        self._close_all()
        super().dispose()

    def _engine_of(self, shard: str) -> Engine:
        if self._process != os.getpid():
            # SQLite's connections must not be used, nor closed, by a forked process.
            self._inherited.extend(self._open.values())
            self._open.clear()
            self._process = os.getpid()
        if shard not in self._open:
            self._open[shard] = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool,
                pool_size=1,
                connect_args={"timeout": _BUSY_TIMEOUT_SECONDS},
            )
        self._open.move_to_end(shard)
        while len(self._open) > _MAX_OPEN:
            self._close(next(iter(self._open)))
        return self._open[shard]

    def _close(self, shard: str) -> None:
        if engine := self._open.pop(shard, None):
            engine.dispose()

    def _close_all(self) -> None:
        with self._db_lock:
            for shard in list(self._open):
                self._close(shard)
