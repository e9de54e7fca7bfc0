"""One message when an activation gets into trouble, and one when it is over."""

import json
import uuid

import dagster as dg
import pytest

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.alerts.errors import AlertError
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.runs.in_process import reconcile_activations
from dinmo_pipeline.state.overview import overview
from dinmo_pipeline_tests.chat import chat_of_a_test
from dinmo_pipeline_tests.company import TOKEN
from dinmo_pipeline_tests.mailbox import mailbox_of_a_test
from dinmo_pipeline_tests.ticking import Ticks, counted_queries

EVERYBODY = [f"user{n}@example.com" for n in range(40)]
WEBHOOK = "TEST_ALERTS_WEBHOOK"
HEARTBEAT = "TEST_ALERTS_HEARTBEAT"


@pytest.fixture
def chat(company, monkeypatch):
    """A chat that the company's alerts go to; all of its people are members."""
    company.people(*EVERYBODY)
    company.members(EVERYBODY)
    company.declared["alerts"] = {"webhook": {"env": WEBHOOK}}
    with chat_of_a_test() as chat:
        monkeypatch.setenv(WEBHOOK, chat.url)
        yield chat


@pytest.fixture
def heard(company, chat):
    """The first lines of the messages in the chat after one more tick of the sensor."""
    ticks = Ticks(company.definitions(), company.instance)

    def tick():
        ticks.tick("alerts_sensor")
        return first_lines(chat)

    return tick


def first_lines(chat):
    """What happened, of each new message; the lines after it say what to do, and name the run."""
    return [text.split("\n    ")[0] for text in chat.take()]


def test_successful_syncs_are_not_reported(company, heard):
    """Nothing is reported before the first sync, either."""
    assert heard() == []
    company.synced()
    assert heard() == []


def test_the_first_tick_reads_the_newest_run_of_each_job_that_did_its_work(company, chat):
    """Not those of a whole day. Runs that failed since then are read too."""

    def queries():
        with counted_queries() as counts:
            Ticks(company.definitions(), company.instance).tick("alerts_sensor")
        return counts["queries"]

    company.synced()
    once = queries()
    for _ in range(3):
        company.synced()
    assert queries() == once
    company.declared["segments"]["vip"]["table"] = "gone"
    company.sync()
    company.sync()
    assert queries() > once
    assert "gone" in first_lines(chat)[0]


def test_a_failing_query_is_reported_once_and_so_is_its_recovery(company, heard):
    """The same failure an hour later is not news; a failure that returns is."""
    company.synced()
    company.members([], table="other")
    company.declared["segments"]["vip"]["table"] = "gone"
    for _ in range(2):
        assert company.sync().status == "failed"
        (told,) = heard()
        assert told.startswith("vip (tag 'VIP'): ")
        assert told.endswith("segment 'vip': The source has no table 'gone'.")
        assert company.sync().status == "failed"
        assert heard() == []
        company.declared["segments"]["vip"]["table"] = "vip"
        company.synced()
        assert heard() == ["vip (tag 'VIP'): The segment is computed again."]
        company.declared["segments"]["vip"]["table"] = "gone"


def test_a_run_of_an_assets_own_page_counts(company, heard):
    """The UI launches it by a job of Dagster's own."""
    company.declared["segments"]["vip"]["table"] = "gone"
    job = company.definitions().resolve_implicit_global_asset_job_def()
    job.execute_in_process(
        instance=company.instance,
        partition_key="vip",
        asset_selection=[dg.AssetKey("segment_membership")],
        raise_on_error=False,
    )
    (told,) = heard()
    assert "The source has no table 'gone'" in told


def test_a_batch_that_was_killed_is_reported_for_what_it_had_not_done(company, chat):
    """Nothing is wrong with the activation that it had done."""
    company.activate("second")
    company.members(EVERYBODY[:5], "second")
    run_id = str(uuid.uuid4())
    job = company.definitions().resolve_job_def("sync_membership")
    done = []

    def die(event):
        if "Materialized value membership_changes" in event.user_message:
            done.append(event.dagster_event.partition)
            raise SystemExit

    company.instance.add_event_listener(run_id, die)
    config = {"ops": {"read_segments": {"config": {"activations": ["vip", "second"]}}}}
    with pytest.raises(SystemExit):
        job.execute_in_process(
            instance=company.instance, partition_key="vip", run_config=config, run_id=run_id
        )
    run = company.instance.get_run_by_id(run_id)
    if not run.is_finished:
        company.instance.report_run_failed(run, "Its machine went down.")
    Ticks(company.definitions(), company.instance).tick("alerts_sensor")
    assert done == ["vip"]
    (told,) = chat.take()
    assert told.startswith("second (tag 'SECOND'): ")


