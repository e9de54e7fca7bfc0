"""The demo deletes nothing that it did not make."""

import shutil
from io import StringIO

import duckdb
import pytest
from rich.console import Console

from dinmo_pipeline.demo.folder import DemoFolder, NotTheDemoError
from dinmo_pipeline.demo.story import DECLARATIONS, DESTINATION, FOLDER, demo_project, tell_story


@pytest.fixture
def folder(tmp_path):
    """A folder of the demo that is not there yet."""
    return DemoFolder(tmp_path / ".demo", DESTINATION)


def made(folder):
    """The folder after a demo: a warehouse, a state that knows the demo's destination, its locks."""
    folder.clear()
    with folder.making(folder.warehouse), duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create table customers as select 1 as customer_id")
    with folder.making(folder.state), duckdb.connect(str(folder.state)) as connection:
        connection.execute("create schema dinmo")
        connection.execute(f"create table dinmo.workspaces as select '{DESTINATION}' destination")
    (folder.path / "state.duckdb.locks").mkdir()
    return folder


def contents(folder):
    """Each file of a folder and below, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_persons_warehouse_and_the_files_beside_it_survive(tmp_path, folder):
    """Declarations edited in place: the demo's destination, a person's own warehouse."""
    shop = tmp_path / "shop"
    shop.mkdir()
    with duckdb.connect(str(shop / "warehouse.duckdb")) as connection:
        connection.execute("create table customers as select 1 as customer_id, 'a@b.example' email")
    (shop / "contract.txt").write_text("signed")
    declarations = tmp_path / "declarations"
    shutil.copytree(DECLARATIONS, declarations)
    edited = declarations / "warehouse.yaml"
    text = edited.read_text().replace("../../../.demo/", "../shop/")
    assert text != edited.read_text()
    edited.write_text(text)
    before = contents(shop)

    with pytest.raises(NotTheDemoError, match=r"no longer the demo's.*Nothing was deleted"):
        demo_project(declarations, folder)

    assert contents(shop) == before


def test_the_story_plays_in_its_own_folder_whatever_is_declared(tmp_path, folder, intercom):
    """Even handed a project that reads a person's warehouse, it goes to its own folder."""
    project = demo_project(DECLARATIONS, FOLDER)
    (tmp_path / ".demo").mkdir()
    (tmp_path / ".demo" / "notes.txt").write_text("mine")
    foreign = tmp_path / ".demo" / "warehouse.duckdb"
    foreign.write_text("mine too")

    with pytest.raises(NotTheDemoError, match=r"warehouse\.duckdb was not made by the demo"):
        tell_story(project, folder, {}, intercom, Console(file=StringIO()))

    assert foreign.read_text() == "mine too"
    assert (tmp_path / ".demo" / "notes.txt").read_text() == "mine"


def test_the_declared_folder_is_the_demos_own():
    """What `dinmo status` and the Dagster UI read after a demo is what the demo wrote."""
    project = demo_project(DECLARATIONS, FOLDER)
    assert project.source.path == FOLDER.warehouse


def test_what_the_demo_made_is_replaced_and_the_rest_is_kept(folder):
    """A second demo starts afresh beside a person's notes."""
    made(folder)
    (folder.path / "notes.txt").write_text("mine")
    folder.clear()
    assert {path.name for path in folder.path.iterdir()} == {"made-by-dinmo-demo.json", "notes.txt"}


def test_a_demo_that_was_killed_leaves_nothing_in_the_way(folder):
    """A file that was begun is listed before it is there."""
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
    """A person's warehouse in the place of the demo's."""
    folder.warehouse.unlink()
    with duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create table customers as select 1 as customer_id")


def add_table(folder):
    """A person's table in the demo's warehouse."""
    with duckdb.connect(str(folder.warehouse)) as connection:
        connection.execute("create table mine as select 1 as one")


def link_warehouse(folder):
    """A link to a person's warehouse in the place of the demo's."""
    other = folder.path.parent / "other.duckdb"
    folder.warehouse.rename(other)
    folder.warehouse.symlink_to(other)


def sync_elsewhere(folder):
    """A sync of a person's destination into the demo's state."""
    with duckdb.connect(str(folder.state)) as connection:
        connection.execute("insert into dinmo.workspaces values ('intercom_main')")


def garble_state(folder):
    """A state that nothing can read."""
    folder.state.write_bytes(b"not a database")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_own_warehouse, r"warehouse\.duckdb was changed since the demo made it"),
        (add_table, r"warehouse\.duckdb was changed since the demo made it"),
        (link_warehouse, r"warehouse\.duckdb was not made by the demo"),
        (sync_elsewhere, r"holds the ledger of destination 'intercom_main'"),
        (garble_state, r"state\.duckdb cannot be read"),
        (lambda folder: (folder.path / "made-by-dinmo-demo.json").unlink(), "not made by the demo"),
    ],
)
def test_what_a_person_changed_is_not_deleted(folder, change, message):
    """Refused as a whole, with nothing deleted."""
    made(folder)
    change(folder)
    before = contents(folder.path.parent)
    with pytest.raises(NotTheDemoError, match=message):
        folder.clear()
    assert contents(folder.path.parent) == before
