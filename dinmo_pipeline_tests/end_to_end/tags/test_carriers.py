"""Contacts that carry the tag and that we did not tag are seen everywhere, until a person decides."""

import json

import pytest

EMAILS = [f"u{number}@example.com" for number in range(60)]
NOTE = "40 contacts that we did not tag carry the tag."


@pytest.fixture
def adopted(company):
    """The tag exists, and 40 people carry it, before the first sync; 20 others are members."""
    ids = company.people(*EMAILS)
    tag = company.intercom_call("POST", "/tags", json={"name": "VIP"})
    for contact in ids[:40]:
        company.intercom_call("POST", f"/contacts/{contact}/tags", json={"id": tag["id"]})
    company.members(EMAILS[40:])
    company.calls()


@pytest.mark.usefixtures("adopted")
def test_strangers_on_an_existing_tag_are_shown_everywhere(company, dinmo):
    """By plan and check before the first sync, then by sync, status, and the UI's check."""
    planned = dinmo("plan", "vip")
    assert "this is its first sync. The workspace has 60 users." in planned.out
    assert NOTE in planned.err
    plan = json.loads(dinmo("plan", "vip", "--json").out)["vip"]
    assert (plan["other_carriers"], plan["workspace_users"]) == (40, 60)
    checked = json.loads(dinmo("check", "--online", "--json").out)
    assert checked["carriers"] == {"vip": {"found": 40, "others": 40}}
    assert checked["workspace_users"] == {"main": 60}
    synced = dinmo("sync", "vip")
    assert synced.code == 0
    assert NOTE in synced.err
    assert NOTE in dinmo("status").out
    assert json.loads(dinmo("status", "--json").out)["vip"]["other_carriers"] == 40
    company.synced()
    check = next(each for each in _checks(company) if each.check_name == "only_our_carriers")
    assert (check.passed, check.metadata["other_carriers"].value) == (False, 40)
    assert check.description.startswith(NOTE)
    assert company.tagged() == set(EMAILS)


def _checks(company):
    """The asset checks of the newest run."""
    (run,) = company.instance.get_run_records(limit=1)
    records = company.instance.get_records_for_run(run.dagster_run.run_id).records
    return [
        record.event_log_entry.dagster_event.asset_check_evaluation_data
        for record in records
        if record.event_log_entry.dagster_event
        and record.event_log_entry.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]


@pytest.mark.usefixtures("adopted")
def test_a_person_who_decides_to_keep_them_is_not_asked_again(company, dinmo):
    """The number is still there."""
    company.declared["activations"]["vip"] = {"on_existing_carriers": "keep"}
    assert "we did not tag carry the tag and keep it, as declared." in dinmo("sync", "vip").err
    company.synced()
    check = next(each for each in _checks(company) if each.check_name == "only_our_carriers")
    assert check.passed
    assert company.tagged() == set(EMAILS)


@pytest.mark.usefixtures("adopted")
def test_a_tag_that_is_taken_over_is_only_on_members(company):
    """Under the guard: 40 of 40 would lose it."""
    company.declared["activations"]["vip"] = {"on_existing_carriers": "take_over"}
    held = company.sync()
    assert held.reason.startswith("None of the 40 tagged contacts would keep the tag.")
    assert company.tagged() == set(EMAILS[:40])
    assert company.sync(allow_large_removal=True).status == "ok"
    assert company.tagged() == set(EMAILS[40:])
    company.calls()
    assert company.synced().numbers.other_carriers == 0
    assert company.calls() == {"GET /tags/{id}": 1}


@pytest.mark.usefixtures("adopted")
def test_a_person_who_decides_to_take_over_later_need_not_wait_for_a_change(company):
    """The next sync does it, as `dinmo status` says, although the carriers were counted today."""
    company.members(EMAILS[20:])
    company.synced()
    assert company.tagged() == set(EMAILS)
    company.declared["activations"]["vip"] = {
        "on_existing_carriers": "take_over",
        "guards": {"max_removed_share": 0.5},
    }
    company.synced()
    assert company.tagged() == set(EMAILS[20:])


@pytest.mark.usefixtures("adopted")
def test_reconcile_shows_whom_taking_over_would_untag_before_it_does(company, dinmo):
    """A list of the size first, then the repair, under the same guards."""
    company.synced()
    shown = dinmo("reconcile", "vip", "--take-over", "--recent-minutes", "0")
    assert shown.code == 3
    assert "40 contacts that we did not tag, and that are not members, would lose the tag." in shown.err
    assert company.tagged() == set(EMAILS)
    assert json.loads(dinmo("status", "--json").out)["vip"]["other_carriers"] == 40
    repair = ("reconcile", "vip", "--take-over", "--repair", "--recent-minutes", "0")
    held = dinmo(*repair)
    assert (held.code, "40 of 60 tagged contacts (67%) would lose the tag;" in held.err) == (3, True)
    assert dinmo(*repair, "--allow-large-removal").code == 0
    assert company.tagged() == set(EMAILS[40:])


def test_members_among_them_stay_tagged_when_the_tag_is_taken_over(company):
    """The tag is never off a member meanwhile."""
    ids = company.people(*EMAILS[:10])
    tag = company.intercom_call("POST", "/tags", json={"name": "VIP"})
    for contact in ids[:10]:
        company.intercom_call("POST", f"/contacts/{contact}/tags", json={"id": tag["id"]})
    company.declared["activations"]["vip"] = {"on_existing_carriers": "take_over"}
    company.members(EMAILS[:8])
    company.calls()
    outcome = company.synced()
    assert (outcome.numbers.tagged, outcome.numbers.untagged) == (8, 2)
    assert company.tagged() == set(EMAILS[:8])


def test_a_restored_backup_shows_whom_we_tagged_since(company):
    """Its ledger is older than Intercom."""
    company.people(*EMAILS)
    company.members(EMAILS[:5])
    company.synced()
    backup = (company.folder / "state.duckdb").read_bytes()
    company.members(EMAILS[:30])
    company.synced()
    (company.folder / "state.duckdb").write_bytes(backup)
    company.members(EMAILS[:4])
    assert company.synced().numbers.other_carriers == 25


def test_another_key_for_the_activation_is_shown_before_it_is_handed_over(company, dinmo):
    """Its tag is found by name, with contacts on it that the new key did not tag."""
    company.people(*EMAILS[:5])
    company.members(EMAILS[:5])
    company.synced()
    company.declared["activations"] = {"important": {"segment": "vip"}}
    assert "5 contacts that we did not tag carry the tag." in dinmo("plan", "important").err
    assert json.loads(dinmo("check", "--online", "--json").out)["carriers"]["important"]["others"] == 5


def test_a_first_plan_without_intercom_says_what_it_could_not_ask(company, dinmo):
    """The plan itself needs only the warehouse and the state."""
    company.members(EMAILS[:5])
    company.faults({"kind": "status", "status": 401})
    planned = dinmo("plan", "vip")
    assert planned.code == 0
    assert "vip: Intercom could not be asked what it has before the first sync." in planned.err
