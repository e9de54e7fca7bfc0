"""How long a segment is read: the lock on a DuckDB file, and CSV files beside DuckDB's own sniffed read."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

import duckdb
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config.declarations import Segment, Source
from dinmo_pipeline.orchestration.segment_rows import staging
from dinmo_pipeline.segments import OpenSource, open_source, select_members
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline_tests.segments.declaring import HERE, field, listed, model, project, segment
from dinmo_pipeline_tests.state.declaring import activation

RUNS = 5
_USERS = """
    SELECT i AS id, 'user' || i || '@example.com' AS email, if(i % 3 = 0, 'pro', 'free') AS plan,
           (i % 100000) / 100 AS total, DATE '2020-01-01' + (i % 2000)::INT AS signed_up
    FROM range({}) AS numbers(i)
"""
_CONDITIONS: dict[str, tuple[Segment, str]] = {
    "a table": (listed("all", "users"), ""),
    "a text condition": (segment("plan", field("plan", equals="pro"), over="users"), "WHERE plan = 'pro'"),
    "a number": (segment("total", field("total", at_least=500), over="users"), "WHERE total >= 500"),
    "a day": (
        segment("day", field("signed_up", after=date(2022, 1, 1)), over="users"),
        "WHERE signed_up > DATE '2022-01-01'",
    ),
}


def bench(console: Console, folder: Path, members: int) -> None:
    """Print both tables."""
    _locks(console, folder, members)
    _csv(console, folder, members)


def _locks(console: Console, folder: Path, members: int) -> None:
    table = Table("Rows of a DuckDB file", "Locked (s)", "Whole refresh (s)", box=None)
    for rows in (members // 1000, members // 10, members):
        path = folder / f"{rows}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"CREATE TABLE users AS {_USERS.format(rows)}")
        declared, vip = project(listed("vip", "users")), activation()
        locked: list[float] = []

        @contextmanager
        def opening(path: Path = path, locked: list[float] = locked) -> Iterator[OpenSource]:
            started = perf_counter()
            with open_source(Source("duckdb", path, None, HERE), uri=None) as source:
                yield source
            locked.append(perf_counter() - started)

        started = perf_counter()
        state = StateDatabase(str(folder / f"state{rows}.duckdb"))
        refresh_membership(state, vip.key, vip.match_by, staging(declared, vip, opening))
        table.add_row(f"{rows:,}", f"{locked[0]:.2f}", f"{perf_counter() - started:.2f}")
    console.print(table)


def _csv(console: Console, folder: Path, members: int) -> None:
    files = folder / "files"
    files.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({_USERS.format(members)}) TO '{files / 'users.csv'}' (HEADER)")
    title = f"Segment of a CSV file of {members:,} rows"
    table = Table(title, "This project (s)", "DuckDB, sniffed (s)", "Ratio", box=None)
    for name, (tested, where) in _CONDITIONS.items():
        declared = project(model("users"), tested)
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(RUNS):
            started = perf_counter()
            with open_source(Source("csv", files, None, HERE), uri=None) as source:
                now = datetime.now(UTC)
                sql = select_members(declared, tested.key, "email", source, now=now, timezone="UTC")
                ours = sum(batch.num_rows for batch in source.batches(sql))
            seconds[0].append(perf_counter() - started)
            started = perf_counter()
            with duckdb.connect() as connection:
                sql = f"SELECT email FROM read_csv('{files / 'users.csv'}') {where}"
                theirs = sum(batch.num_rows for batch in connection.sql(sql).to_arrow_reader(100_000))
            seconds[1].append(perf_counter() - started)
            if ours != theirs:
                raise AssertionError((name, ours, theirs))
        best = [min(each) for each in seconds]
        table.add_row(name, *(f"{each:.2f}" for each in best), f"{best[0] / best[1]:.2f}")
    console.print(table)
