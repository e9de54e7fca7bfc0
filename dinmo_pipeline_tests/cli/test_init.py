"""`dinmo init`: a project whose first check passes, and nothing overwritten."""

import os
import pty
import subprocess
import sys

import duckdb
import pytest
import yaml

from dinmo_pipeline.cli import main
from dinmo_pipeline.config import load_project


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run `dinmo` in a folder that names no project, without a terminal; code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("DINMO_CONFIG", "DAGSTER_HOME", "INTERCOM_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    environment = dict(os.environ)
    monkeypatch.setattr("sys.stdin", None)

    def call(*words):
        os.environ.clear()
        os.environ.update(environment)
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(list(words))
        return (exit_.value.code, *capfd.readouterr())

    yield call
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def warehouse(tmp_path):
    """A DuckDB file of a company that nobody told us about."""
    path = tmp_path / "company.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table events as select 1 as id, 'a@b.example' as actor_email")
        connection.execute("create schema marts")
        connection.execute(
            'create table marts."dim_users" as select 7 as user_id, \'a@b.example\' as "E_Mail"'
        )
        connection.execute("create table orders as select 1 as order_id, 7 as user_id")
    return path


def files_in(folder):
    """The bytes of every file, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_tables_of_a_duckdb_file_become_declarations_that_pass(run, warehouse, tmp_path):
    """Found in the new folder by every command, with its `.env`; Dagster's runs stay in it."""
    code, out, err = run("init", "crm", "--source", f"duckdb:{warehouse.name}")
    assert (code, err) == (0, "")
    assert out.endswith("Next: cd crm && dinmo dev --emulator\n")
    made = tmp_path / "crm"
    project = load_project(made / "dinmo.yaml")
    assert project.source.path == warehouse
    model = project.models["dim_users"]
    assert (model.table, model.primary_key) == ("marts.dim_users", "user_id")
    activation = project.activations["all_dim_users"]
    assert (activation.column, activation.match_by) == ("E_Mail", "email")
    first, *_ = (made / "dinmo.yaml").read_text().splitlines()
    assert first == "# yaml-language-server: $schema=dinmo.schema.json"
    assert (made / "dinmo.schema.json").exists()
    ignored = (made / ".gitignore").read_text().splitlines()
    assert {".env", ".dagster/", "*state.duckdb*"} <= set(ignored)
    assert (made / ".env").stat().st_mode & 0o077 == 0
    assert (made / "dagster.yaml").read_text() == (made / ".dagster" / "dagster.yaml").read_text()
    assert not os.environ.get("INTERCOM_ACCESS_TOKEN")
    os.chdir(made)
    code, out, err = run("check")
    assert code == 0
    assert out.startswith("The declarations are valid: 1 segment, 1 activation, 1 destination.\n")
    assert err == "Declarations: dinmo.yaml and .env\n"


def test_what_a_person_names_wins(run, warehouse, tmp_path):
    """For other tables, other columns, and a real workspace."""
    options = ("--table", "orders", "--column", "user_id", "--match-by", "user_id", "--region", "eu")
    code, out, err = run("init", "--source", f"duckdb:{warehouse}", *options)
    assert (code, err) == (0, "")
    assert out.endswith("Next: set the variables in .env, then dinmo check --online\n")
    project = load_project(tmp_path / "dinmo.yaml")
    assert project.models["orders"].table == "orders"
    assert project.destinations["intercom"].region == "eu"
    assert project.destinations["intercom"].base_url is None