def test_a_guard_that_holds_is_reported_without_a_failed_run(company, heard):
    """The sensor launches no run for a held change set. A person's release ends it."""
    company.synced()
    company.members(EVERYBODY[:5])
    job = company.definitions().resolve_job_def("sync_membership")
    assert job.execute_in_process(instance=company.instance, partition_key="vip").success
    (told,) = heard()
    assert told.startswith("vip (tag 'VIP'): held. 35 of 40 tagged contacts (88%) would lose the tag")
    assert "`dinmo sync vip --allow-large-removal`" in told
    assert company.sync().status == "held"
    assert heard() == []
    assert company.sync(allow_large_removal=True).status == "ok"
    assert heard() == ["vip (tag 'VIP'): It is no longer held."]


def test_a_refusal_by_intercom_is_reported(company, heard):
    """It is over, too, when nothing is left to apply."""
    company.synced()
    company.members(EVERYBODY[1:])
    company.faults({"match": {"method": "GET"}, "kind": "status", "status": 401})
    assert company.sync().status == "failed"
    (told,) = heard()
    assert told.startswith("vip (tag 'VIP'): failed. ")
    company.faults()
    company.members(EVERYBODY)
    job = company.definitions().resolve_job_def("sync_membership")
    assert job.execute_in_process(instance=company.instance, partition_key="vip").success
    assert heard() == ["vip (tag 'VIP'): Its changes are carried out again."]


def test_drift_is_reported_and_so_is_its_repair(company, heard):
    """No matter what launched the comparison."""
    company.synced()
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    contact = company.people({"email": "eve@example.com"})[0]
    company.members([*EVERYBODY, "eve@example.com"])
    company.synced()
    company.intercom_call("DELETE", f"/contacts/{contact}/tags/{tag['id']}")
    told = []
    for repair in (False, False, True, False):
        reconcile(company, repair=repair)
        told.append(heard())
    drift = (
        "vip (tag 'VIP'): 1 of 41 expected contacts lacks the tag; 0 carry it unexpectedly; 0 repaired. Run"
        " `dinmo reconcile vip --repair`, or launch reconcile_tags with repair: true."
    )
    assert told == [[drift], [], ["vip (tag 'VIP'): Its tag in Intercom is right again."], []]


def reconcile(company, *, repair):
    """As `dinmo reconcile` does it."""
    results = reconcile_activations(
        company.definitions(),
        company.instance,
        [load_project(company.declarations).activations["vip"]],
        names=Names(),
        repair=repair,
        recent_minutes=0,
        log_level="CRITICAL",
    )
    return results["vip"]


def test_an_activation_behind_its_schedule_is_reported_when_nothing_else_is_wrong(company, chat):
    """A daemon that has stopped does not fail a run."""
    company.declared["activations"]["vip"] = {"schedule": "0 * * * *"}
    ticks = Ticks(company.definitions(), company.instance)

    def heard():
        ticks.tick("alerts_sensor")
        return first_lines(chat)

    assert heard() == []
    cursor = json.loads(ticks.cursors["alerts_sensor"])
    cursor["activations"]["vip"]["known_since"] -= 9 * 3_600  # as if that tick had been 9 hours ago
    ticks.cursors["alerts_sensor"] = json.dumps(cursor)
    (told,) = heard()
    assert told.startswith("vip (tag 'VIP'): Behind its schedule since ")
    company.faults({"match": {"method": "GET"}, "kind": "status", "status": 401})
    assert company.sync().status == "failed"
    (told,) = heard()
    assert told.startswith("vip (tag 'VIP'): failed. ")
    assert "up to date" not in told
    company.faults()
    company.synced()
    assert heard() == ["vip (tag 'VIP'): Its changes are carried out again. It is up to date again."]


def test_a_failure_that_may_pass_is_reported_when_its_repeat_fails_as_well(company, heard):
    """A run that was killed has no failed step, and is repeated after a minute."""
    kill_a_run(company)
    assert heard() == []
    kill_a_run(company)
    assert heard() == ["vip (tag 'VIP'): Its process ended."]


