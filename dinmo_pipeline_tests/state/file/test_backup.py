"""Backups of the state: private, whole, checked, and never in place of another file."""

import json
import os
import stat

import duckdb
import pytest

from dinmo_pipeline.state.errors import StateBusyError, StateUnusableError
from dinmo_pipeline.state.file.backup import back_up
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline_tests.state.file.other_process import INSERT, holding_state

LOOKS = "SELECT destination FROM dinmo.signup_looks ORDER BY ALL"


@pytest.fixture
def state(tmp_path):
    """A state with one row."""
    state = StateDatabase(str(tmp_path / "state.duckdb"), wait_seconds=0.05)
    with state.transaction() as connection:
        connection.execute(INSERT.format(destination="main"))
    return state


def looks(path):
    """What a copy contains, when it is used as a state."""
    with StateDatabase(str(path)).reading() as connection:
        return [row[0] for row in connection.execute(LOOKS).fetchall()]


def leftovers(folder):
    """What a failed backup left behind."""
    ours = ("state.duckdb", "old.duckdb")
    return [path.name for path in folder.iterdir() if not path.name.startswith(ours)]


def test_a_copy_is_private_and_equal(state, tmp_path):
    """Also if the umask is generous."""
    usual = os.umask(0)
    try:
        made = back_up(state, tmp_path / "copy.duckdb")
    finally:
        os.umask(usual)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert made.size_bytes == made.path.stat().st_size == (tmp_path / "state.duckdb").stat().st_size
    assert (made.rows["signup_looks"], made.rows["tagged_contacts"]) == (1, 0)
    assert looks(made.path) == ["main"]
    assert leftovers(tmp_path) == ["copy.duckdb"]


def test_readers_are_no_obstacle_and_writers_end_with_an_error(state, tmp_path):
    """As for any other reader of the state."""
    with holding_state(tmp_path / "state.duckdb", read_only=True):
        back_up(state, tmp_path / "beside-a-reader.duckdb")
    with holding_state(tmp_path / "state.duckdb"), pytest.raises(StateBusyError, match="was in use"):
        back_up(state, tmp_path / "beside-a-writer.duckdb")
    assert leftovers(tmp_path) == ["beside-a-reader.duckdb"]


def test_what_a_killed_process_left_in_the_log_is_part_of_the_copy(state, tmp_path):
    """Its commit is in the write-ahead log, not yet in the file."""
    statements = ("BEGIN", INSERT.format(destination="killed"), "COMMIT")
    with holding_state(tmp_path / "state.duckdb", *statements) as other:
        other.kill()
    assert (tmp_path / "state.duckdb.wal").exists()
    assert looks(back_up(state, tmp_path / "copy.duckdb").path) == ["killed", "main"]


def test_a_state_of_an_earlier_release_is_copied_as_it_is(state, tmp_path):
    """Before an upgrade, nothing may migrate it; nor does the copy of a newer one need this release."""
    for version in (3, 999):
        with duckdb.connect(state.database) as connection:
            connection.execute("UPDATE dinmo.schema_version SET version = ?", [version])
        made = back_up(state, tmp_path / f"{version}.duckdb")
        assert made.schema_version == version
        with duckdb.connect(str(made.path), read_only=True) as connection:
            assert connection.execute(LOOKS).fetchall() == [("main",)]