def test_a_person_is_asked_for_what_is_open(warehouse, tmp_path):
    """On a terminal; Enter takes what the file itself proposes."""
    ours, theirs = pty.openpty()
    answers = f"duckdb\n{warehouse}\n\n\n\nuser_id\nlocal\n"
    os.write(ours, answers.encode())
    asked = subprocess.run(
        [sys.executable, "-m", "dinmo_pipeline.cli", "init", "asked"],
        cwd=tmp_path,
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert asked.returncode == 0, asked.stderr
    assert "Table of users [marts.dim_users]:" in asked.stderr
    assert asked.stdout.lstrip().startswith("Made dinmo.yaml")  # click before 8.2 prints spaces there
    project = load_project(tmp_path / "asked" / "dinmo.yaml")
    assert project.models["dim_users"].primary_key == "user_id"


def test_a_remote_warehouse_is_declared_by_the_name_of_its_variable(run, tmp_path):
    """Its URI has a password, so no file but `.env` may hold it."""
    names = ("--table", 'analytics."Our Users"', "--column", "e-mail: work", "--key", "no")
    assert run("init", "--source", "postgres", *names)[0] == 0
    project = load_project(tmp_path / "dinmo.yaml")
    assert project.source.uri.name == "WAREHOUSE_URI"
    assert project.models["our_users"].table == 'analytics."Our Users"'
    assert project.models["our_users"].primary_key == "no"
    assert project.activations["all_our_users"].column == "e-mail: work"
    assert "WAREHOUSE_URI=" in (tmp_path / ".env").read_text()


@pytest.mark.usefixtures("warehouse")
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "Name your warehouse with --source"),
        (("--source", "duckdb"), "Where is it?"),
        (("--source", "duckdb:gone.duckdb"), "There is no file"),
        (("--source", "oracle"), "'oracle' is not a kind of source. Choose from duckdb"),
        (("--source", "postgres:postgresql://u:p@h/d"), "A postgres source has no path."),
        (("--source", "postgres"), "Name the table of your users with --table"),
        (("--source", "duckdb:company.duckdb", "--table", "gone"), "There is no table 'gone'"),
        (("--source", "duckdb:company.duckdb", "--table", "orders"), "looks like an email"),
        (("--sample", "--table", "x"), "--sample brings its own source"),
        (("--component", "crm", "--source", "duckdb:company.duckdb"), "Run this in the folder of a `dg`"),
    ],
)
def test_what_cannot_be_made_says_why_and_writes_nothing(run, tmp_path, words, problem):
    """Without a terminal it never waits for an answer (dbt-core#5056)."""
    before = files_in(tmp_path)
    code, out, err = run("init", *words)
    assert (code, out) == (2, "")
    assert problem in err
    assert files_in(tmp_path) == before


def test_nothing_is_overwritten(run, warehouse, tmp_path):
    """Declarations refuse the whole; other files stay, and two of them get only what they lack."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    (tmp_path / ".env").write_text("MINE=1\nINTERCOM_ACCESS_TOKEN='mine'")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".gitignore").write_text("/.env\nmine")
    before = files_in(tmp_path)
    code, out, _ = run("init", "--source", f"duckdb:{warehouse}")
    assert code == 0
    assert "Added lines to .env, .gitignore." in out
    assert "Kept dagster.yaml" in out
    after = files_in(tmp_path)
    changed = {name for name, content in before.items() if after[name] != content}
    assert changed == {".gitignore", ".env"}
    mine, token, home = after[".env"].decode().splitlines()
    assert (mine, token) == ("MINE=1", "INTERCOM_ACCESS_TOKEN='mine'")
    assert home == f"DAGSTER_HOME='{tmp_path / '.dagster'}'"
    assert after[".gitignore"].decode().splitlines()[:3] == ["/.env", "mine", ".dagster/"]
    assert not (tmp_path / "reverse_etl").exists()
    code, _, err = run("init", "--source", f"duckdb:{warehouse}")
    assert code == 2
    assert "`dinmo init` overwrites nothing, and there is already dinmo.yaml" in err
    assert files_in(tmp_path) == after


def test_the_sample_is_a_project_of_ones_own(run, tmp_path):
    """The demo's shop and its declarations, with nothing outside of the folder."""
    assert run("init", "shop", "--sample")[0] == 0
    project = load_project(tmp_path / "shop" / "declarations")
    assert project.source.path == tmp_path / "shop" / "warehouse.duckdb"
    assert project.state.database == str(tmp_path / "shop" / "state.duckdb")
    assert len(project.activations) > 3
    os.chdir(tmp_path / "shop")
    assert run("segments", "vip_customers", "--json")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"shop"}


def test_a_component_goes_into_an_existing_dg_project(run, warehouse, tmp_path):
    """The declarations are beside its defs.yaml, where `dinmo` finds them."""
    (tmp_path / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "mine"\n')
    defs = tmp_path / "src" / "mine" / "defs"
    defs.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    code, _, err = run("init", "--component", "crm", "--source", f"duckdb:{warehouse}")
    assert (code, err) == (0, "")
    read = yaml.safe_load((defs / "crm" / "defs.yaml").read_text())
    assert read == {
        "type": "dinmo_pipeline.SegmentActivationsComponent",
        "attributes": {
            "declarations": "segments/",
            "name": "crm",
            "translation": {"key_prefix": ["crm"], "group_name": "crm"},
        },
    }
    project = load_project(defs / "crm" / "segments")
    assert (project.source.path, project.source.finds_upstream) == (warehouse, True)
    assert project.state.database == str(tmp_path / "crm_state.duckdb")
    os.chdir(defs)
    code, _, err = run("check")
    assert (code, err) == (0, f"Declarations: crm/segments and {tmp_path / '.env'}\n")
    code, _, err = run("init", str(tmp_path), "--component", "crm", "--source", f"duckdb:{warehouse}")
    assert code == 2
    assert "crm" in err
