"""Forget: a person is erased from tables, history, and the bytes of the file; everything else stays."""

import json

import duckdb
import pytest

ANA, BEN, CLEO = (f"{name}@example.com" for name in ("ana.the.first", "ben", "cleo"))
ANA_ID = "customer-4711"
TABLES = (
    *("segment_membership", "membership_departures", "membership_changes", "missing_members"),
    *("contacts", "tagged_contacts", "change_log"),
)


@pytest.fixture
def known(company):
    """Ana and Ben carry the tags of an activation by email and of one by user id; Cleo carries none."""
    company.people({"email": ANA, "external_id": ANA_ID}, {"email": BEN, "external_id": "customer-2"})
    company.activate("ids", match_by="user_id", column="customer_id")
    company.members([(ANA, ANA_ID), (BEN, "customer-2")], "ids")
    company.members([ANA, BEN, CLEO])
    company.synced("ids")
    company.synced()
    company.calls()


def rows_naming(company, *words):
    """The number of rows of each table that contain one of the words in any column."""
    found = {}
    for table in TABLES:
        anywhere = " OR ".join(f"contains(lower(row::VARCHAR), lower('{word}'))" for word in words)
        ((count,),) = company.rows(f"SELECT count(*) FROM dinmo.{table} AS row WHERE {anywhere}")
        found[table] = count
    return {table: count for table, count in found.items() if count}


def bytes_of(company):
    """The bytes of the state's files."""
    files = [path for path in company.folder.glob("state.duckdb*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("given", [f"  {ANA.upper()} ", ANA_ID])
@pytest.mark.usefixtures("known")
def test_a_person_is_erased_by_email_or_user_id(company, dinmo, given):
    """Tags come off first. The person appears in no table, no byte of the file, and no output."""
    assert rows_naming(company, ANA, ANA_ID)
    assert ANA.encode() in bytes_of(company)
    assert ANA_ID.encode() in bytes_of(company)
    printed = dinmo("forget", given, "--json")
    assert printed.code == 0
    done = json.loads(printed.out)
    assert done["untagged"] == 2
    assert done["erased"]["segment_membership"] == 2
    assert done["erased"]["tagged_contacts"] == 2
    assert done["erased"]["contacts"] == 1
    assert done["erased"]["change_log"] == 2
    assert company.calls() == {"DELETE /contacts/{id}/tags/{tag_id}": 2}
    assert company.tagged() == company.tagged("IDS") == {BEN}
    assert rows_naming(company, ANA, ANA_ID) == {}
    assert ANA.encode() not in bytes_of(company)
    assert ANA_ID.encode() not in bytes_of(company)
    assert "ana.the" not in (printed.out + printed.err).lower()
    assert "comes back with the next sync" in printed.err


@pytest.mark.usefixtures("known")
def test_a_person_who_only_left_or_was_never_found_is_erased_from_history(company, dinmo):
    """Cleo has left, and was never in Intercom."""
    company.members([ANA, BEN])
    company.synced()
    assert set(rows_naming(company, CLEO)) == {"membership_departures", "missing_members"}
    assert CLEO.encode() in bytes_of(company)
    done = json.loads(dinmo("forget", CLEO, "--json").out)
    assert done["erased"]["membership_departures"] == 1
    assert (done["untagged"], done["api_calls"]) == (0, 0)
    assert rows_naming(company, CLEO) == {}
    assert CLEO.encode() not in bytes_of(company)


@pytest.mark.usefixtures("known")
def test_the_rest_of_the_state_is_as_before(company, dinmo):
    """Including comments, keys, and numbers. The file is private, and the next sync goes on."""
    describe = "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'dinmo' ORDER BY ALL"
    before = company.rows(describe)
    ((number,),) = company.rows("SELECT max(touched) FROM dinmo.contacts")
    assert dinmo("forget", CLEO).code == 0
    assert company.rows(describe) == before
    path = company.folder / "state.duckdb"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in company.folder.glob(".dinmo-*")] == []
    with duckdb.connect(str(path)) as connection:
        ((following,),) = connection.execute("SELECT nextval('dinmo.touches')").fetchall()
    assert following > number
    company.members([ANA, BEN])
    outcome = company.synced()
    assert (outcome.numbers.to_tag, outcome.numbers.to_untag, outcome.numbers.api_calls) == (0, 0, 1)


@pytest.mark.usefixtures("known")
def test_a_person_who_is_still_in_the_warehouse_comes_back(company, dinmo):
    """So people should be deleted there first."""
    dinmo("forget", ANA)
    company.synced()
    assert company.tagged() == {ANA, BEN}


@pytest.mark.usefixtures("known")
def test_tags_can_be_kept(company, dinmo):
    """They will stay on forever."""
    done = json.loads(dinmo("forget", ANA, "--keep-tags", "--json").out)
    assert (done["untagged"], done["kept_tags"]) == (0, 2)
    assert company.calls() == {}
    assert company.tagged() == {ANA, BEN}
    assert rows_naming(company, ANA) == {}


@pytest.mark.usefixtures("known")
def test_nothing_is_erased_when_a_tag_cannot_be_taken_off(company, dinmo):
    """Only its ledger row knows of it."""
    company.faults({"match": {"method": "DELETE"}, "kind": "status", "status": 422})
    printed = dinmo("forget", ANA)
    assert printed.code == 1
    assert "Traceback" not in printed.err
    assert rows_naming(company, ANA)["tagged_contacts"] == 1


def test_an_unknown_person_erases_nothing(dinmo):
    """It says so, reports zero rows, and fails: a misspelt request to be erased is not done."""
    printed = dinmo("forget", "nobody@example.com", "--json")
    done = json.loads(printed.out)
    assert (printed.code, done["status"]) == (1, "not_found")
    assert printed.err.startswith("Not found: the state has nobody with this email or user id")
    assert set(done["erased"].values()) == {0}
