"""A sparing state takes little memory, and more only if needed."""

from pathlib import Path

import duckdb
import pytest

from dinmo_pipeline.state.errors import StateMemoryError
from dinmo_pipeline.state.file.database import StateDatabase

# A single value of this size cannot be moved to disk.
_TOO_LARGE_FOR_64_MB = "SELECT length(string_agg(repeat('x', 1000), '')) FROM range(120000)"


def _limit(connection: duckdb.DuckDBPyConnection) -> str:
    return str(connection.execute("SELECT current_setting('memory_limit')").fetchall()[0][0])


def test_a_sparing_state_limits_duckdb(tmp_path: Path) -> None:
    """Work of many hours takes the same memory on a machine of any size."""
    state = StateDatabase(str(tmp_path / "state.duckdb")).sparing()
    assert state.transact(_limit) == "61.0 MiB"


def test_work_that_needs_more_memory_starts_again_with_more(tmp_path: Path) -> None:
    """What was written before is rolled back, so the second attempt does it once."""
    state = StateDatabase(str(tmp_path / "state.duckdb")).sparing()
    limits = []

    def work(connection: duckdb.DuckDBPyConnection) -> int:
        limits.append(_limit(connection))
        connection.execute("INSERT INTO dinmo.segment_membership VALUES ('vip', 'ana@example.com', now())")
        return int(connection.execute(_TOO_LARGE_FOR_64_MB).fetchall()[0][0])

    assert state.transact(work) == 120_000_000
    assert limits == ["61.0 MiB", "488.2 MiB"]
    with state.reading() as connection:
        found = connection.execute("SELECT count(*) FROM dinmo.segment_membership").fetchall()
    assert found == [(1,)]


def test_an_explicit_memory_limit_is_kept(tmp_path: Path) -> None:
    """Only a sparing state may take more."""
    state = StateDatabase(str(tmp_path / "state.duckdb"), memory_limit="65MB")
    with pytest.raises(StateMemoryError):
        state.transact(lambda connection: connection.execute(_TOO_LARGE_FOR_64_MB).fetchall())
