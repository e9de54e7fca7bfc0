"""The main job: after each sync the tag equals membership ∩ existing users, at the lowest cost."""

import json

import pytest

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))


def test_members_who_enter_are_tagged_and_members_who_leave_are_untagged(company):
    """Two syncs with a change of the segment between them."""
    company.people(ANA, BEN, CLEO)
    company.members([ANA, BEN])
    first = company.synced()
    assert company.tagged() == {ANA, BEN}
    assert (first.numbers.to_tag, first.numbers.to_untag, first.numbers.tagged) == (2, 0, 2)

    company.members([BEN, CLEO])
    second = company.synced()
    assert company.tagged() == {BEN, CLEO}
    assert (second.numbers.to_tag, second.numbers.to_untag) == (1, 1)
    assert (second.numbers.tagged, second.numbers.untagged) == (1, 1)


def test_no_contact_is_created_in_intercom(company):
    """Members who are not in Intercom are counted and left alone."""
    company.people(ANA)
    company.members([ANA, BEN, CLEO])
    outcome = company.synced()
    assert company.tagged() == {ANA}
    assert outcome.numbers.members == 3
    assert outcome.numbers.not_in_intercom == 2
    assert company.created_by_api() == 0


def test_an_unchanged_sync_makes_one_call_and_no_write(company):
    """The call shows whether the tag still exists."""
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.calls()
    outcome = company.synced()
    assert company.calls() == {"GET /tags/{id}": 1}
    assert outcome.numbers.api_calls == 1
    assert (outcome.numbers.to_tag, outcome.numbers.to_untag) == (0, 0)


def test_an_unchanged_sync_with_missing_members_adds_one_search_page(company):
    """The page shows who signed up since the last look."""
    company.people(ANA)
    company.members([ANA, BEN])
    company.synced()
    company.calls()
    outcome = company.synced()
    assert company.calls() == {"GET /tags/{id}": 1, "POST /contacts/search": 1}
    assert outcome.numbers.api_calls == 2


def test_a_member_who_signs_up_later_is_tagged_at_the_next_sync(company):
    """Without searching for all missing members."""
    missing = [f"missing{i}@example.com" for i in range(200)]
    company.people(ANA)
    company.members([ANA, BEN, *missing])
    company.synced()
    company.people(BEN)
    company.calls()
    outcome = company.synced()
    assert company.tagged() == {ANA, BEN}
    assert (outcome.numbers.to_tag, outcome.numbers.tagged) == (1, 1)
    assert company.calls()["POST /contacts/search"] == 1 + 1  # one counts who carries the tag


def test_a_thousand_newcomers_cost_twenty_lookups_and_twenty_taggings(company):
    """The budget of the design, exactly."""
    everybody = [f"user{i:04}@example.com" for i in range(1_000)]
    company.people(*everybody)
    company.members(everybody)
    company.calls()
    company.synced()
    calls = company.calls()
    assert calls["POST /contacts/search"] == 20
    assert calls["POST /tags"] == 20 + 1  # one makes the tag
    assert company.tagged() == set(everybody)


def test_users_are_matched_by_user_id_exactly_as_text(company):
    """`007` is not `7`, and the email does not matter."""
    company.people(
        {"external_id": "007", "email": "bond@example.com"},
        {"external_id": "7", "email": "seven@example.com"},
    )
    company.declared["activations"]["vip"] = {"match_by": "user_id", "column": "customer_id"}
    company.members([("somebody@example.com", "007")])
    company.synced()
    assert company.tagged() == {"bond@example.com"}


def test_emails_are_matched_ignoring_case_and_outer_space(company):
    """Both in the warehouse and in Intercom."""
    company.people("Ana@Example.com", BEN)
    company.members([" ANA@example.com\t", "ben@EXAMPLE.com "])
    company.synced()
    assert {email.lower() for email in company.tagged()} == {ANA, BEN}


def test_rows_without_an_identifier_are_not_members(company):
    """NULL, blank, and repeated rows are counted, and match nobody."""
    company.people(ANA, {"external_id": "x1"})
    company.members([ANA, ANA.upper(), None, "", "  "])
    outcome = company.synced()
    assert outcome.numbers.members == 1
    assert company.tagged() == {ANA}


def test_leads_are_not_users(company):
    """A lead with a member's email is not tagged."""
    company.people({"email": ANA, "role": "lead"}, {"email": BEN, "role": "lead"}, BEN)
    company.members([ANA, BEN])
    outcome = company.synced()
    tagged = company.intercom_call("GET", "/tags")["data"]
    assert outcome.numbers.tagged == 1
    assert outcome.numbers.not_in_intercom == 1
    assert len(tagged) == 1


