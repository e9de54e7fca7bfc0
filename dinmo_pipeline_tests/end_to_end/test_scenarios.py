"""Given, when, then: forty situations, each with the test that proves what happens."""

import ast
from pathlib import Path

import pytest
import requests

ANA, BEN, CLEO = (f"{name}@example.com" for name in ("ana", "ben", "cleo"))
TESTS = Path(__file__).parent.parent

# Scenario number: the tests elsewhere that prove it, by file and name.
PROVEN_ELSEWHERE = {
    2: ["end_to_end/test_main_job.py::test_an_unchanged_sync_makes_one_call_and_no_write"],
    7: [
        "end_to_end/test_main_job.py::test_no_contact_is_created_in_intercom",
        "end_to_end/test_main_job.py::test_a_member_who_signs_up_later_is_tagged_at_the_next_sync",
    ],
    8: ["end_to_end/test_main_job.py::test_two_activations_of_one_contact_are_independent"],
    9: [
        "end_to_end/test_main_job.py::test_users_are_matched_by_user_id_exactly_as_text",
        "end_to_end/test_main_job.py::test_emails_are_matched_ignoring_case_and_outer_space",
    ],
    # design: several users of one email are all tagged by default.
    11: ["end_to_end/test_main_job.py::test_several_users_with_one_email_follow_the_setting"],
    12: ["end_to_end/test_main_job.py::test_leads_are_not_users"],
    15: ["end_to_end/test_main_job.py::test_rows_without_an_identifier_are_not_members"],
    16: [
        "state/test_membership.py::test_every_row_is_counted",
        "state/test_changes_law.py::test_changes_equal_those_of_a_plain_computation",
    ],
    17: [
        "intercom/test_contacts.py::test_all_users_of_one_address_are_found_across_pages",
        "intercom/test_contacts.py::test_pages_that_never_end_or_break_off_are_an_error",
        "intercom/test_contacts.py::test_alternatives_replace_lists_that_are_always_refused",
    ],
    19: ["end_to_end/test_reconcile.py::test_contacts_that_search_does_not_show_yet_are_not_drift"],
    # design: a deleted tag is created again, and all members are tagged again.
    24: ["end_to_end/test_main_job.py::test_a_tag_deleted_in_intercom_is_created_again_for_all_members"],
    25: [
        "end_to_end/test_main_job.py::test_a_tag_renamed_in_intercom_is_kept_by_its_id",
        "end_to_end/test_main_job.py::test_an_existing_tag_of_that_name_is_used",
    ],
    26: [
        "intercom/test_pacing.py::test_a_refusal_stops_all_calls_until_it_ends",
        "intercom/test_transport.py::test_a_429_waits_as_long_as_it_says_or_one_window",
    ],
    27: [
        "intercom/test_pacing.py::test_missing_or_odd_headers_do_no_harm",
        "intercom/test_rate_headers.py::test_an_impossible_reset_is_unknown",
    ],
    28: ["end_to_end/faults/test_faults.py::test_one_quiet_sync_repairs_what_failing_calls_left"],
    30: [
        "intercom/test_transport.py::test_errors_that_a_person_must_fix_are_reported_at_once",
        "intercom/test_transport.py::test_an_invalid_version_is_reported_at_once",
    ],
    31: [
        "end_to_end/test_main_job.py::test_refused_changes_are_retried_by_the_next_sync",
        "sync/test_tagging.py::test_one_contact_that_is_refused_does_not_hold_up_the_others",
    ],
    32: [
        "end_to_end/faults/test_kill.py::test_the_next_sync_finishes_killed_ones",
        (
            "end_to_end/faults/test_unrecorded_calls.py::"
            "test_a_member_tagged_without_record_who_left_loses_the_tag"
        ),
    ],
    33: ["state/file/test_activation_lock.py::test_a_lock_is_waited_for_and_the_wait_is_reported_once"],
    34: [
        "end_to_end/test_main_job.py::test_a_segment_that_became_empty_is_held_and_released_by_a_person",
        "end_to_end/test_main_job.py::test_a_large_removal_is_held_and_a_smaller_one_releases_itself",
        ("end_to_end/test_main_job.py::test_a_failing_query_is_a_failed_sync_and_never_an_empty_segment"),
    ],
    35: ["cli/test_commands.py::test_plan_shows_what_a_sync_would_do_and_writes_nothing"],
    # design: a tag that others put on a contact stays, even on repair.
    36: [("end_to_end/test_reconcile.py::test_a_tag_taken_off_by_hand_is_drift_and_a_strangers_tag_is_not")],
    37: ["end_to_end/test_reconcile.py::test_a_lost_state_is_rebuilt_without_a_write_to_intercom"],
    38: [
        "end_to_end/test_main_job.py::test_a_changed_match_by_leaves_tagged_members_alone",
        (
            "orchestration/test_through_dagster.py::"
            "test_a_disabled_activation_has_no_schedule_and_no_sensor_run"
        ),
    ],
    39: [
        "orchestration/alerts/test_sensor.py::test_a_failing_query_is_reported_once_and_so_is_its_recovery",
        "orchestration/alerts/test_sensor.py::test_a_refusal_by_intercom_is_reported",
        "orchestration/sensors/test_staleness.py::test_the_sensor_reports_each_activation_once_per_change",
        "orchestration/test_through_dagster.py::test_numbers_that_a_person_follows_are_numeric_metadata",
        "orchestration/test_through_dagster.py::test_no_event_holds_the_token_or_a_member",
    ],
    40: [
        "intercom/test_pacing.py::test_the_allowed_share_is_used_and_never_refused",
        "intercom/test_transport.py::test_each_call_names_its_client_version_and_accepted_type",
    ],
}


