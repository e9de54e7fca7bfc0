"""Reconcile: drift is told from other people's tags and repaired on request; a lost state is rebuilt."""

import json

import dagster as dg
import pytest
import requests

ANA, BEN, CLEO, EVE = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "eve"))
KEYS = {
    *("status", "expected", "found", "missing", "unexpected", "foreign", "repaired"),
    *("api_calls", "seconds"),
}


@pytest.fixture
def reconcile(dinmo):
    """`dinmo reconcile vip --json`, including the latest changes; returns its exit code and object."""

    def call(*words, recent="0"):
        printed = dinmo("reconcile", "vip", "--json", "--recent-minutes", recent, *words)
        return printed.code, json.loads(printed.out)["vip"]

    return call


@pytest.fixture
def synced(company):
    """Ana and Ben are members and carry the tag; Cleo and Eve are contacts. Ids by email."""
    ids = company.people(ANA, BEN, CLEO, EVE)
    company.members([ANA, BEN])
    company.synced()
    company.calls()
    return dict(zip((ANA, BEN, CLEO, EVE), ids, strict=True))


def tag_id(company):
    """The id of the only tag."""
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    return tag["id"]


def tag_by_hand(company, contact_id):
    """As another user of the workspace does it."""
    company.intercom_call("POST", f"/contacts/{contact_id}/tags", json={"id": tag_id(company)})


def untag_by_hand(company, contact_id):
    """As another user of the workspace does it."""
    company.intercom_call("DELETE", f"/contacts/{contact_id}/tags/{tag_id(company)}")


@pytest.mark.usefixtures("synced")
def test_reconciling_without_drift_costs_two_calls_and_writes_nothing(company, reconcile):
    """One reads the tag, one reads 150 carriers."""
    before = (company.folder / "state.duckdb").read_bytes()
    code, found = reconcile()
    assert code == 0
    assert set(found) == KEYS
    assert (found["status"], found["expected"], found["found"]) == ("ok", 2, 2)
    assert company.calls() == {"GET /tags/{id}": 1, "POST /contacts/search": 1}
    assert found["api_calls"] == 2
    assert (company.folder / "state.duckdb").read_bytes() == before


def test_a_tag_taken_off_by_hand_is_drift_and_a_strangers_tag_is_not(company, synced, reconcile):
    """Repairing puts the first back with one call, and leaves the second alone."""
    untag_by_hand(company, synced[ANA])
    tag_by_hand(company, synced[EVE])
    company.calls()
    code, found = reconcile()
    assert (code, found["status"]) == (3, "drift")
    assert (found["missing"], found["unexpected"], found["foreign"]) == (1, 0, 1)
    company.calls()
    code, found = reconcile("--repair")
    assert (code, found["status"], found["repaired"]) == (0, "repaired", 1)
    assert company.calls() == {
        "GET /tags/{id}": 1,
        "POST /contacts/search": 1,
        "GET /contacts/{id}/tags": 1,
        "POST /tags": 1,
    }
    assert company.tagged() == {ANA, BEN, EVE}
    assert reconcile()[1]["status"] == "ok"


def test_an_untagging_that_did_not_hold_is_unexpected_and_repaired(company, synced, reconcile):
    """The log shows that we untagged the contact, so we may do it again."""
    company.members([BEN])
    company.synced()
    tag_by_hand(company, synced[ANA])
    code, found = reconcile()
    assert (code, found["unexpected"], found["foreign"]) == (3, 1, 0)
    code, found = reconcile("--repair")
    assert (code, found["status"], found["repaired"]) == (0, "repaired", 1)
    assert company.tagged() == {BEN}
    logged = company.rows(
        "SELECT change, outcome FROM dinmo.change_log WHERE identifier = 'ana@example.com' ORDER BY logged_at"
    )
    assert logged == [("entered", "applied"), ("left", "applied"), ("left", "applied")]


@pytest.mark.usefixtures("synced")
def test_a_member_who_left_and_waits_for_a_sync_is_not_drift(company, reconcile):
    """The next sync untags them, under its guard; reconciling never does."""
    company.members([])
    code, found = reconcile("--repair")
    assert (code, found["status"], found["expected"], found["found"]) == (0, "ok", 0, 2)
    assert company.tagged() == {ANA, BEN}


def test_contacts_that_search_does_not_show_yet_are_not_drift(company, reconcile):
    """Recent changes do not count, and older ones are verified one by one."""
    set_lag(company, 3_600)
    try:
        company.people(*({"email": email, "created_at": 1_600_000_000} for email in (ANA, BEN)))
        company.members([ANA, BEN])
        company.synced()
        company.calls()
        code, found = reconcile(recent="10")
        assert (code, found["expected"], found["found"], found["missing"]) == (0, 2, 0, 0)
        assert "GET /contacts/{id}/tags" not in company.calls()
        code, found = reconcile()
        assert (code, found["expected"], found["found"], found["missing"]) == (0, 2, 2, 0)
        assert company.calls()["GET /contacts/{id}/tags"] == 2
    finally:
        set_lag(company, 0)


def set_lag(company, seconds):
    """Empty Intercom, and make its search lag."""
    url = f"{company.intercom}/_emulator/reset"
    requests.post(url, json={"index_lag_s": seconds}, timeout=30).raise_for_status()