@pytest.mark.parametrize(("policy", "tagged"), [("all", 2), ("skip", 0)])
def test_several_users_with_one_email_follow_the_setting(company, policy, tagged):
    """All of them are tagged, or none. They count as ambiguous either way."""
    company.people({"email": ANA, "external_id": "1"}, {"email": ANA, "external_id": "2"})
    company.declared["activations"]["vip"] = {"on_multiple_users": policy}
    company.members([ANA])
    outcome = company.synced()
    found = company.rows("SELECT count(*) FROM dinmo.tagged_contacts")
    assert found == [(tagged,)]
    assert outcome.numbers.ambiguous == 1
    again = company.synced()
    assert (again.numbers.to_tag, again.numbers.to_untag, again.numbers.api_calls) == (0, 0, 1)


def test_a_second_user_of_an_email_is_found_although_the_first_is_known_by_id(company):
    """One activation finds a user by id; another must still search by email for the others."""
    company.people({"email": ANA, "external_id": "1"}, {"email": ANA, "external_id": "2"})
    company.activate("ids", match_by="user_id", column="customer_id")
    company.members([(ANA, "1")], "ids")
    company.members([ANA])
    company.synced("ids")
    assert company.synced().numbers.ambiguous == 1
    assert company.rows("SELECT count(*) FROM dinmo.tagged_contacts WHERE activation = 'vip'") == [(2,)]


def test_a_changed_match_by_leaves_tagged_members_alone(company):
    """Users who stay are neither untagged nor tagged again."""
    company.people(*({"email": f"u{i}@example.com", "external_id": str(i)} for i in range(20)))
    company.members([(f"u{i}@example.com", str(i)) for i in range(20)])
    company.synced()
    company.declared["activations"]["vip"] = {"match_by": "user_id", "column": "customer_id"}
    company.calls()
    outcome = company.synced()
    calls = company.calls()
    assert (outcome.numbers.to_tag, outcome.numbers.to_untag) == (0, 0)
    assert not [call for call in calls if call.startswith(("DELETE", "POST /tags"))]
    assert len(company.tagged()) == 20


def test_two_activations_of_one_contact_are_independent(company):
    """Each has its own tag."""
    company.people(ANA)
    company.activate("big")
    company.members([ANA])
    company.members([ANA], "big")
    company.synced()
    company.synced("big")
    company.members([], "vip")
    company.sync(allow_large_removal=True)
    assert company.tagged("VIP") == set()
    assert company.tagged("BIG") == {ANA}


def test_a_tag_deleted_in_intercom_is_created_again_for_all_members(company):
    """The ledger was about the old tag."""
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    company.intercom_call("DELETE", f"/tags/{tag['id']}")
    outcome = company.synced()
    assert company.tagged() == {ANA, BEN}
    assert outcome.numbers.tagged == 2


def test_a_new_name_renames_the_tag(company):
    """It never creates a second tag, even if no member changed."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    company.declared["activations"]["vip"] = {"name": "Very important"}
    company.synced()
    tags = [tag["name"] for tag in company.intercom_call("GET", "/tags")["data"]]
    assert tags == ["Very important"]
    assert company.tagged("Very important") == {ANA}


def test_a_new_name_that_another_tag_has_is_refused(company):
    """The other tag is left alone, and the error says what to do."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    company.intercom_call("POST", "/tags", json={"name": "taken"})
    company.declared["activations"]["vip"] = {"name": "Taken"}
    outcome = company.sync()
    assert outcome.status == "failed"
    assert outcome.reason == (
        "The tag of activation 'vip' cannot be renamed from 'VIP' to 'Taken': another tag has that name."
        " Choose another `name`, or rename or delete the other tag in Intercom."
    )
    assert company.tagged("VIP") == {ANA}


def test_a_tag_renamed_in_intercom_is_kept_by_its_id(company):
    """Bulk tagging goes by name, so it must use the current one."""
    company.people(ANA, BEN)
    company.members([ANA])
    company.synced()
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    company.intercom_call("POST", "/tags", json={"id": tag["id"], "name": "Renamed by hand"})
    company.members([ANA, BEN])
    company.synced()
    assert company.tagged("Renamed by hand") == {ANA, BEN}
    assert len(company.intercom_call("GET", "/tags")["data"]) == 1


def test_an_existing_tag_of_that_name_is_used(company):
    """Names are compared ignoring case."""
    company.intercom_call("POST", "/tags", json={"name": "vip"})
    company.people(ANA)
    company.members([ANA])
    company.synced()
    assert company.tagged("VIP") == {ANA}
    assert len(company.intercom_call("GET", "/tags")["data"]) == 1


def test_a_segment_that_became_empty_is_held_and_released_by_a_person(company):
    """Nothing is applied until then."""
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.members([])
    held = company.sync()
    assert held.status == "held"
    assert held.reason == ("The segment became empty: all 2 tagged contacts would lose the tag.")
    assert (held.numbers.to_untag, held.numbers.untagged, held.numbers.pending) == (2, 0, 2)
    assert company.tagged() == {ANA, BEN}
    assert company.sync(allow_large_removal=True).status == "ok"
    assert company.tagged() == set()


