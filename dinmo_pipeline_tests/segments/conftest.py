"""Real engines: DuckDB files, and the PostgreSQL server of all tests."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dinmo_pipeline_tests.segments.engines import DuckDBEngine, Engine, PostgresEngine


@pytest.fixture
def duckdb_engine(tmp_path: Path) -> DuckDBEngine:
    """An empty DuckDB file."""
    return DuckDBEngine(tmp_path / "warehouse.duckdb")


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the two engines, empty."""
    return request.getfixturevalue(f"{request.param}_engine")


@pytest.fixture(scope="module")
def module_engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """One of the engines for a whole module, chosen by the parameter."""
    name = request.module.__name__.rpartition(".")[2]
    if request.param == "duckdb":
        yield DuckDBEngine(tmp_path_factory.mktemp(name) / "warehouse.duckdb")
        return
    with closing(PostgresEngine(request.getfixturevalue("postgres_uri"), name)) as engine:
        yield engine