def functions_of(path):
    """The test functions of a file with their docstrings."""
    tree = ast.parse(path.read_text())
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_scenario_is_proven():
    """By a test here whose docstring begins with its number, or by existing tests elsewhere."""
    here = {
        int(number)
        for text in functions_of(Path(__file__)).values()
        if (number := text.partition(".")[0]).isdigit()
    }
    assert here | PROVEN_ELSEWHERE.keys() == set(range(1, 41))
    missing = [
        named
        for tests in PROVEN_ELSEWHERE.values()
        for named in tests
        if named.partition("::")[2] not in functions_of(TESTS / named.partition("::")[0])
    ]
    assert missing == []


def test_a_first_run_creates_the_tag_and_remembers_contacts_and_tag(company):
    """1. design: fifty users are tagged by one call, not one each."""
    ids = company.people(ANA, BEN, CLEO)
    company.members([ANA, BEN, CLEO])
    company.synced()
    calls = company.calls()
    assert calls["GET /tags"] == 1
    assert calls["POST /tags"] == 2
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    assert company.rows("SELECT tag_id, name FROM dinmo.activation_tags") == [(tag["id"], "VIP")]
    assert sorted(company.rows("SELECT contact_id FROM dinmo.tagged_contacts")) == sorted(
        (contact_id,) for contact_id in ids
    )


def test_a_member_who_left_costs_one_removal_and_no_lookup(company):
    """3. The stay is closed. The search counts who carries the tag."""
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.members([BEN])
    company.calls()
    company.synced()
    assert company.calls() == {
        "GET /tags/{id}": 1,
        "POST /contacts/search": 1,
        "DELETE /contacts/{id}/tags/{tag_id}": 1,
    }
    assert company.rows("SELECT identifier FROM dinmo.membership_departures") == [(ANA,)]


def test_a_member_who_comes_back_has_two_stays_and_the_tag(company):
    """4. Others enter and leave in the same runs."""
    company.people(ANA, BEN)
    for members in ([ANA], [BEN], [ANA, BEN]):
        company.members(members)
        company.synced()
        assert company.tagged() == set(members)
    assert company.rows(
        "SELECT identifier, count(*) FROM dinmo.membership_history GROUP BY ALL ORDER BY ALL"
    ) == [(ANA, 2), (BEN, 1)]


