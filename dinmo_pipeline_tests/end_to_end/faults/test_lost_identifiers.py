"""Identifiers that vanish upstream or change their type: what a person sees, and how to release it."""

import json

import duckdb
import pytest

PEOPLE = [f"user{number:03}@example.com" for number in range(200)]


@pytest.fixture
def synced(company):
    """Two hundred members, all tagged; thirty rows never had an email."""
    company.people(*PEOPLE)
    company.members([*PEOPLE, *[None] * 30])
    company.synced()
    return company


def test_a_plan_reports_it_and_writes_nothing(synced, dinmo):
    """Exit code 3 and the same reason. The next sync still compares with what was applied."""
    synced.members([*PEOPLE[20:], *[None] * 50])
    before = synced.rows("FROM dinmo.membership_sizes ORDER BY materialized_at")
    planned = dinmo("plan", "vip", "--json")
    assert planned.code == 3
    assert synced.rows("FROM dinmo.membership_sizes ORDER BY materialized_at") == before
    found = json.loads(planned.out)["vip"]
    assert found["status"] == "held"
    told = dinmo("sync", "vip")
    assert told.code == 3
    assert "vip: 20 more rows have no identifier of their own than in the reading last" in told.err
    assert (
        f"vip: held. {found['reason']} Nothing was applied. If the removal is intended, run"
        " `dinmo sync vip --allow-large-removal`, or launch apply_tag_changes with"
        " allow_large_removal: true. A smaller change set is released by itself.\n"
    ) in told.err
    assert synced.tagged() == set(PEOPLE)
    assert dinmo("sync", "vip", "--allow-large-removal").code == 0
    assert synced.tagged() == set(PEOPLE[20:])
    assert dinmo("plan", "vip").code == 0


def test_the_checks_explain_it(synced):
    """In the UI: what changed in the rows, and why nothing is applied."""
    synced.members([*PEOPLE[20:], *[None] * 50])
    run = (
        synced.definitions()
        .resolve_job_def("sync_membership")
        .execute_in_process(instance=synced.instance, partition_key="vip")
    )
    checks = {each.check_name: each for each in run.get_asset_check_evaluations()}
    identifiers, guard = checks["usable_identifiers"], checks["removal_guard"]
    assert not identifiers.passed
    assert identifiers.description.startswith("20 more rows have no identifier of their own than in")
    assert identifiers.metadata["null_identifiers"].value == 50
    assert identifiers.metadata["identifier_type"].value == "VARCHAR"
    assert not guard.passed
    assert "max_unidentified_share allows 5%" in guard.description
    assert "--allow-large-removal" in guard.description


def _as_ids(company, type_, values):
    with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
        connection.execute(f"CREATE OR REPLACE TABLE vip (customer_id {type_})")
        connection.executemany("INSERT INTO vip VALUES (?)", [[value] for value in values])


def test_a_changed_type_is_held_and_named(company):
    """007 becomes 7 for a tenth of the ids, although nobody left."""
    ids = [f"{number:03}" for number in range(90, 190)]
    company.people(*({"external_id": each} for each in ids))
    company.activate("vip", match_by="user_id", column="customer_id")
    company.declared["activations"]["vip"]["guards"] = {"max_unidentified_share": 0.04}
    _as_ids(company, "VARCHAR", [*ids, "190", "191"])
    company.synced()
    # Eleven are gone, and ten are now written differently.
    _as_ids(company, "INTEGER", ids[:-1])
    outcome = company.sync()
    assert outcome.status == "held"
    assert "The identifier's type changed from VARCHAR to INTEGER since" in outcome.reason
    assert company.tagged("VIP") == set(ids)


def test_a_column_that_cannot_identify_people_is_refused(company, dinmo):
    """An email column that became a list or JSON is an error, and nobody is untagged."""
    company.people(PEOPLE[0])
    company.members(PEOPLE[:1])
    company.synced()
    with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
        connection.execute("ALTER TABLE vip ALTER email TYPE VARCHAR[] USING [email]")
    planned = dinmo("plan", "vip")
    assert (planned.code, planned.out) == (1, "")
    assert "The column 'email' is VARCHAR[], which cannot identify people." in planned.err
    outcome = company.sync()
    assert outcome.status == "failed"
    assert "is VARCHAR[], which cannot" in outcome.reason
    assert company.tagged() == {PEOPLE[0]}