@pytest.mark.usefixtures("dinmo")
def test_a_lost_state_is_rebuilt_without_a_write_to_intercom(company, synced, reconcile):
    """Members who carry the tag are adopted, and untagged when they leave; others keep it."""
    tag_by_hand(company, synced[EVE])
    (company.folder / "state.duckdb").unlink()
    company.calls()
    code, found = reconcile()
    assert (code, found["expected"], found["unexpected"], found["foreign"]) == (3, 0, 2, 1)
    code, found = reconcile("--repair")
    assert (code, found["status"], found["repaired"]) == (0, "repaired", 2)
    # Once to report and once to repair, both by reading only.
    assert company.calls() == {"GET /me": 2, "GET /tags": 2, "POST /contacts/search": 2}
    assert reconcile()[1]["expected"] == 2
    company.members([ANA])
    outcome = company.synced()
    assert (outcome.numbers.tagged, outcome.numbers.untagged) == (0, 1)
    assert company.tagged() == {ANA, EVE}


def test_an_archived_contact_is_missing_and_its_member_looked_up_again(company, synced, reconcile):
    """Repairing drops it from the ledger; the next sync finds that the member is not in Intercom."""
    company.intercom_call("POST", f"/contacts/{synced[ANA]}/archive")
    code, found = reconcile()
    assert (code, found["missing"]) == (3, 1)
    code, found = reconcile("--repair")
    assert (code, found["status"], found["repaired"]) == (0, "repaired", 1)
    assert company.synced().numbers.not_in_intercom == 1


@pytest.mark.usefixtures("synced")
def test_a_deleted_tag_is_reported_and_created_again_by_a_repair(company, dinmo, reconcile):
    """All members are missing; afterwards there is one tag again."""
    company.intercom_call("DELETE", f"/tags/{tag_id(company)}")
    printed = dinmo("reconcile", "vip", "--recent-minutes", "0")
    assert printed.code == 3
    assert "The tag was deleted in Intercom" in printed.err
    code, found = reconcile("--repair")
    assert (code, found["missing"], found["repaired"]) == (0, 2, 2)
    assert company.tagged() == {ANA, BEN}


def test_leads_and_skipped_members_are_not_adopted(company, reconcile):
    """We would not tag them, so their tags belong to somebody else."""
    company.people(
        {"email": ANA, "role": "lead", "tags": ["VIP"]},
        {"email": BEN, "external_id": "1", "tags": ["VIP"]},
        {"email": BEN, "external_id": "2", "tags": ["VIP"]},
        {"email": CLEO, "tags": ["VIP"]},
    )
    company.declared["activations"]["vip"] = {"on_multiple_users": "skip"}
    company.members([ANA, BEN, CLEO])
    code, found = reconcile("--repair")
    assert (code, found["repaired"], found["foreign"]) == (0, 1, 3)


@pytest.mark.usefixtures("synced")
@pytest.mark.usefixtures("company")
def test_no_answer_from_intercom_is_a_failure(reconcile, monkeypatch):
    """With the reason, and exit code 1."""
    monkeypatch.setenv("TEST_INTERCOM_TOKEN", "wrong-token-77")
    code, found = reconcile("--repair")
    assert (code, found["status"]) == (1, "failed")
    assert "Check the access token" in found["reason"]


def test_the_job_shows_drift_in_dagster_by_activation(company, synced):
    """As a check of `intercom_tags` with numbers; `repair` in the run's config repairs it."""
    untag_by_hand(company, synced[ANA])
    definitions = company.definitions()
    dg.Definitions.validate_loadable(definitions)
    job = definitions.resolve_job_def("reconcile_tags")
    shown = []
    for repair in (False, True):
        config = {"repair": repair, "recent_minutes": 0.0}
        run = job.execute_in_process(
            instance=company.instance,
            partition_key="vip",
            run_config={"ops": {"reconcile": {"config": config}}},
        )
        assert run.success
        shown.append(newest_drift(company.instance))
    assert shown == [(False, 1, 0), (True, 1, 1)]
    assert company.tagged() == {ANA, BEN}


def test_dagster_also_shows_what_the_command_finds(company, synced, reconcile):
    """Otherwise the UI would show an earlier result. A failed reconciliation found nothing."""
    untag_by_hand(company, synced[ANA])
    reconcile()
    with dg.DagsterInstance.get() as instance:
        assert newest_drift(instance) == (False, 1, 0)
        company.faults({"match": {}, "kind": "status", "status": 401})
        assert reconcile()[0] == 1
        assert newest_drift(instance) == (False, 1, 0)
        company.faults()
        reconcile("--repair")
        assert newest_drift(instance) == (True, 1, 1)


def newest_drift(instance):
    """Whether the newest drift check of `vip` passed, and its numbers of missing and repaired contacts."""
    key = dg.AssetCheckKey(dg.AssetKey("intercom_tags"), "drift")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, 1)
    evaluation = record.event.dagster_event.event_specific_data
    assert evaluation.partition == "vip"
    values = {name: value.value for name, value in evaluation.metadata.items()}
    return evaluation.passed, values["missing"], values["repaired"]