def test_a_damaged_state_gives_no_backup(state, tmp_path):
    """Every block is read, not only those that a count needs."""
    with state.transaction() as connection:
        connection.execute(
            "INSERT INTO dinmo.segment_membership SELECT 'vip', md5(n::VARCHAR), now() FROM range(9999) t(n)"
        )
    file = tmp_path / "state.duckdb"
    content = bytearray(file.read_bytes())
    for at in range(len(content) // 4, len(content) * 3 // 4, 4096):
        content[at] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(StateUnusableError) as raised:
        back_up(state, tmp_path / "copy.duckdb")
    # DuckDB 1.5 does not even open it.
    assert any(words in str(raised.value) for words in ("damaged: keep the backups you have", "Corrupt dat"))
    assert leftovers(tmp_path) == []


def test_a_path_that_is_taken_is_refused(state, tmp_path):
    """Whatever is there stays: a file, the state itself, a dead link, a folder."""
    old = tmp_path / "old.duckdb"
    old.write_text("mine")
    dead = tmp_path / "dead"
    dead.symlink_to("nowhere")
    for path in (old, tmp_path / "state.duckdb", dead):
        with pytest.raises(StateUnusableError, match="exists already, and a backup overwrites nothing"):
            back_up(state, path)
    with pytest.raises(StateUnusableError, match="is a folder; name a file in it"):
        back_up(state, tmp_path)
    assert old.read_text() == "mine"
    assert dead.is_symlink()
    assert looks(state.database) == ["main"]


def test_a_path_that_cannot_be_written_is_refused(state, tmp_path):
    """No folder, a file for a folder, a name that is too long, and no space."""
    (tmp_path / "old.duckdb").touch()
    for path in (tmp_path / "none" / "copy.duckdb", tmp_path / "old.duckdb" / "copy.duckdb"):
        with pytest.raises(StateUnusableError, match="There is no folder"):
            back_up(state, path)
    with pytest.raises(StateUnusableError, match="cannot be written: File name too long"):
        back_up(state, tmp_path / ("n" * 300))
    os.truncate(state.database, 1 << 43)  # 8 TB, of which the disk holds the few that are written
    with pytest.raises(StateUnusableError, match="There is not enough space"):
        back_up(state, tmp_path / "copy.duckdb")
    assert leftovers(tmp_path) == []


def test_without_a_state_there_is_nothing_to_back_up(tmp_path):
    """No file, and a file of another program's."""
    with pytest.raises(StateUnusableError, match="There is no state file"):
        back_up(StateDatabase(str(tmp_path / "state.duckdb")), tmp_path / "copy.duckdb")
    with duckdb.connect(str(tmp_path / "old.duckdb")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    with pytest.raises(StateUnusableError, match="contains no state"):
        back_up(StateDatabase(str(tmp_path / "old.duckdb")), tmp_path / "copy.duckdb")
    assert leftovers(tmp_path) == []


def test_the_command_prints_what_it_copied(dinmo, company):
    """For people, and as one JSON object; an error has its own exit code."""
    company.people("ann@example.com")
    company.members(["ann@example.com"])
    company.synced()
    path = company.folder / "copy.duckdb"
    done = dinmo("backup", str(path))
    assert done.code == 0
    assert "every row read" in done.out
    again = dinmo("backup", str(path), "--json")
    assert (again.code, again.out) == (1, "")
    assert "exists already" in again.err
    (made,) = json.loads(dinmo("backup", f"{path}.2", "--json").out)["backups"]
    assert made["path"] == f"{path}.2"
    assert made["rows"]["tagged_contacts"] == 1


def test_a_state_of_several_files_becomes_a_folder(dinmo, company):
    """A file for each destination that was ever synced; all of it, or nothing."""
    company.declared["state"] = {"folder": "states"}
    company.declared["destinations"]["other"] = company.declared["destinations"]["main"]
    company.declared["activations"]["vip"] = {"destination": "main"}
    path = company.folder / "copies"
    nothing = dinmo("backup", str(path))
    assert (nothing.code, path.exists()) == (1, False)
    assert "There is no state file" in nothing.err
    company.people("ann@example.com")
    company.members(["ann@example.com"])
    company.synced()
    done = dinmo("backup", str(path), "--json")
    assert [made["path"] for made in json.loads(done.out)["backups"]] == [str(path / "main.duckdb")]
    assert [file.name for file in path.iterdir()] == ["main.duckdb"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    again = dinmo("backup", str(path))
    assert (again.code, "exists already" in again.err) == (1, True)
