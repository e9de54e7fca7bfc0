"""Data that we did not write: TPC-H at scale factor 0.1, synced and compared with the result of the SQL."""

import subprocess
import sysconfig
from pathlib import Path

import duckdb
import pytest

# Some thousand customers with a large open order in the machinery or building segment.
AUDIENCE = """
    SELECT DISTINCT 'Customer' || c_custkey || '@example.com' AS email
    FROM customer JOIN orders ON o_custkey = c_custkey
    WHERE c_mktsegment IN ('MACHINERY', 'BUILDING')
      AND o_orderstatus = 'O' AND o_totalprice > {at_least}
"""


@pytest.fixture(scope="module")
def tpch(tmp_path_factory) -> Path:
    """A DuckDB file with the customers and orders of TPC-H."""
    folder = tmp_path_factory.mktemp("tpch")
    generator = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    subprocess.run(
        [
            generator,
            "parquet",
            "--scale-factor=0.1",
            "--tables=customer,orders",
            f"--output-dir={folder}",
        ],
        check=True,
        capture_output=True,
    )
    path = folder / "tpch.duckdb"
    with duckdb.connect(str(path)) as connection:
        for table in ("customer", "orders"):
            connection.execute(f"CREATE TABLE {table} AS FROM '{folder}/{table}.parquet'")
    return path


def answer(path, at_least):
    """The result of the SQL, as the emails are compared."""
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(AUDIENCE.format(at_least=at_least)).fetchall()
    return {row[0].lower() for row in rows}


def test_a_segment_of_some_thousand_customers_equals_the_sql_result(company, tpch):
    """Two thirds of the customers are in Intercom, and the segment shrinks between two syncs."""
    with duckdb.connect(str(tpch), read_only=True) as connection:
        customers = connection.execute("SELECT c_custkey FROM customer ORDER BY 1").fetchall()
    known = {f"customer{key}@example.com" for (key,) in customers if key % 3}
    company.people(*sorted(known))
    company.declared["source"]["database"] = str(tpch)
    company.declared["segments"]["vip"] = {"name": "VIP", "sql": AUDIENCE.format(at_least=200_000)}
    first = company.synced()
    members = answer(tpch, 200_000)
    assert 2_000 < len(members) < 10_000
    assert company.tagged() == members & known
    assert first.numbers.members == len(members)
    assert first.numbers.not_in_intercom == len(members - known)

    company.declared["segments"]["vip"]["sql"] = AUDIENCE.format(at_least=220_000)
    second = company.synced()
    fewer = answer(tpch, 220_000)
    assert company.tagged() == fewer & known
    assert second.numbers.untagged == len((members - fewer) & known) > 0
    assert company.created_by_api() == 0
