"""A checkpoint that was killed within a block: the state opens again, with every committed row."""

import json
import shutil

import duckdb
import pytest

from dinmo_pipeline.state.errors import StateBusyError, StateUnusableError
from dinmo_pipeline.state.file.checkpoint_journal import PROVEN_VERSIONS
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline_tests.state.file.other_process import holding_state

_INSERT = (
    "INSERT INTO dinmo.segment_membership"
    " SELECT 'vip', format('user{}@example.com', n), now() FROM range(?, ?) AS numbers(n)"
)
_COUNT = "SELECT count(*), count(DISTINCT identifier) FROM dinmo.segment_membership"
_PAGE = 4096
_HEADERS = 3 * _PAGE
needs_a_tear_that_harms = pytest.mark.skipif(
    duckdb.__version__ < "2", reason="DuckDB 1.5 reads a file with this tear, since it needs another block"
)


@pytest.fixture
def torn(tmp_path):
    """A state of 1,000 members, 500 more of them committed, whose checkpoint wrote half of a block.

    That is a mixture of what the files were before and after a whole checkpoint, beside the journal.
    """
    path = tmp_path / "state.duckdb"
    state = StateDatabase(str(path))
    state.transact(lambda connection: connection.execute(_INSERT, [0, 1000]).fetchall())
    with state.scratch() as connection:
        with state.attached(connection):
            connection.execute(_INSERT, [1000, 1500])
            before, log = path.read_bytes(), _log(path).read_bytes()
            connection.execute("USE state")
            state._expect_checkpoint(connection)
            journal = _journal(path).read_bytes()
        after = path.read_bytes()
    halves = bytearray(before)
    halves[_HEADERS : _HEADERS + _PAGE] = after[_HEADERS : _HEADERS + _PAGE]
    assert halves != before
    path.write_bytes(halves)
    _log(path).write_bytes(log)
    _journal(path).write_bytes(journal)
    return path


def _log(path):
    return path.with_name(f"{path.name}.wal")


def _journal(path):
    return path.with_name(f"{path.name}.journal")


def _members(path):
    with StateDatabase(str(path)).reading() as connection:
        return connection.execute(_COUNT).fetchall()


@needs_a_tear_that_harms
def test_without_the_journal_such_a_file_does_not_open(torn):
    """So the next test proves what it claims."""
    _journal(torn).unlink()
    with pytest.raises(StateUnusableError, match="checksum"):
        _members(torn)


@pytest.mark.parametrize("first", ["reader", "writer"])
def test_a_torn_block_is_repaired_when_the_state_is_opened(torn, first):
    """No committed row is missing, and the file stays sound."""
    if first == "writer":
        StateDatabase(str(torn)).transact(
            lambda connection: connection.execute(_INSERT, [1500, 1600]).fetchall()
        )
    members = 1600 if first == "writer" else 1500
    assert _members(torn) == [(members, members)]
    assert not _journal(torn).exists()
    with duckdb.connect(str(torn)) as connection:
        assert connection.execute(_COUNT).fetchall() == [(members, members)]


def test_the_journal_of_a_completed_checkpoint_is_ignored(tmp_path):
    """Killed after the header was written, so the blocks are newer than the saved ones."""
    path = tmp_path / "state.duckdb"
    state = StateDatabase(str(path))
    with state.scratch() as connection, state.attached(connection):
        connection.execute(_INSERT, [0, 10])
        state._expect_checkpoint(connection)
        shutil.copyfile(_journal(path), tmp_path / "kept")
    (tmp_path / "kept").replace(_journal(path))
    assert _members(path) == [(10, 10)]
    assert not _journal(path).exists()


def test_a_state_in_use_is_not_repaired(torn):
    """It is sound for the process that has it open; restored blocks would be old ones."""
    journal = _journal(torn).read_bytes()
    _members(torn)
    # Its headers are those of the file; its blocks are garbage.
    nonsense = bytearray(journal[: journal.index(b"\n") + 1] + torn.read_bytes()[:_HEADERS])
    nonsense += bytes(len(journal) - len(nonsense))
    with holding_state(torn):
        _journal(torn).write_bytes(nonsense)
        whole = torn.read_bytes()
        state = StateDatabase(str(torn), wait_seconds=0)
        with pytest.raises(StateBusyError), state.reading():
            pass
        assert torn.read_bytes() == whole
        assert _journal(torn).read_bytes() == nonsense


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"garbage",
        b"\x00" * 5_000,
        b"[[0, 12288]]\n",
        b'{"places": [[0, 12288]], "duckdb": "2.0.0"}\n' + b"x" * 12_000,
        b'{"places": [[5, 9]]}\n123456789',
        b"[]\n",
        b"null\n",
    ],
)
def test_a_garbled_journal_is_set_aside_with_a_warning(tmp_path, garbage):
    """The state beside it is sound, and opens."""
    path, said = tmp_path / "state.duckdb", []
    state = StateDatabase(str(path), on_wait=said.append)
    state.transact(lambda connection: connection.execute(_INSERT, [0, 10]).fetchall())
    for number in range(2):
        _journal(path).write_bytes(garbage)
        with state.reading() as connection:
            assert connection.execute(_COUNT).fetchall() == [(10, 10)]
        assert not _journal(path).exists()
        kept = path.with_name(f"state.duckdb.journal.damaged{number or ''}")
        assert kept.read_bytes() == garbage
        assert said[number] == f"The journal {_journal(path)} is damaged, so it is set aside as {kept.name}."


@needs_a_tear_that_harms
def test_a_journal_with_one_wrong_byte_is_not_applied(torn):
    """It would write garbage into the state. What is left is a clear error."""
    journal = bytearray(_journal(torn).read_bytes())
    journal[-1] ^= 1
    _journal(torn).write_bytes(journal)
    with pytest.raises(StateUnusableError, match="checksum"):
        _members(torn)
    assert torn.with_name("state.duckdb.journal.damaged").read_bytes() == bytes(journal)


@needs_a_tear_that_harms
def test_a_journal_of_a_version_that_was_not_proven_is_not_applied(torn):
    """Its blocks may mean something else there."""
    journal = _journal(torn).read_bytes()
    version = duckdb.__version__.encode()
    _journal(torn).write_bytes(journal.replace(version, b"9.9.9", 1))
    said = []
    with pytest.raises(StateUnusableError), StateDatabase(str(torn), on_wait=said.append).reading():
        pass
    assert "was written with DuckDB 9.9.9, for which it was not proven" in said[0]


def test_a_journal_of_the_first_release_is_still_applied(torn):
    """A process of it was killed, then the release was upgraded."""
    line, _, content = _journal(torn).read_bytes().partition(b"\n")
    places = json.dumps(json.loads(line)["places"]).encode()
    _journal(torn).write_bytes(places + b"\n" + content)
    assert _members(torn) == [(1500, 1500)]


def test_this_version_of_duckdb_was_proven():
    """A new one needs `make soak-kill` first."""
    assert duckdb.__version__.startswith(PROVEN_VERSIONS)
