"""What commands say when something is wrong: never ok, and all the rest as well."""

import json

import duckdb

from dinmo_pipeline.orchestration.runs.batch import HELD_TAG

ANA, BEN = "ana@example.com", "ben@example.com"


def states(dinmo):
    """The state of each activation, and the reason of its worst finding."""
    shown = json.loads(dinmo("status", "--json").out)
    return {
        key: (row["state"], (row["findings"] or [{"reason": ""}])[0]["reason"]) for key, row in shown.items()
    }


def drop(company, table):
    """Take a table away from the warehouse."""
    with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
        connection.execute(f"DROP TABLE {table}")


def test_a_segment_that_cannot_be_read_is_failed_until_it_is_read_again(company, dinmo):
    """In status and plan; the others are planned and synced all the same."""
    company.people(ANA, BEN)
    company.activate("gone")
    company.members([ANA])
    company.members([BEN], "gone")
    assert dinmo("sync", "--all").code == 0
    drop(company, "gone")
    planned = dinmo("plan", "--json", "--out", str(company.folder / "plan.json"))
    shown = json.loads(planned.out)
    assert (planned.code, shown["vip"]["status"], shown["gone"]["status"]) == (1, "ok", "failed")
    assert "No plan was written" in planned.err
    assert not (company.folder / "plan.json").exists()
    assert [dinmo("sync", "--all").code for _ in range(2)] == [1, 1]
    assert states(dinmo)["vip"] == ("ok", "")
    state, reason = states(dinmo)["gone"]
    assert state == "failed"
    assert reason.startswith("The segment could not be read at the last 2 attempts, since ")
    assert "gone" in reason
    assert "1 of 2 activations needs a look." in dinmo("status").out
    company.members([BEN], "gone")
    assert dinmo("sync", "gone").code == 0
    assert states(dinmo)["gone"] == ("ok", "")


def test_changes_held_before_any_sync_of_them_are_held_in_status_and_on_the_run(company, dinmo):
    """Under the daemon no sync follows, so the state must know of the guard, and the run says it."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    company.members([])
    job = company.definitions(for_a_run=True).resolve_job_def("sync_membership")
    run = job.execute_in_process(instance=company.instance, partition_key="vip")
    assert run.success
    assert company.instance.get_run_by_id(run.run_id).tags[HELD_TAG] == "vip"
    assert states(dinmo)["vip"][0] == "held"
    company.members([ANA])
    company.synced()
    assert states(dinmo)["vip"] == ("ok", "")


def test_drift_is_known_until_it_is_repaired(company, dinmo):
    """A comparison is recorded, so that status says it afterwards."""
    company.people(ANA)
    company.members([ANA])
    dinmo("sync", "vip")
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    ((contact,),) = company.rows("SELECT contact_id FROM dinmo.tagged_contacts")
    company.intercom_call("DELETE", f"/contacts/{contact}/tags/{tag['id']}")
    assert dinmo("reconcile", "vip", "--recent-minutes", "0").code == 3
    state, reason = states(dinmo)["vip"]
    assert (state, reason.partition(": ")[2]) == (
        "drift",
        "1 expected contact lacks the tag; 0 contacts carry it unexpectedly.",
    )
    dinmo("reconcile", "vip", "--repair", "--recent-minutes", "0")
    assert states(dinmo)["vip"] == ("ok", "")


def test_nobody_matched_is_said_by_sync_status_plan_and_check(company, dinmo):
    """From ten members up; the numbers are in every table and object."""
    company.people(ANA)
    company.members([f"nobody{number}@example.com" for number in range(12)])
    said = "None of 12 members were found in Intercom: wrong column or `match_by`?"
    assert f"vip: {said}" in dinmo("sync", "vip").err
    assert states(dinmo)["vip"] == ("nobody_matched", said)
    for command in ("plan", "sync"):
        shown = json.loads(dinmo(command, "vip", "--json").out)["vip"]
        assert (shown["not_in_intercom"], shown["match_rate"]) == (12, 0.0)
    assert said in dinmo("plan").err
    assert said in dinmo("check", "--online").err


def test_check_online_goes_on_after_a_token_that_is_not_set(company, dinmo):
    """Each destination is asked, and each segment counted."""
    company.members([ANA])
    main = company.declared["destinations"]["main"]
    company.declared["destinations"] = {"other": {**main, "access_token": {"env": "NOT_SET"}}, "main": main}
    company.declared["activations"] = {"vip": {"destination": "main"}}
    printed = dinmo("check", "--online", "--json")
    found = json.loads(printed.out)
    assert (printed.code, found["members"], list(found["workspaces"])) == (2, {"vip": 1}, ["main"])
    assert any("NOT_SET" in problem for problem in found["problems"])


def test_check_reads_sql_without_the_source(company, dinmo):
    """One SELECT, as far as its text shows; what it did not ask is said."""
    company.declared["segments"]["vip"] = {"name": "VIP", "sql": "select email from vip"}
    printed = dinmo("check")
    assert printed.code == 0
    assert "Of 1 sql segment, each is one SELECT" in printed.out
    for sql, why in (
        ("select 1; select 2", "must be exactly one SELECT, but has 2 statements."),
        ("delete from vip", "must be a SELECT, but is DELETE."),
    ):
        company.declared["segments"]["vip"]["sql"] = sql
        printed = dinmo("check")
        assert (printed.code, "dinmo.yaml:" in printed.err, why in printed.err) == (2, True, True)