def test_a_failure_that_may_pass_is_reported_after_ten_minutes_if_nothing_repeats_it(company, chat):
    """The retries sensor is off, say. If it passes, nobody hears of it."""
    ticks = Ticks(company.definitions(), company.instance)

    def heard_after(minutes):
        if cursor := json.loads(ticks.cursors.get("alerts_sensor") or "{}"):
            for each in cursor["activations"]["vip"]["waiting"].values():
                each["since"] -= minutes * 60
            ticks.cursors["alerts_sensor"] = json.dumps(cursor)
        ticks.tick("alerts_sensor")
        return first_lines(chat)

    kill_a_run(company)
    assert [heard_after(minutes) for minutes in (0, 9, 2)] == [
        [],
        [],
        ["vip (tag 'VIP'): Its process ended."],
    ]
    company.synced()
    assert heard_after(0) == ["vip (tag 'VIP'): Its changes are carried out again."]
    kill_a_run(company)
    assert heard_after(0) == []
    company.members(EVERYBODY[1:])
    company.synced()
    assert [heard_after(0), heard_after(20)] == [[], []]


def kill_a_run(company):
    """A run of the job that applies changes, killed from outside."""
    job = company.definitions().resolve_job_def("apply_tag_changes")
    run = company.instance.create_run_for_job(job, tags={"dagster/partition": "vip"})
    company.instance.report_run_failed(run, "Its process ended.")


def test_a_run_that_a_person_interrupted_is_not_reported(company, heard):
    """That person knows. It does not hide a failure that was not reported yet, either."""

    @dg.op
    def interrupted():
        raise dg.DagsterExecutionInterruptedError

    @dg.job(name="sync_membership", tags={"dagster/partition": "vip"})
    def job():
        interrupted()

    def interrupt():
        assert not job.execute_in_process(instance=company.instance, raise_on_error=False).success

    interrupt()
    assert heard() == []
    company.declared["segments"]["vip"]["table"] = "gone"
    assert company.sync().status == "failed"
    interrupt()
    assert len(heard()) == 1


def test_a_message_that_was_not_delivered_is_sent_by_the_next_tick(company, chat):
    """The tick fails with a sentence."""
    company.declared["segments"]["vip"]["table"] = "gone"
    assert company.sync().status == "failed"
    ticks = Ticks(company.definitions(), company.instance)
    chat.status = 503
    with pytest.raises(AlertError) as raised:
        ticks.tick("alerts_sensor")
    assert str(raised.value) == (f"The webhook in {WEBHOOK} answered with status 503.")
    chat.status = 200
    ticks.tick("alerts_sensor")
    assert len(chat.take()) == 1


def test_a_webhook_that_is_not_set_is_an_error_when_it_is_needed(company, chat, monkeypatch):
    """The error names the variable. The pipeline loads without it."""
    monkeypatch.delenv(WEBHOOK)
    ticks = Ticks(company.definitions(), company.instance)
    ticks.tick("alerts_sensor")
    company.declared["segments"]["vip"]["table"] = "gone"
    assert company.sync().status == "failed"
    with pytest.raises(AlertError, match=f"^{WEBHOOK} is not set"):
        ticks.tick("alerts_sensor")
    assert chat.take() == []


def test_a_channel_that_fails_gets_its_messages_later_and_the_others_get_them_once(
    company, chat, tmp_path, monkeypatch
):
    """Neither waits for the other. The heartbeat stops until all is delivered."""
    with mailbox_of_a_test(tmp_path, encrypted=False) as mailbox:
        monkeypatch.setenv(HEARTBEAT, chat.url)
        company.declared["alerts"] |= {
            "email": {
                "host": "127.0.0.1",
                "port": mailbox.port,
                "security": "none",
                "from": "dinmo@example.com",
                "to": ["crm@example.com"],
            },
            "heartbeat": {"env": HEARTBEAT},
        }
        company.declared["segments"]["vip"]["table"] = "gone"
        assert company.sync().status == "failed"
        ticks = Ticks(company.definitions(), company.instance)
        mailbox.is_full = True
        _, skipped = ticks.tick("alerts_sensor")
        assert f"The SMTP server 127.0.0.1:{mailbox.port} answered with 452." in skipped
        (told,) = chat.take()
        assert chat.beats == 0
        with pytest.raises(AlertError):  # nothing is left that could be sent
            ticks.tick("alerts_sensor")
        mailbox.is_full = False
        ticks.tick("alerts_sensor")
        ticks.tick("alerts_sensor")
        (mail,) = mailbox.take()
        assert mail.get_content() == f"{told}\n"
        assert told.startswith(mail["Subject"].removesuffix("…"))
        assert chat.take() == []
        assert chat.beats == 2


