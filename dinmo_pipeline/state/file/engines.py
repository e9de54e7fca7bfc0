"""A pool of in-memory DuckDB engines: creating one takes 16 ms, and a sync needs one 20 times.

An idle engine has no tables and no state attached, so no other process waits for it. Temporary tables end
with their connection.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import duckdb

from dinmo_pipeline.scratch.folders import scratch_folder
from dinmo_pipeline.state.sql import literal

# Each thread needs memory.
_LIMITED_THREADS = 2


class _Engine:
    """A DuckDB instance, and its private folder for what does not fit into memory."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            folder = opened.enter_context(scratch_folder())
            self.root = opened.enter_context(closing(duckdb.connect(":memory:")))
            self.root.execute(f"SET temp_directory = {literal(str(folder))}")
            # Times are UTC, whatever the zone of the machine.
            self.root.execute("SET GLOBAL TimeZone = 'UTC'")
            # No table needs its order, and keeping it would take memory (DuckDB's own advice).
            self.root.execute("SET GLOBAL preserve_insertion_order = false")
            self._memory_limit: str | None = None
            self.close = opened.pop_all().close

    def limit(self, memory: str | None) -> None:
        """Limit the memory, as `1GB`, and with it the threads; None for DuckDB's defaults."""
        if memory == self._memory_limit:
            return
        if memory:
            self.root.execute(f"SET memory_limit = {literal(memory)}")
            self.root.execute(f"SET threads = {_LIMITED_THREADS}")
        else:
            self.root.execute("RESET memory_limit")
            self.root.execute("RESET threads")
        self._memory_limit = memory


# Popping from a list and appending to it are atomic, so each thread has an engine of its own.
_idle: list[_Engine] = []
# A forked process has the engines without their threads; closing one would wait for those forever.
_inherited: list[_Engine] = []


@contextmanager
def engine_connection(memory_limit: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an engine of its own, with a limit of its memory.

    After an error the engine is closed and not used again.
    """
    try:
        engine = _idle.pop()
    except IndexError:
        engine = _Engine()
    engine.limit(memory_limit)
    connection = engine.root.cursor()
    # Standard output belongs to --json.
    connection.execute("SET enable_progress_bar = false")
    try:
        yield connection
    except BaseException:
        connection.close()
        engine.close()
        raise
    connection.close()
    _idle.append(engine)


@atexit.register
def _close_idle() -> None:
    while _idle:
        _idle.pop().close()


def _leave_idle() -> None:
    _inherited.extend(_idle)
    _idle.clear()


os.register_at_fork(after_in_child=_leave_idle)
