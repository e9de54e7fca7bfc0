"""A killed writer leaves a file that opens, with what was committed and nothing else."""

import pytest

from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline_tests.state.file.other_process import INSERT, holding_state

OTHER = INSERT.format(destination="killed")


def _destinations(path, *, writing):
    state = StateDatabase(str(path))
    with state.transaction() if writing else state.reading() as connection:
        rows = connection.execute("SELECT destination FROM dinmo.signup_looks").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("writing", [False, True])
def test_an_open_transaction_is_rolled_back(tmp_path, writing):
    """For the next reader and for the next writer."""
    path = tmp_path / "state.duckdb"
    with StateDatabase(str(path)).transaction() as connection:
        connection.execute(INSERT.format(destination="before"))
    with holding_state(path, "BEGIN", OTHER) as other:
        other.kill()
    assert _destinations(path, writing=writing) == ["before"]


@pytest.mark.parametrize("writing", [False, True])
def test_a_committed_transaction_stays(tmp_path, writing):
    """Even if the writer had no time to move it from the log into the file."""
    path = tmp_path / "state.duckdb"
    with holding_state(path, "BEGIN", OTHER, "COMMIT") as other:
        other.kill()
    assert (tmp_path / "state.duckdb.wal").exists()
    assert _destinations(path, writing=writing) == ["killed"]


def test_an_error_in_a_transaction_rolls_it_back(tmp_path):
    """And the state can be used again."""
    path = tmp_path / "state.duckdb"

    def fail() -> None:
        with StateDatabase(str(path)).transaction() as connection:
            connection.execute(OTHER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _destinations(path, writing=True) == []