def test_a_destination_has_alerts_of_its_own(company, chat, monkeypatch):
    """What they leave out is as in the general ones."""
    company.declared["alerts"]["dagster_url"] = "https://dagster.example.com"
    main = company.declared["destinations"]["main"]
    company.declared["destinations"] |= {"other": {**main, "alerts": {"webhook": {"env": "OTHER_WEBHOOK"}}}}
    company.declared["activations"]["vip"]["destination"] = "main"
    company.activate("second", destination="other")
    definitions = company.definitions()
    job = definitions.resolve_job_def("sync_membership")
    company.members(EVERYBODY, "other_table")
    company.declared["segments"]["vip"]["table"] = "gone"
    with chat_of_a_test() as other:
        monkeypatch.setenv("OTHER_WEBHOOK", other.url)
        definitions = company.definitions()
        job = definitions.resolve_job_def("sync_membership")
        runs = [
            job.execute_in_process(instance=company.instance, partition_key=key, raise_on_error=False).run_id
            for key in ("vip", "second")
        ]
        Ticks(definitions, company.instance).tick("alerts_sensor")
        for each, key, run in zip((chat, other), ("vip", "second"), runs, strict=True):
            (told,) = each.take()
            assert told.startswith(f"{key} (tag ")
            assert told.endswith(f"\n    Run: https://dagster.example.com/runs/{run}")
            assert f"run `dinmo sync {key}`" in told
    assert {"alerts", "alerts_other"} <= set(definitions.resources)


def test_nobody_found_in_intercom_is_reported_and_so_is_that_they_are_again(company, heard):
    """The segment's column holds something else, say."""
    company.members([f"nobody{n}@example.com" for n in range(12)])
    company.synced()
    assert heard() == [
        "vip (tag 'VIP'): None of 12 members were found in Intercom: wrong column or `match_by`?"
    ]
    company.members(EVERYBODY)
    company.synced()
    assert heard() == ["vip (tag 'VIP'): Members are found in Intercom again."]


def test_an_unusual_size_is_reported_once_and_so_is_that_it_is_usual_again(company, heard):
    """In status and checks it is the same sentence."""
    company.synced()
    read_daily(company, [40] * 20)
    assert heard() == []
    company.people(*(f"new{n}@example.com" for n in range(30)))
    company.members([*EVERYBODY, *(f"new{n}@example.com" for n in range(30))])
    company.synced()
    grown = (
        "The segment grew from 40 to 70 members within a day (+75%). Up to 47% is usual, judging by the last"
        " nine weeks."
    )
    assert heard() == [f"vip (tag 'VIP'): {grown}"]
    with company.state.reading() as connection:
        assert overview(connection)["vip"].size_note == grown
    company.synced()
    assert heard() == []
    read_daily(company, [70])
    company.synced()
    assert heard() == ["vip (tag 'VIP'): Its size is as usual again."]
    with company.state.reading() as connection:
        assert overview(connection)["vip"].size_note is None


def read_daily(company, sizes):
    """Let the readings so far lie as many days back, each followed by one a day."""
    with company.state.transaction() as connection:
        connection.execute(
            "UPDATE dinmo.membership_sizes SET materialized_at = materialized_at - to_days(?)", [len(sizes)]
        )
        for days, members in enumerate(reversed(sizes), start=1):
            connection.execute(
                "INSERT INTO dinmo.membership_sizes BY NAME SELECT * REPLACE ("
                "  now() - to_days($days) AS materialized_at, $members AS members, NULL AS size_note"
                ") FROM (FROM dinmo.membership_sizes LIMIT 1)",
                {"days": days, "members": members},
            )


def test_several_activations_in_trouble_are_one_message(company, chat):
    """For example when Intercom is down."""
    for key in ("first", "second"):
        company.activate(key)
    definitions = company.definitions()
    job = definitions.resolve_job_def("sync_membership")
    for key in ("first", "second"):
        job.execute_in_process(instance=company.instance, partition_key=key, raise_on_error=False)
    Ticks(definitions, company.instance).tick("alerts_sensor")
    (told,) = chat.take()
    lines = [line for line in told.splitlines() if not line.startswith(" ")]
    assert [line.partition(": ")[0] for line in lines] == [
        "first (tag 'FIRST')",
        "second (tag 'SECOND')",
    ]


def test_neither_the_webhook_nor_the_token_nor_a_member_is_in_a_definition_or_a_text(company, chat):
    """The resource names the variable only."""
    company.synced()
    company.members(EVERYBODY[:5])
    assert company.sync().status == "held"
    definitions = company.definitions()
    Ticks(definitions, company.instance).tick("alerts_sensor")
    (told,) = chat.take()
    seen = [told, repr(definitions.resources), repr(definitions)]
    secrets = [chat.url, "secret-of-the-webhook", TOKEN, "@example.com"]
    assert [secret for secret in secrets for text in seen if secret in text] == []
