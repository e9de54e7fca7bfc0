"""In-memory DuckDB engines, used again by a process: making one takes 16 ms, and a sync needs one 20 times.

An engine has no table and no state attached while it waits, so it holds nothing that another process waits
for; temporary tables go with the connection that made them.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import duckdb

from dinmo_pipeline.state.file.marks import is_abandoned, mark
from dinmo_pipeline.state.sql import literal

_SPILL = "dinmo-spill-"
_ALIVE = "alive"


class _Engine:
    """An instance of DuckDB and the folder, for this user alone, of what does not fit into its memory."""

    def __init__(self) -> None:
        _remove_abandoned_spill()
        with ExitStack() as opened:
            folder = tempfile.mkdtemp(prefix=_SPILL)
            opened.callback(shutil.rmtree, folder, ignore_errors=True)
            opened.enter_context(mark(Path(folder, _ALIVE)))
            self.root = opened.enter_context(closing(duckdb.connect(":memory:")))
            self.root.execute(f"SET temp_directory = {literal(folder)}")
            self.close = opened.pop_all().close


def _remove_abandoned_spill() -> None:
    """A killed process leaves its folder, which may be as large as a segment."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SPILL}*"):
        with suppress(OSError), is_abandoned(folder / _ALIVE) as abandoned:
            if abandoned:
                shutil.rmtree(folder, ignore_errors=True)


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
