"""The demo deletes only what it made."""

import duckdb
import pytest

from dinmo_pipeline.demo.folder import DemoFolder, NotTheDemoError
from dinmo_pipeline.demo.project import DESTINATION, new_demo_project


@pytest.fixture
def folder(tmp_path):
    """A demo folder that does not exist yet."""
    return DemoFolder(tmp_path / ".demo", DESTINATION)


def made(folder):
    """The folder after a demo: a warehouse, a state with the demo's destination, and its locks."""
    folder.clear()
    with folder.making(folder.warehouse), duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create table customers as select 1 as customer_id")
    with folder.making(folder.state), duckdb.connect(str(folder.state)) as connection:
        connection.execute("create schema dinmo")
        connection.execute(f"create table dinmo.workspaces as select '{DESTINATION}' destination")
    (folder.path / "state.duckdb.locks").mkdir()
    return folder


def contents(folder):
    """The bytes of every file in a folder and below, by path."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_declarations_that_the_user_edited_survive(tmp_path, folder):
    """They name a warehouse of the user's, which the demo does not touch either."""
    shop = tmp_path / "shop"
    shop.mkdir()
    with duckdb.connect(str(shop / "warehouse.duckdb")) as connection:
        connection.execute("create table customers as select 1 as customer_id, 'a@b.example' email")
    new_demo_project(folder)
    edited = folder.declarations / "warehouse.yaml"
    edited.write_text(edited.read_text().replace("../warehouse.duckdb", "../../shop/warehouse.duckdb"))
    before = contents(tmp_path)

    with pytest.raises(NotTheDemoError, match=r"warehouse\.yaml has changed.*Nothing was deleted"):
        new_demo_project(folder)

    assert contents(tmp_path) == before


def test_a_file_of_the_users_in_the_demos_folder_stops_it(folder):
    """Files that are in nobody's way do not."""
    folder.path.mkdir()
    (folder.path / "notes.txt").write_text("mine")
    folder.warehouse.write_text("mine too")

    with pytest.raises(NotTheDemoError, match=r"warehouse\.duckdb was not made by the demo"):
        new_demo_project(folder)

    assert folder.warehouse.read_text() == "mine too"
    assert (folder.path / "notes.txt").read_text() == "mine"


def test_the_declarations_name_the_demos_own_folder_and_its_emulator(folder):
    """`dinmo status` and the Dagster UI show what the demo wrote. A second demo replaces the first."""
    new_demo_project(folder)
    project = new_demo_project(folder, "http://127.0.0.1:8099")
    assert (project.source.path, project.state.database) == (folder.warehouse, str(folder.state))
    assert {key: each.base_url for key, each in project.destinations.items()} == {
        DESTINATION: "http://127.0.0.1:8099"
    }


def test_a_second_demo_replaces_the_first_and_keeps_the_users_files(folder):
    """Notes in the demo's folder stay."""
    made(folder)
    (folder.path / "notes.txt").write_text("mine")
    folder.clear()
    assert {path.name for path in folder.path.iterdir()} == {"made-by-dinmo-demo.json", "notes.txt"}


def test_a_killed_demo_does_not_block_the_next_one(folder):
    """A file is listed before it exists, so half a file is deleted too."""
    folder.clear()

    class KilledError(Exception):
        pass

    def build():
        folder.warehouse.write_text("half a file")
        raise KilledError

    with pytest.raises(KilledError), folder.making(folder.warehouse):
        build()
    folder.clear()
    assert not folder.warehouse.exists()


def put_own_warehouse(folder):
    """Put the user's warehouse in the place of the demo's."""
    folder.warehouse.unlink()
    with duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create table customers as select 1 as customer_id")


def add_table(folder):
    """Create the user's table in the demo's warehouse."""
    with duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create table mine as select 1 as one")


def link_warehouse(folder):
    """Replace the demo's warehouse with a link to the user's."""
    other = folder.path.parent / "other.duckdb"
    folder.warehouse.rename(other)
    folder.warehouse.symlink_to(other)


def sync_elsewhere(folder):
    """Sync the user's destination into the demo's state."""
    with duckdb.connect(str(folder.state)) as connection:
        connection.execute("insert into dinmo.workspaces values ('intercom_main')")


def garble_state(folder):
    """Make the state unreadable."""
    folder.state.write_bytes(b"not a database")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_own_warehouse, r"warehouse\.duckdb has changed since the demo made it"),
        (add_table, r"warehouse\.duckdb has changed since the demo made it"),
        (link_warehouse, r"warehouse\.duckdb was not made by the demo"),
        (sync_elsewhere, r"state\.duckdb holds tagged contacts of destination 'intercom_main'"),
        (garble_state, r"Cannot read .*state\.duckdb"),
        (lambda folder: (folder.path / "made-by-dinmo-demo.json").unlink(), "not made by the demo"),
    ],
)
def test_nothing_is_deleted_when_the_user_changed_a_file(folder, change, message):
    """The demo refuses as a whole."""
    made(folder)
    change(folder)
    before = contents(folder.path.parent)
    with pytest.raises(NotTheDemoError, match=message):
        folder.clear()
    assert contents(folder.path.parent) == before
