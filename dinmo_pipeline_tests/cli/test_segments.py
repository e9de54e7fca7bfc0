"""`dinmo segments`: sizes, masked samples, SQL, overlaps, and sizes over time."""

import json

import duckdb
import pytest

PEOPLE = [(1, "Ana@example.com", "FR"), (2, "ben@example.com", "BE"), (3, "cleo@shop.org", "FR")]


@pytest.fixture
def shop(company):
    """Three segments by email, and one by customer id; `french` is activated."""
    with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
        connection.execute("CREATE TABLE customers (customer_id INTEGER, email VARCHAR, country VARCHAR)")
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", PEOPLE)
        connection.execute("INSERT INTO customers VALUES (4, NULL, 'FR'), (5, ' ', 'FR')")
        connection.execute("INSERT INTO customers VALUES (6, ' ana@example.COM ', 'FR')")
        connection.execute("CREATE TABLE trialists AS SELECT 'ana@example.com' AS email")
    company.declared["models"] = {"customers": {"key": "customer_id"}}
    company.declared["segments"] = {
        "french": {
            "name": "Lives in France",
            "description": "By the country of the account.",
            "model": "customers",
            "where": {"field": "country", "equals": "FR"},
        },
        "everybody": {"sql": "select customer_id, email from customers"},
        "trial": {"table": "trialists"},
        "belgian": {"model": "customers", "where": {"field": "country", "equals": "BE"}},
    }
    company.declared["activations"] = {"french": {}, "france": {"segment": "french", "name": "F"}}
    return company


def test_the_list_has_every_segment_with_its_size_and_use(shop, dinmo):
    """The size counts distinct usable identifiers of the column that is sent, or else of the model's key."""
    printed = dinmo("segments", "--json")
    assert printed.code == 0
    rows = json.loads(printed.out)
    sizes = {key: (row["kind"], row["column"], row["members"]) for key, row in rows.items()}
    assert sizes == {
        "french": ("where", "email", 2),
        "everybody": ("sql", "email", 3),
        "trial": ("table", "email", 1),
        "belgian": ("where", "customer_id", 1),
    }
    assert rows["french"]["activations"] == ["french", "france"]
    table = dinmo("segments").out
    assert "By the country of the account." in table
    assert "french, france" in table
    assert not (shop.folder / "state.duckdb").exists()


@pytest.mark.usefixtures("shop")
def test_one_segment_is_shown_with_sample_sql_and_overlaps(dinmo):
    """No identifier is shown in full, neither in the terminal nor in JSON."""
    found = json.loads(dinmo("segments", "french", "--json").out)
    assert found["members"] == 2
    assert sorted(found["sample"]) == ["a***@e***.com", "c***@s***.org"]
    assert found["sql"].splitlines()[0] == "SELECT"
    assert found["overlap"] == {
        "everybody": {"in_both": 2, "share": 1.0, "members": 3, "share_of_other": 0.6667},
        "trial": {"in_both": 1, "share": 0.5, "members": 1, "share_of_other": 1.0},
        "belgian": {"in_both": 0, "share": 0.0, "members": 1, "share_of_other": 0.0},
    }
    printed = dinmo("segments", "french")
    assert "2 members by email" in printed.out
    assert "50.0%" in printed.out
    assert "No sync has recorded its size yet." in printed.out
    for _, email, _ in PEOPLE:
        assert email.lower() not in printed.out.lower()


@pytest.mark.usefixtures("shop")
def test_segments_of_another_identifier_are_left_out_of_the_overlaps(dinmo):
    """The table of trialists has only emails, so it is left out, with a message."""
    printed = dinmo("segments", "belgian", "--json")
    assert printed.code == 0
    assert set(json.loads(printed.out)["overlap"]) == {"french", "everybody"}
    assert printed.err == ("trial: no overlap; it has no such column, or does not compile.\n")


def test_the_sizes_of_the_last_syncs_are_shown(shop, dinmo):
    """They are listed by activation of the segment, the oldest first."""
    with shop.state.transaction() as connection:
        for hour in range(12):
            connection.execute(
                "INSERT INTO dinmo.membership_sizes"
                f" VALUES ('france', '2026-03-01 {hour:02}:00:00Z', 'email', {hour},"
                " 0,0,0,0,0,0,0, NULL, NULL, false, NULL)"
            )
    sizes = json.loads(dinmo("segments", "french", "--json").out)["sizes"]
    assert sizes["french"] == []
    assert [row["members"] for row in sizes["france"]] == list(range(2, 12))
    assert "2026-03-01 11:00 UTC" in dinmo("segments", "french").out


def test_a_segment_that_does_not_fit_is_reported_and_the_others_are_listed(shop, dinmo):
    """The report is the same as for any error in the declarations."""
    shop.declared["segments"]["wrong"] = {
        "model": "customers",
        "where": {"field": "contry", "equals": "FR"},
    }
    shop.declared["segments"]["broken"] = {"sql": "select nothing from nowhere"}
    printed = dinmo("segments", "--json")
    assert printed.code == 2
    rows = json.loads(printed.out)
    assert rows["wrong"]["members"] is None
    assert rows["french"]["members"] == 2
    assert "Perhaps you meant 'country'." in printed.err
    assert "nowhere" in printed.err
    assert dinmo("segments", "wrong").code == 2
    assert dinmo("segments", "french").code == 0


@pytest.mark.usefixtures("shop")
def test_an_unknown_segment_is_wrong_usage(dinmo):
    """The message names the nearest one."""
    printed = dinmo("segments", "frensh")
    assert printed.code == 2
    assert "There is no segment 'frensh'. Perhaps you meant 'french'." in printed.err


def test_without_a_source_the_error_is_the_usual_one(dinmo):
    """It is one sentence, and the exit code is 1."""
    printed = dinmo("segments")
    assert printed.code == 1
    assert "warehouse.duckdb" in printed.err
