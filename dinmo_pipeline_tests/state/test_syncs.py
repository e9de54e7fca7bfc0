"""The log of syncs: a result is read back as it was written."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.syncs import (
    HoldReason,
    SyncNumbers,
    SyncResult,
    finish_sync,
    finished_sync,
    interrupt_sync,
    start_sync,
)
from dinmo_pipeline_tests.state.declaring import NOW

COUNTS = st.integers(min_value=0, max_value=10**12)
RESULTS = st.builds(
    SyncResult,
    status=st.sampled_from(["ok", "held", "failed"]),
    reason=st.none() | st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1)),
    hold_reason=st.none() | st.sampled_from(HoldReason),
    numbers=st.builds(SyncNumbers, *[COUNTS] * 10, seconds=st.floats(0, 1e6, allow_nan=False)),
)


@pytest.fixture
def connection(tmp_path):
    """A state in a transaction."""
    with StateDatabase(str(tmp_path / "state.duckdb")).transaction() as connection:
        yield connection


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(RESULTS)
def test_a_result_is_read_back_as_it_was_written(connection, result):
    """Every number under its own name."""
    connection.execute("DELETE FROM dinmo.syncs")
    start_sync(connection, "s1", "vip", now=NOW)
    finish_sync(connection, "s1", "vip", result, now=NOW)
    assert finished_sync(connection, "s1", "vip") == result


def test_a_sync_that_runs_or_was_interrupted_has_no_result(connection):
    """Nor has one that never started."""
    assert finished_sync(connection, "s1", "vip") is None
    start_sync(connection, "s1", "vip", now=NOW)
    assert finished_sync(connection, "s1", "vip") is None
    interrupt_sync(connection, "s1", now=NOW)
    assert finished_sync(connection, "s1", "vip") is None
