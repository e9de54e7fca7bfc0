"""Each declared audience of TPC-H equals the same one in hand-written SQL, row for row."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dinmo_pipeline.segments import OpenSource
from dinmo_pipeline_tests.segments.engines import DuckDBEngine, Engine
from dinmo_pipeline_tests.segments.reading import members
from dinmo_pipeline_tests.segments.tpch import AUDIENCES, TABLES, VIEWS, declared

# Without keys PostgreSQL plans the hand-written statements badly, not ours alone.
KEYS = (
    "CREATE INDEX ON orders (o_orderkey)",
    "CREATE INDEX ON orders (o_custkey)",
    "CREATE INDEX ON lineitem (l_orderkey)",
    "CREATE INDEX ON lineitem (l_partkey, l_suppkey)",
    "CREATE INDEX ON customer (c_custkey)",
    "ANALYZE",
)


@pytest.fixture(scope="session")
def tpch_tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """TPC-H at scale factor 0.1: 15,000 customers, 150,000 orders, 600,000 lines."""
    folder = tmp_path_factory.mktemp("tpch")
    command = Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run([command, "parquet", "-q", "-s", "0.1", "-o", folder], check=True)
    return {name: _with_plain_strings(pq.read_table(folder / f"{name}.parquet")) for name in TABLES}


def _with_plain_strings(table: pa.Table) -> pa.Table:
    """Strings as the drivers accept them, not as views."""
    fields = [
        pa.field(each.name, pa.string() if pa.types.is_string_view(each.type) else each.type)
        for each in table.schema
    ]
    return table.cast(pa.schema(fields))


@pytest.fixture(scope="module")
def tpch(module_engine: Engine, tpch_tables: dict[str, pa.Table]) -> Iterator[OpenSource]:
    """The tables and views."""
    module_engine.load(tpch_tables)
    if not isinstance(module_engine, DuckDBEngine):
        module_engine.run(*KEYS)
    module_engine.run(*VIEWS)
    with module_engine.open() as source:
        yield source


@pytest.mark.parametrize("module_engine", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize("key", AUDIENCES)
def test_a_declared_audience_equals_hand_written_sql(tpch: OpenSource, key: str) -> None:
    """The rows and their counts are equal, and some but not all customers are in each audience."""
    audience = AUDIENCES[key]
    by_hand = tpch.batches(audience.by_hand).read_all().column(0).to_pylist()
    found = members(tpch, declared(), key, audience.column)
    assert found == sorted(str(each) for each in by_hand)
    assert 0 < len(found) < tpch.count("SELECT 1 AS one FROM customer")
