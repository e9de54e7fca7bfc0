"""Declared segments compared with hand-written SQL on TPC-H at scale factor 1: the same rows, the same time.

If a declaration reads a column of a view, so does the hand-written statement: this compares the SQL of the
conditions, not two ways to compute a column.
"""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import duckdb
from rich.console import Console
from rich.table import Table

from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.segments import OpenSource, open_source, select_members
from dinmo_pipeline_tests.segments.tpch import AUDIENCES, TABLES, VIEWS, declared

RUNS = 5
ON_THE_SAME_VIEWS = {
    "q4_late_in_a_quarter": """
        SELECT c_custkey FROM customer WHERE c_custkey IN (
            SELECT o_custkey FROM orders
            WHERE o_orderdate >= DATE '1993-07-01' AND o_orderdate < DATE '1993-10-01' AND EXISTS (
                SELECT * FROM purchase_lines WHERE l_orderkey = o_orderkey AND l_late))""",
    "q13_without_ordinary_orders": """
        SELECT c_custkey FROM (
            SELECT c_custkey, count(o_orderkey) AS c_count
            FROM customer LEFT OUTER JOIN purchases ON c_custkey = o_custkey AND NOT o_special
            GROUP BY c_custkey
        ) AS c_orders WHERE c_count = 0""",
    "q13_with_ten_ordinary_orders": """
        SELECT c_custkey FROM (
            SELECT c_custkey, count(o_orderkey) AS c_count
            FROM customer LEFT OUTER JOIN purchases ON c_custkey = o_custkey AND NOT o_special
            GROUP BY c_custkey
        ) AS c_orders WHERE c_count BETWEEN 9 AND 11""",
    "q20_suppliers_with_excess_of_forest_parts": """
        SELECT s_suppkey FROM supplier, nation WHERE s_suppkey IN (
            SELECT ps_suppkey FROM stock
            WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%') AND ps_excess)
        AND s_nationkey = n_nationkey AND n_name = 'CANADA'""",
}


def bench(console: Console, folder: Path) -> None:
    """Print the median seconds of both statements for each audience, and their ratio."""
    console.print("Declared segments and hand-written SQL, TPC-H scale factor 1 …")
    database = _tpch(folder)
    project = declared()
    source = Source(type="duckdb", path=database, uri=None, place=Place("bench", 1, 1))
    table = Table("Audience", "Rows", "Declared (s)", "By hand (s)", "Ratio", box=None)
    ratios = []
    with open_source(source, uri=None) as opened:
        for key, audience in AUDIENCES.items():
            ours = select_members(
                project, key, audience.column, opened, now=datetime.now(UTC), timezone="UTC"
            )
            by_hand = ON_THE_SAME_VIEWS.get(key, audience.by_hand)
            theirs = f"SELECT CAST(COLUMNS(*) AS VARCHAR) AS identifier FROM ({by_hand}) AS by_hand"
            pairs = [(_seconds(opened, ours), _seconds(opened, theirs)) for _ in range(RUNS)]
            declared_s, by_hand_s = (median(column) for column in zip(*pairs, strict=True))
            ratios.append(declared_s / by_hand_s)
            table.add_row(
                key,
                f"{opened.count(ours):,}",
                f"{declared_s:.3f}",
                f"{by_hand_s:.3f}",
                f"{ratios[-1]:.2f}",
            )
    console.print(table)
    console.print(
        f"Median ratio {median(ratios):.2f}; {sum(r <= 1.1 for r in ratios)} of {len(ratios)}"
        " audiences within 1.1.\n"
    )


def _tpch(folder: Path) -> Path:
    command = Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run([command, "parquet", "-q", "-s", "1", "-o", folder], check=True)
    database = folder / "tpch.duckdb"
    with duckdb.connect(str(database)) as connection:
        for name in TABLES:
            connection.execute(f"CREATE TABLE {name} AS FROM '{folder / name}.parquet'")
        for view in VIEWS:
            connection.execute(view)
    return database


def _seconds(source: OpenSource, sql: str) -> float:
    started = perf_counter()
    for _ in source.batches(sql):
        pass
    return perf_counter() - started
