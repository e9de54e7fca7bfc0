"""Types that the driver does not know, on a server that has PostgreSQL's own extensions.

The wheel's server has none of them; Debian's has. Elsewhere these tests are skipped.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

import pytest

from dinmo_pipeline_tests.segments.engines import PostgresEngine

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _as_its_user(*words: str | Path) -> None:
    """Run one of PostgreSQL's programs, which refuse to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, *map(str, words)], check=True, capture_output=True, timeout=60, cwd="/")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URI of a server with extensions."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL with its extensions is not installed (on Debian: apt-get install postgresql)")
    folder = Path(mkdtemp(prefix="pg", dir="/tmp"))  # the path of a socket must be short
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    try:
        _as_its_user(PROGRAMS[0] / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        _as_its_user(PROGRAMS[0] / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            _as_its_user(PROGRAMS[0] / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def warehouse(server, company, monkeypatch):
    """The company's warehouse on that server."""
    with closing(PostgresEngine(server, "public")) as engine:
        engine.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        engine.run("CREATE EXTENSION citext", "CREATE EXTENSION ltree", "CREATE EXTENSION isn")
        engine.run(
            "CREATE DOMAIN address AS citext CHECK (value LIKE '%@%')",
            "CREATE DOMAIN private_address AS address",
            "CREATE TYPE mood AS ENUM ('ann@x.org', 'bo@x.org')",
        )
        monkeypatch.setenv("WAREHOUSE_URI", engine.uri)
        company.declared["source"] = {"type": "postgres", "uri": {"env": "WAREHOUSE_URI"}}
        yield engine


SEGMENTS = {
    "table": {"table": "vip"},
    "sql": {"sql": "SELECT * FROM vip WHERE email IS NOT NULL"},
    "where": {"model": "vip", "where": {"field": "email", "contains": "@"}},
    "where equal": {
        "model": "vip",
        "where": {"field": "email", "in": ["Ann@X.org", "bo@x.org", "ann@x.org"]},
    },
}


@pytest.mark.parametrize(
    ("type_", "segment"),
    [
        *(("citext", segment) for segment in SEGMENTS),
        *(("address", "sql"), ("private_address", "where"), ("mood", "table"), ("mood", "where equal")),
    ],
)
def test_a_type_of_an_extension_is_text(company, warehouse, dinmo, type_, segment):
    """Also as a domain over it, with and without conditions; the check says so."""
    ann = "ann@x.org" if type_ == "mood" else "Ann@X.org"
    warehouse.run(
        f"CREATE TABLE vip (email {type_})", f"INSERT INTO vip VALUES ('{ann}'), ('bo@x.org'), (NULL)"
    )
    company.people("ann@x.org", "bo@x.org", "cy@x.org")
    company.declared["models"] = {"vip": {"key": "email"}}
    company.declared["segments"]["vip"] = {"name": "VIP", **SEGMENTS[segment]}
    checked = dinmo("check", "--online")
    assert checked.code == 0
    note = "" if type_ == "mood" else "vip: the column 'email' is citext, which is read as text.\n"
    assert checked.err == note, "the driver knows enumerations"
    assert dinmo("sync", "vip").code == 0
    assert company.tagged() == {"ann@x.org", "bo@x.org"}
    assert dinmo("segments", "vip").code == 0


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text[]", "ARRAY['a']"),
        ("citext[]", "ARRAY['a'::citext]"),
        ("json", "'{}'"),
        ("money", "5"),
        ("bytea", "'a'"),
    ],
)
def test_what_is_not_one_value_identifies_nobody(company, warehouse, dinmo, type_, value):
    """Lists, JSON, money and bytes."""
    warehouse.run(f"CREATE TABLE vip (email {type_})", f"INSERT INTO vip VALUES ({value})")
    company.declared["segments"]["vip"] = {"name": "VIP", "table": "vip"}
    printed = dinmo("sync", "vip")
    assert printed.code == 1
    assert "which cannot identify people" in printed.err


@pytest.mark.parametrize(("type_", "value"), [("ltree", "a.b"), ("isbn13", "978-0-393-04002-9")])
def test_other_extensions_are_text_as_the_server_writes_it(company, warehouse, dinmo, type_, value):
    """Whatever the extension."""
    warehouse.run(f"CREATE TABLE vip (id {type_})", f"INSERT INTO vip VALUES ('{value}')")
    company.people({"external_id": value})
    company.declared["segments"]["vip"] = {"name": "VIP", "table": "vip"}
    company.declared["activations"]["vip"] = {"match_by": "user_id", "column": "id"}
    assert dinmo("sync", "vip").code == 0
    assert company.tagged() == {value}
