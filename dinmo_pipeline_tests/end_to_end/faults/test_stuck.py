"""Stuck members: refused in several syncs in a row, and shown until it works."""

import json

import dagster as dg
import pytest

ANA, BEN, CLEO = (f"{name}@example.com" for name in ("ana", "ben", "cleo"))


@pytest.fixture
def refusing(company):
    """Intercom refuses untagging. Ana and Ben carry a tag, and Ana has left."""
    company.declared["activations"]["vip"] = {"guards": {"max_failed_share": 1}}
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.members([BEN])
    company.faults(
        {
            "match": {"method": "DELETE", "route": "/contacts/{id}/tags/{tag_id}"},
            "kind": "status",
            "status": 422,
        }
    )


def stuck(dinmo):
    """The number of stuck members in `dinmo status`."""
    return json.loads(dinmo("status", "--json").out)["vip"]["stuck"]


@pytest.mark.usefixtures("refusing")
def test_a_member_refused_three_times_in_a_row_is_stuck_until_it_works(company, dinmo):
    """The log has the reason and Intercom's request id for each time."""
    seen = []
    for _ in range(3):
        company.synced()
        seen.append(stuck(dinmo))
    assert seen == [0, 0, 1]
    printed = dinmo("status")
    assert "vip: stuck. 1 member is stuck: Intercom refused" in printed.out
    assert ANA not in printed.out
    logged = company.rows(
        "SELECT reason, request_id IS NOT NULL FROM dinmo.change_log WHERE outcome = 'failed'"
    )
    assert len(logged) == 3
    assert all(reason.startswith("422") and has_id for reason, has_id in logged)
    company.faults()
    company.synced()
    assert stuck(dinmo) == 0
    assert company.tagged() == {BEN}


@pytest.mark.usefixtures("refusing")
def test_the_asset_check_counts_stuck_members(company):
    """As a sentence for a person, and as a number to plot."""
    for _ in range(3):
        company.synced()
    evaluation = carried_out(company)
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert evaluation.metadata["stuck"].value == 1
    assert "1 member is stuck" in evaluation.description


@pytest.mark.usefixtures("refusing")
def test_a_failed_sync_shows_its_check_too(company):
    """Otherwise the UI would show the check of the last successful sync."""
    company.declared["activations"]["vip"] = {"guards": {"max_failed_share": 0}}
    outcome = company.sync()
    assert outcome.status == "failed"
    assert outcome.numbers.failed == 1
    evaluation = carried_out(company)
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert evaluation.partition == "vip"
    assert evaluation.metadata["failed"].value == 1
    assert evaluation.description == outcome.reason


def carried_out(company):
    """The newest evaluation of the check."""
    key = dg.AssetCheckKey(dg.AssetKey("intercom_tags"), "changes_carried_out")
    (record,) = company.instance.event_log_storage.get_asset_check_execution_history(key, 1)
    return record.event.dagster_event.event_specific_data


@pytest.mark.usefixtures("refusing")
def test_a_member_who_came_back_to_the_segment_is_not_stuck(company, dinmo):
    """Nothing is to be done for them any more."""
    for _ in range(3):
        company.synced()
    company.members([ANA, BEN])
    company.synced()
    assert stuck(dinmo) == 0