def test_a_large_removal_is_held_and_a_smaller_one_releases_itself(company):
    """Above max_removed_share and more than ten contacts."""
    everybody = [f"user{i:03}@example.com" for i in range(40)]
    company.people(*everybody)
    company.members(everybody)
    company.synced()
    company.members(everybody[:20])
    held = company.sync()
    assert (held.status, held.numbers.to_untag) == ("held", 20)
    assert held.reason == ("20 of 40 tagged contacts (50%) would lose the tag; max_removed_share allows 30%.")
    assert company.tagged() == set(everybody)
    company.members(everybody[:35])
    assert company.synced().numbers.untagged == 5
    assert company.tagged() == set(everybody[:35])


def test_a_failing_query_is_a_failed_sync_and_never_an_empty_segment(company):
    """The table is gone, and nobody is untagged."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    company.declared["segments"]["vip"] = {"name": "VIP", "table": "no_such_table"}
    outcome = company.sync()
    assert outcome.status == "failed"
    assert "no_such_table" in (outcome.reason or "")
    assert company.tagged() == {ANA}
    assert company.rows("SELECT count(*) FROM dinmo.segment_membership") == [(1,)]


def test_refused_changes_are_retried_by_the_next_sync(company):
    """Half of the calls fail. The next sync makes the rest, and none twice."""
    everybody = [f"user{i:03}@example.com" for i in range(100)]
    company.people(*everybody)
    company.members(everybody)
    company.faults(
        {
            "match": {"method": "POST", "route": "/tags"},
            "kind": "status",
            "status": 409,
            "after": 1,
            "times": 1,
        }
    )
    failed = company.sync()
    assert failed.status == "failed"
    assert (failed.numbers.tagged, failed.numbers.failed) == (50, 50)
    company.faults()
    again = company.synced()
    assert (again.numbers.to_tag, again.numbers.tagged) == (50, 50)
    assert company.tagged() == set(everybody)


def test_a_bad_token_fails_at_once_and_says_what_to_do(company, monkeypatch):
    """One call, no retry, and the message does not contain the token."""
    company.people(ANA)
    company.members([ANA])
    monkeypatch.setenv("TEST_INTERCOM_TOKEN", "wrong-token-77")
    outcome = company.sync()
    assert outcome.status == "failed"
    assert "Check the access token" in (outcome.reason or "")
    assert "wrong-token-77" not in (outcome.reason or "")
    assert outcome.numbers.api_calls == 1


def test_history_shows_who_was_in_the_segment_when(company):
    """A stay is one row, open while it lasts."""
    company.members([ANA, BEN])
    company.synced()
    company.members([BEN])
    company.sync()
    company.members([ANA, BEN])
    company.sync()
    stays = company.rows("SELECT identifier, left_at IS NULL FROM dinmo.membership_history ORDER BY ALL")
    assert stays == [(ANA, False), (ANA, True), (BEN, True)]


def test_the_search_for_sign_ups_reads_those_within_the_index_lag_again(company):
    """150 per page: the index may have shown some of them, and not others who signed up before those."""
    company.people(*(f"stranger{i}@example.com" for i in range(400)), ANA)
    company.members([ANA, BEN])
    company.synced()
    company.calls()
    assert company.synced().numbers.api_calls == 1 + 3
    company.people(BEN)
    outcome = company.synced()
    assert company.tagged() == {ANA, BEN}
    assert outcome.numbers.api_calls == 1 + 3 + 2


def test_everybody_who_entered_is_counted_once(company, dinmo):
    """In JSON, in the table, and in the state: one is tagged, one skipped, one not in Intercom."""
    company.declared["activations"]["vip"] = {"on_multiple_users": "skip"}
    company.people(ANA, BEN, {"email": BEN, "external_id": "twin"})
    company.members([ANA, BEN, CLEO])
    numbers = json.loads(dinmo("sync", "vip", "--json").out)["vip"]
    counts = [numbers[key] for key in ("to_tag", "tagged", "skipped", "not_found", "failed", "pending")]
    assert counts == [3, 1, 1, 1, 0, 0]
    assert company.rows("SELECT entered, tagged, skipped, not_found FROM dinmo.syncs") == [(3, 1, 1, 1)]
    again = dinmo("sync", "vip").out
    assert "SKIPPED" in again
    assert "NOT FOUND" in again
    assert company.rows("SELECT entered, skipped FROM dinmo.syncs ORDER BY rowid DESC LIMIT 1") == [(0, 0)]


def test_members_whom_intercom_gave_no_answer_about_are_pending(company):
    """The sync that could look up only one of two batches is not ok, and the next one finds the others."""
    everybody = [f"user{i:03}@example.com" for i in range(100)]
    company.people(*everybody)
    company.members(everybody)
    search = {"match": {"method": "POST", "route": "/contacts/search"}, "kind": "status", "status": 503}
    company.faults({**search, "after": 1, "times": 5})
    failed = company.sync()
    assert failed.status == "failed"
    assert "50 of 100 changes failed or had no definite answer" in failed.reason
    numbers = failed.numbers
    assert (numbers.to_tag, numbers.tagged, numbers.failed, numbers.pending) == (100, 50, 0, 50)
    company.faults()
    assert company.synced().numbers.tagged == 50
    assert company.tagged() == set(everybody)
