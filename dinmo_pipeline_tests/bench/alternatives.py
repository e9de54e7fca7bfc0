"""The experiments behind two decisions: how members get from a DuckDB source into the state.

Each way normalises the emails, with or without making them distinct; they differ in how the rows arrive.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import duckdb
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.text.wording import counted

_MEMBERS = "SELECT lower(trim(email)) AS identifier FROM {rows}"


def bench(console: Console, folder: Path, members: int) -> None:
    """Print the seconds that each way takes."""
    console.print(f"{counted(members, 'member')} from a DuckDB source into the state …")
    source = folder / "source.duckdb"
    with duckdb.connect(str(source)) as connection:
        connection.execute(
            "CREATE TABLE users AS"
            f" SELECT 'User' || i || '@Example.com' AS email FROM range({members}) AS numbers(i)"
        )
    table = Table("Way", "Seconds", box=None)
    for name, way in _WAYS.items():
        with duckdb.connect(str(folder / "state.duckdb")) as connection:
            table.add_row(name, f"{_seconds(way, connection, source):.2f}")
    console.print(table, "")


def _attached(connection: duckdb.DuckDBPyConnection, source: Path, select: str) -> None:
    connection.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
    connection.execute(
        f"CREATE OR REPLACE TABLE members AS {select.format(_MEMBERS.format(rows='source.users'))}"
    )
    connection.execute("DETACH source")


def _by_arrow(connection: duckdb.DuckDBPyConnection, source: Path, select: str) -> None:
    with duckdb.connect(str(source), read_only=True) as delivering:
        connection.register("delivered", delivering.sql("SELECT email FROM users").to_arrow_reader(100_000))
        connection.execute(
            f"CREATE OR REPLACE TABLE members AS {select.format(_MEMBERS.format(rows='delivered'))}"
        )
        connection.unregister("delivered")


_PLAIN, _DISTINCT = "{}", "SELECT DISTINCT * FROM ({})"
_WAYS: dict[str, Callable[[duckdb.DuckDBPyConnection, Path], None]] = {
    "attached": lambda connection, source: _attached(connection, source, _PLAIN),
    "by Arrow batches": lambda connection, source: _by_arrow(connection, source, _PLAIN),
    "attached, distinct": lambda connection, source: _attached(connection, source, _DISTINCT),
    "by Arrow batches, distinct": lambda connection, source: _by_arrow(connection, source, _DISTINCT),
}


def _seconds(
    way: Callable[[duckdb.DuckDBPyConnection, Path], None],
    connection: duckdb.DuckDBPyConnection,
    source: Path,
) -> float:
    started = perf_counter()
    way(connection, source)
    return perf_counter() - started
