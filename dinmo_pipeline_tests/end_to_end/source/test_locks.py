"""A DuckDB warehouse is locked while its rows are read, and no longer: a dbt build that starts then fails."""

import subprocess
import sys
import time
from contextlib import contextmanager

import duckdb
import pytest

from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.orchestration.segment_rows import staging
from dinmo_pipeline.segments import open_source
from dinmo_pipeline.segments.errors import SourceUnavailableError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline_tests.segments.declaring import HERE, listed, project
from dinmo_pipeline_tests.state.declaring import activation

WRITE = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE OR REPLACE TABLE built AS SELECT 1')"
WAIT = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def build(path):
    """What another program's build of a table ends with: its error, or nothing."""
    return subprocess.run(
        [sys.executable, "-c", WRITE, str(path)], capture_output=True, text=True, timeout=60, check=False
    ).stderr


@pytest.fixture
def warehouse(tmp_path):
    """A DuckDB file with one member."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE vip AS SELECT 'ana@example.com' AS email")
    return path


def test_another_program_can_write_as_soon_as_the_rows_are_read(tmp_path, warehouse):
    """It cannot before, and the rest of the refresh holds nothing."""
    errors = []

    @contextmanager
    def opening():
        with open_source(Source("duckdb", warehouse, None, HERE), uri=None) as source:
            yield source
            errors.append(build(warehouse))

    vip = activation()
    read = staging(project(listed("vip", "vip")), vip, opening)

    def stage(connection):
        staged = read(connection)
        errors.append(build(warehouse))
        return staged

    found = refresh_membership(StateDatabase(str(tmp_path / "state.duckdb")), vip.key, vip.match_by, stage)
    assert found.members == 1
    assert "Could not set lock on file" in errors[0]
    assert errors[1] == ""


def test_a_sync_waits_for_another_program_and_then_fails_for_a_transient_reason(warehouse):
    """So it is repeated a minute later."""
    source = Source("duckdb", warehouse, None, HERE)
    said = []
    with subprocess.Popen(
        [sys.executable, "-c", WAIT, str(warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"open\n"
        started = time.monotonic()
        with (
            pytest.raises(SourceUnavailableError, match="is still writing the source"),
            open_source(source, uri=None, wait_seconds=0.5, on_wait=said.append),
        ):
            pass
        assert time.monotonic() - started >= 0.5
        other.communicate()
    assert len(said) == 1
    with open_source(source, uri=None) as opened:
        assert opened.count("SELECT * FROM vip") == 1
