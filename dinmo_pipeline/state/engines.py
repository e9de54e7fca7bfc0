"""In-memory DuckDB engines, used again by a process: making one takes 16 ms, and a sync needs one 20 times.

An engine has no table and no state attached while it waits, so it holds nothing that another process waits
for; temporary tables go with the connection that made them.
"""

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from dinmo_pipeline.state.sql import literal


class _Engine:
    """An instance of DuckDB and the folder for what does not fit into its memory."""

    def __init__(self) -> None:
        self._spill = tempfile.TemporaryDirectory(prefix="dinmo-")
        self.root = duckdb.connect(":memory:")
        self.root.execute(f"SET temp_directory = {literal(self._spill.name)}")

    def close(self) -> None:
        """End it, and remove its folder."""
        self.root.close()
        self._spill.cleanup()


# Taking from a list and adding to it are atomic: each thread has an engine of its own meanwhile.
_idle: list[_Engine] = []
# A forked process has the engines and none of their threads; ending one would wait for them.
_inherited: list[_Engine] = []


@contextmanager
def engine_connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an engine that nobody else uses; settings of the whole engine are as they were left.

    An engine that was used when something went wrong is not used again.
    """
    try:
        engine = _idle.pop()
    except IndexError:
        engine = _Engine()
    connection = engine.root.cursor()
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
