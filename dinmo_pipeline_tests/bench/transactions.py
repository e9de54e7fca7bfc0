"""What a transaction of the state costs, and what it would cost to keep the log until the end of a step.

The state has a million contacts; each transaction replaces one row. Beside ours: DuckDB with the file
attached all the time, with attaching and a checkpoint for each transaction, and with attaching alone.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.state.file.database import StateDatabase

CONTACTS = 1_000_000
TRANSACTIONS = 100
_WRITE = "INSERT OR REPLACE INTO {schema}.signup_looks VALUES ('main', now())"


def bench(console: Console, folder: Path) -> None:
    """Print the median of each."""
    path = folder / "state.duckdb"
    state = StateDatabase(str(path))
    with state.transaction() as connection:
        connection.execute(
            "INSERT INTO dinmo.contacts"
            " SELECT 'main', md5(n::VARCHAR), format('u{}@example.com', n), NULL, true, now(), n, now()"
            " FROM range(?) AS numbers(n)",
            [CONTACTS],
        )
    table = Table("One transaction", "ms", title=f"A state of {CONTACTS:,} contacts, {TRANSACTIONS} times")
    table.add_row("ours, with the journal of checkpoints", f"{_median_ms(lambda: _ours(state)):.1f}")
    with duckdb.connect(str(path)) as raw:
        table.add_row("DuckDB, the file always attached", f"{_median_ms(lambda: _write(raw, 'dinmo')):.1f}")
    with duckdb.connect() as raw:
        attached = f"{_median_ms(lambda: _attached(raw, path)):.1f}"
        table.add_row("DuckDB, attached for it, with a checkpoint", attached)
        raw.execute("SET checkpoint_threshold = '1TB'")
        raw.execute("PRAGMA disable_checkpoint_on_shutdown")
        kept = f"{_median_ms(lambda: _attached(raw, path)):.1f}"
        table.add_row("DuckDB, attached for it, the log kept", kept)
    console.print(table)


def _ours(state: StateDatabase) -> None:
    with state.transaction() as connection:
        connection.execute(_WRITE.format(schema="dinmo"))


def _write(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    connection.execute("BEGIN")
    connection.execute(_WRITE.format(schema=schema))
    connection.execute("COMMIT")


def _attached(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"ATTACH '{path}' AS state")
    _write(connection, "state.dinmo")
    connection.execute("DETACH state")


def _median_ms(work: Callable[[], None]) -> float:
    taken = []
    for _ in range(TRANSACTIONS):
        started = time.perf_counter()
        work()
        taken.append(1_000 * (time.perf_counter() - started))
    return median(taken)