def test_other_tags_of_a_contact_stay(company):
    """5. Leaving takes off only our tag."""
    company.people({"email": ANA, "tags": ["Press", "Friends"]}, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.members([BEN])
    company.synced()
    assert company.tagged() == {BEN}
    assert company.tagged("Press") == company.tagged("Friends") == {ANA}


def test_contacts_that_carried_the_tag_before_keep_it_unless_members(company):
    """6. design: the tag is the segment's, so a member who carried it by hand loses it on leaving."""
    company.people({"email": ANA, "tags": ["VIP"]}, {"email": BEN, "tags": ["VIP"]}, CLEO)
    company.members([ANA, CLEO])
    company.synced()
    assert company.tagged() == {ANA, BEN, CLEO}
    company.members([CLEO])
    company.synced()
    assert company.tagged() == {BEN, CLEO}


@pytest.mark.parametrize(("match_by", "tagged"), [("user_id", {ANA}), ("email", {BEN})])
def test_match_by_decides_between_an_id_and_an_email_of_different_users(company, match_by, tagged):
    """10. design: one identifier matches, so there is no conflict."""
    company.people({"email": ANA, "external_id": "7"}, {"email": BEN, "external_id": "8"})
    column = "email" if match_by == "email" else "customer_id"
    company.declared["activations"]["vip"] = {"match_by": match_by, "column": column}
    company.members([(BEN, "7")])
    company.synced()
    assert company.tagged() == tagged


def test_a_lead_that_becomes_a_user_is_found_by_its_id(company):
    """13. A lead's own id matches nobody; a known user costs no call."""
    (lead,) = company.people({"email": ANA, "role": "lead"})
    company.declared["activations"]["vip"] = {"match_by": "user_id", "column": "customer_id"}
    company.members([(ANA, "7")])
    assert company.synced().numbers.not_in_intercom == 1
    company.intercom_call("PUT", f"/contacts/{lead}", json={"role": "user", "external_id": "7"})
    with company.state.transaction() as connection:
        connection.execute("UPDATE dinmo.missing_members SET looked_at = looked_at - INTERVAL 1 DAY")
    company.synced()
    assert company.tagged() == {ANA}


def test_plus_signs_accents_and_capitals_match(company):
    """14. They are sent as JSON, and each matches one user."""
    emails = {ANA, "ana+test@example.com", "josé@example.com"}
    company.people(*emails)
    company.members([" Ana@Example.com ", "ana+test@example.com", "JOSÉ@example.com"])
    company.synced()
    assert company.tagged() == emails


def test_a_contact_that_search_does_not_show_yet_is_tagged_when_it_does(company):
    """18. A member who is not found is not a failure."""
    url = f"{company.intercom}/_emulator/reset"
    requests.post(url, json={"index_lag_s": 3_600}, timeout=30).raise_for_status()
    company.people(ANA)
    company.members([ANA])
    assert company.synced().numbers.not_in_intercom == 1
    requests.post(url, json={"index_lag_s": 0}, timeout=30).raise_for_status()
    company.people(ANA)
    company.synced()
    assert company.tagged() == {ANA}


def test_a_contact_of_many_tags_is_tagged_once_and_untagged(company):
    """20. An answer shows ten of its tags."""
    company.people({"email": ANA, "tags": [f"tag {n}" for n in range(14)]}, BEN)
    company.members([ANA, BEN])
    company.synced()
    assert company.synced().numbers.api_calls == 1
    company.members([BEN])
    company.synced()
    assert company.tagged() == {BEN}
    assert company.tagged("tag 13") == {ANA}


def test_a_contact_archived_before_leaving_is_gone_and_not_tried_again(company):
    """21. Intercom answers the removal with 404."""
    ana, _ = company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.intercom_call("POST", f"/contacts/{ana}/archive")
    company.members([BEN])
    company.synced()
    logged = company.rows("SELECT outcome FROM dinmo.change_log WHERE change = 'left'")
    assert logged == [("gone",)]
    assert company.synced().numbers.api_calls == 1


def test_an_archived_contact_is_not_restored_but_tagged_once_it_is(company):
    """22. design: a contact that existed before is looked up again at growing intervals."""
    ana, _ = company.people(ANA, BEN)
    company.intercom_call("POST", f"/contacts/{ana}/archive")
    company.members([ANA, BEN])
    assert company.synced().numbers.not_in_intercom == 1
    assert not [call for call in company.calls() if "unarchive" in call]
    company.intercom_call("POST", f"/contacts/{ana}/unarchive")
    with company.state.transaction() as connection:
        connection.execute("UPDATE dinmo.missing_members SET looked_at = looked_at - INTERVAL 1 DAY")
    company.synced()
    assert company.tagged() == {ANA, BEN}


@pytest.mark.parametrize("version", ["2.15", "2.16"])
def test_a_merged_contact_is_found_again_by_its_identifier(company, version):
    """23. Whether or not it is known as a lead's survivor: the user with the member's email has the tag."""
    company.declared["destinations"]["main"]["api_version"] = version
    ana, other = company.people(ANA, {"email": ANA, "role": "lead"})
    company.members([ANA])
    company.synced()
    company.intercom_call("POST", "/contacts/merge", json={"from": other, "into": ana})
    company.synced()
    assert company.tagged() == {ANA}
    company.members([])
    company.sync(allow_large_removal=True)
    assert company.tagged() == set()


def test_a_token_that_expires_midway_stops_the_sync_and_keeps_what_was_done(company):
    """29. The next run makes only the remaining changes."""
    everybody = [f"user{n:03}@example.com" for n in range(120)]
    company.people(*everybody)
    company.members(everybody)
    company.faults(
        {
            "match": {"method": "POST", "route": "/tags"},
            "kind": "status",
            "status": 401,
            "after": 2,
        }
    )
    failed = company.sync()
    assert failed.status == "failed"
    done = company.rows("SELECT count(tagged_at) FROM dinmo.tagged_contacts")[0][0]
    assert 0 < done < len(everybody)
    company.faults()
    assert company.synced().numbers.tagged == len(everybody) - done
    assert company.tagged() == set(everybody)
