"""Opening the state: created private, migrated, or refused with a helpful error."""

import os
import signal
import stat
import subprocess
import sys

import duckdb
import pytest

from dinmo_pipeline.state.errors import StateError, StateUnusableError, StateVersionError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.schema.version import CURRENT_VERSION
from dinmo_pipeline_tests.state.file.other_process import INSERT

CHECK = "Check `state` in the declarations."


def _open(path, *, read_only):
    state = StateDatabase(str(path))
    with state.scratch() as connection, state.attached(connection, read_only=read_only):
        return connection.execute("SELECT max(version) FROM dinmo.schema_version").fetchall()


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_file_and_log_are_private(tmp_path):
    """Also the write-ahead log, and the umask is restored."""
    umask = os.umask(0o022)
    try:
        state = StateDatabase(str(tmp_path / "new" / "folders" / "state.duckdb"))
        with state.scratch() as connection, state.attached(connection):
            connection.execute(INSERT.format(destination="main"))
            files = sorted((tmp_path / "new" / "folders").iterdir())
            names = ["state.duckdb", "state.duckdb.journal", "state.duckdb.wal"]
            assert [path.name for path in files] == names
            assert [_mode(path) for path in files] == [0o600] * 3
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)


def test_a_reader_creates_nothing(tmp_path):
    """A state that does not exist is empty."""
    assert _open(tmp_path / "state.duckdb", read_only=True) == [(CURRENT_VERSION,)]
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_another_database_sees_an_empty_state(tmp_path):
    """The next sync adds the schema to what is there."""
    path = tmp_path / "mine.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS number")
    assert _open(path, read_only=True) == [(CURRENT_VERSION,)]
    assert _open(path, read_only=False) == [(CURRENT_VERSION,)]
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("FROM mine").fetchall() == [(1,)]


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_not_a_database_is_an_error(tmp_path, read_only):
    """The file is left as it is."""
    path = tmp_path / "state.duckdb"
    path.write_text("not a database" * 1000)
    with pytest.raises(StateUnusableError) as raised:
        _open(path, read_only=read_only)
    assert str(raised.value) == (
        f'The state database {path} cannot be opened: IO Error: The file "{path}" exists, but it is'
        f" not a valid DuckDB database file. {CHECK}"
    )
    assert path.read_text() == "not a database" * 1000


@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_database_is_an_error(tmp_path, read_only):
    """It passes on what DuckDB says."""
    path = tmp_path / "state.duckdb"
    _open(path, read_only=False)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8192))
    with pytest.raises(StateUnusableError) as raised:
        _open(path, read_only=read_only)
    assert str(raised.value).startswith(f"The state database {path} cannot be opened: ")
    assert str(raised.value).endswith(CHECK)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_in_place_of_the_file_is_an_error(tmp_path, read_only):
    """The state cannot be opened."""
    with pytest.raises(StateUnusableError) as raised:
        _open(tmp_path, read_only=read_only)
    assert str(raised.value) == (
        f"The state database {tmp_path} cannot be opened: IO Error: Could not read from file"
        f' "{tmp_path}": Is a directory. {CHECK}'
    )


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    """The state cannot be created."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "state.duckdb"
    with pytest.raises(StateUnusableError) as raised:
        _open(path, read_only=False)
    assert str(raised.value) == (
        f"The state database {path} cannot be created: [Errno 17] File exists: '{tmp_path / 'file'}'. {CHECK}"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error(tmp_path):
    """The state cannot be created."""
    tmp_path.chmod(0o500)
    with pytest.raises(StateUnusableError, match=r"cannot be created: .*Permission denied"):
        _open(tmp_path / "state.duckdb", read_only=False)
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused(tmp_path, read_only):
    """This release would not know what to keep."""
    path = tmp_path / "state.duckdb"
    with StateDatabase(str(path)).transaction() as connection:
        connection.execute("INSERT INTO dinmo.schema_version VALUES (99, now())")
    with pytest.raises(StateVersionError) as raised:
        _open(path, read_only=read_only)
    assert str(raised.value) == (
        f"{path} has state schema 99, but this release supports up to {CURRENT_VERSION}. Upgrade"
        " dinmo-pipeline, or choose another path for `state` in the declarations."
    )


def test_an_older_schema_is_refused_to_a_reader(tmp_path):
    """A reader cannot migrate it."""
    path = tmp_path / "state.duckdb"
    with StateDatabase(str(path)).transaction() as connection:
        connection.execute("UPDATE dinmo.schema_version SET version = -1")
    with pytest.raises(StateVersionError) as raised:
        _open(path, read_only=True)
    assert str(raised.value) == (
        f"{path} has state schema -1, older than {CURRENT_VERSION}. The next `dinmo sync` will migrate it."
    )


def test_every_error_is_a_state_error():
    """One class catches all of them."""
    assert issubclass(StateUnusableError, StateError)
    assert issubclass(StateVersionError, StateError)


def test_a_restored_file_is_made_private_again(tmp_path):
    """A copy has the mode of whoever copied it. A process does that once, for each file."""
    path = tmp_path / "state.duckdb"
    _open(path, read_only=False)
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(path.read_bytes())
    copy.chmod(0o644)
    _open(copy, read_only=True)
    assert _mode(copy) == 0o600


def test_a_path_with_a_question_mark_is_refused(tmp_path):
    """DuckDB takes what follows for options, and would put the write-ahead log elsewhere."""
    with pytest.raises(StateUnusableError, match="contains `\\?`, which DuckDB takes"):
        _open(tmp_path / "state?a=b.duckdb", read_only=False)
    assert list(tmp_path.iterdir()) == []


def test_the_copy_of_a_killed_rewrite_is_deleted_by_the_next_process(tmp_path):
    """And nothing else: a folder of that name without our mark may be somebody's."""
    path = tmp_path / "state.duckdb"
    _open(path, read_only=False)
    killed = subprocess.run([sys.executable, "-c", _KILLED_REWRITE, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(".dinmo-*")
    assert (left / "state.duckdb").exists()
    theirs = tmp_path / ".dinmo-scratch-theirs"
    theirs.mkdir()
    subprocess.run([sys.executable, "-c", _OPEN, str(path)], check=True)
    assert list(tmp_path.glob(".dinmo-*")) == [theirs]


_OPEN = """
import sys
from dinmo_pipeline.state.file.database import StateDatabase
with StateDatabase(sys.argv[1]).reading():
    pass
"""
_KILLED_REWRITE = """
import os, pathlib, signal, sys
from dinmo_pipeline.state.file.compacting import compact
from dinmo_pipeline.state.file.database import StateDatabase
def replace(path, target):
    if path.name == "state.duckdb":
        os.kill(os.getpid(), signal.SIGKILL)
    os.replace(path, target)
pathlib.Path.replace = replace
compact(StateDatabase(sys.argv[1]))
"""
