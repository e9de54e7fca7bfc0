"""A run that failed for a transient reason is repeated, with growing pauses; others are only shown."""

import contextlib
import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.naming import Names, retries_name
from dinmo_pipeline.orchestration.runs.dead_runs import close_dead_runs
from dinmo_pipeline.orchestration.sensors.retries import FailedRun, Reason, decide
from dinmo_pipeline.segments.errors import SourceUnavailableError
from dinmo_pipeline.segments.sources.unavailable import source_error
from dinmo_pipeline.segments.sources.warehouses import _unreachable
from dinmo_pipeline.state.file.run_marks import run_mark
from dinmo_pipeline_tests.ticking import Ticks

ANA = "ana@example.com"
SYNC, APPLY = "sync_membership", "apply_tag_changes"


class Runs:
    """The runs of a company as the schedules, the sensors and the daemon make them; time passes by hand."""

    def __init__(self, company):
        self.company = company
        self.ticks = Ticks(company.definitions(), company.instance)

    def launch(self, job=SYNC, tags=None, config=None):
        """A run of the activation, which may fail."""
        return self.ticks.definitions.resolve_job_def(job).execute_in_process(
            instance=self.company.instance,
            partition_key="vip",
            tags=tags or {},
            run_config=config or {},
            raise_on_error=False,
        )

    def tick(self, job=SYNC):
        """The tags of the retries that a tick requests, and what it says instead."""
        return self.ticks.requests(retries_name(job))

    def wait(self, minutes, job=SYNC):
        """Let a time pass since the failure."""
        name = retries_name(job)
        cursor = json.loads(self.ticks.cursors[name])
        for run in cursor["failed"]:
            run["ended"] -= minutes * 60
            run["first_failed"] -= minutes * 60
        self.ticks.cursors[name] = json.dumps(cursor)


@pytest.fixture
def runs(company):
    """The runs of a company with one member."""
    company.people(ANA)
    company.members([ANA])
    return Runs(company)


@contextlib.contextmanager
def source_away(company):
    """The warehouse's file is not there for a moment, as when a job replaces it."""
    path = company.folder / "warehouse.duckdb"
    path.rename(path.with_suffix(".away"))
    yield
    path.with_suffix(".away").rename(path)


def test_a_run_comes_back_when_its_source_does(company, runs):
    """After a minute, then after five; each retry says which attempt it is, and of what."""
    assert runs.tick() == ([], "No failed run to repeat.")
    with source_away(company):
        failed = runs.launch()
    requests, said = runs.tick()
    assert requests == []
    assert said.startswith("vip: sync_membership failed. The source's DuckDB file ")
    assert " Attempt 2 follows at " in said
    runs.wait(1)
    (request,), _ = runs.tick()
    assert request.run_key == f"retry:{failed.run_id}"
    assert request.partition_key == "vip"
    assert request.tags["dinmo/attempt"] == "2"
    assert request.tags["dinmo/retry_of"] == failed.run_id
    with source_away(company):
        assert not runs.launch(tags=request.tags).success
    _, said = runs.tick()
    assert " Attempt 3 follows at " in said
    runs.wait(4)
    assert runs.tick()[0] == []
    runs.wait(1)
    (request,), _ = runs.tick()
    assert request.tags["dinmo/attempt"] == "3"
    assert runs.launch(tags=request.tags).success
    assert runs.tick() == ([], "No failed run to repeat.")


def test_intercoms_outage_repeats_the_tags_only(company, runs):
    """The members need not be read again; a newer change set takes the place of the failed run."""
    assert runs.launch().success
    company.faults({"kind": "status", "status": 503})
    assert not runs.launch(APPLY).success
    company.faults()
    assert runs.tick()[0] == []
    _, said = runs.tick(APPLY)
    assert said.startswith("vip: apply_tag_changes failed. GET /me: Intercom answered 503")
    before = runs.ticks.cursors[retries_name(APPLY)]
    runs.wait(1, APPLY)
    (request,), _ = runs.tick(APPLY)
    assert runs.launch(APPLY, tags=request.tags).success
    assert company.tagged() == {ANA}
    runs.ticks.cursors[retries_name(APPLY)] = before
    assert runs.launch().success
    assert runs.tick(APPLY) == ([], "No failed run to repeat.")


def test_a_lasting_reason_is_shown_and_not_repeated(company, runs):
    """A wrong token, a wrong segment; a person acts, and the next run clears it."""
    company.declared["segments"]["vip"]["table"] = "gone"
    wrong = Runs(company)
    assert not wrong.launch().success
    for _ in range(2):
        requests, said = wrong.tick()
        assert requests == []
        assert "The source has no table 'gone'. It is not repeated: the reason will last." in said
        wrong.wait(60)
    assert runs.launch().success
    assert wrong.tick() == ([], "No failed run to repeat.")
    company.faults({"kind": "status", "status": 401})
    assert not runs.launch(APPLY).success
    assert runs.tick(APPLY)[1].endswith("It is not repeated: the reason will last.")


def test_a_run_is_not_repeated_while_another_one_is_under_way(company, runs):
    """Its activation is syncing already, so it waits for the result."""
    with source_away(company):
        runs.launch()
    runs.tick()
    runs.wait(1)
    going_on = dg.DagsterRun(SYNC, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "vip"})
    company.instance.add_run(going_on)
    assert runs.tick()[1].endswith("Another run of the activation is under way.")
    company.instance.report_run_canceled(going_on)
    assert runs.tick() == ([], "No failed run to repeat.")


def test_a_killed_run_is_repeated(company, runs):
    """Nothing says why it ended."""
    killed = dg.DagsterRun(SYNC, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "vip"})
    company.instance.add_run(killed)
    locks = company.folder / "locks"
    with run_mark(locks, killed.run_id):
        (mark,) = locks.glob("**/*" + killed.run_id + "*")
        content = mark.read_bytes()
    mark.write_bytes(content)
    close_dead_runs(Names(), company.instance, locks, print, state=company.state)
    assert runs.tick()[1].startswith("vip: sync_membership failed. Its process ended before the run did")
    runs.wait(1)
    assert [request.tags["dinmo/attempt"] for request in runs.tick()[0]] == ["2"]


def test_a_released_removal_is_not_repeated(company, runs):
    """The person had looked at the changes of that moment."""
    released = dg.DagsterRun(
        APPLY,
        status=dg.DagsterRunStatus.STARTED,
        run_config={"ops": {"intercom_tags": {"config": {"allow_large_removal": True}}}},
        tags={"dagster/partition": "vip"},
    )
    company.instance.add_run(released)
    company.instance.report_run_failed(released, "Its machine went down.")
    assert runs.tick(APPLY)[1] == (
        "vip: apply_tag_changes failed. Its machine went down. It is not repeated: whoever allowed the large"
        " removal had looked at the changes of that moment."
    )


NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


def failed_run(*, attempt=1, first_failed=NOW, ended=NOW, job=SYNC, why_not=""):
    failed = {"vip": Reason("Away.", why_not)}
    return FailedRun(job, "r1", ended.timestamp(), attempt, first_failed.timestamp(), failed)


def launched(activation, run, now, under_way=()):
    return bool(
        decide([run], activations={"vip": activation}, under_way=under_way, paused=(), now=now).launch
    )


@pytest.fixture
def activation_with(company):
    """The activation, with settings."""

    def declared(**settings):
        company.declared["activations"]["vip"] = settings
        return load_project(company.declarations).activations["vip"]

    return declared


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 1), (2, 5), (3, 25), (4, 125), (5, 625)])
def test_the_pauses_grow(activation_with, attempt, minutes):
    """By five times, each since the end of the attempt before."""
    run = failed_run(attempt=attempt)
    manual = activation_with()
    assert not launched(manual, run, NOW + timedelta(minutes=minutes, seconds=-1))
    assert launched(manual, run, NOW + timedelta(minutes=minutes))


def test_the_schedules_own_run_ends_the_retries(activation_with):
    """12:30 plus 25 minutes is before 13:00; 12:40 plus 25 minutes is not."""
    hourly = activation_with(schedule="0 * * * *")
    later = NOW + timedelta(hours=5)
    assert launched(hourly, failed_run(attempt=3), later)
    late = failed_run(attempt=3, ended=NOW + timedelta(minutes=10))
    decision = decide([late], activations={"vip": hourly}, under_way=(), paused=(), now=later)
    assert decision.launch == ()
    assert decision.sentences == (
        (
            "vip: sync_membership failed. Away. It is not repeated again: its schedule runs at 2026-03-02"
            " 13:00 UTC."
        ),
    )


def test_a_reconciliation_has_a_schedule_of_its_own(activation_with):
    """The sync's hourly schedule says nothing about it."""
    activation = activation_with(schedule="0 * * * *", reconcile={"schedule": "0 3 * * *"})
    late = NOW + timedelta(hours=3)
    assert launched(activation, failed_run(attempt=4, job="reconcile_tags"), late)
    assert not launched(activation, failed_run(attempt=4), late)


@given(st.integers(1, 8), st.integers(0, 3_000), st.sampled_from(["", "the reason will last"]))
def test_nothing_is_repeated_after_a_day_or_before_its_time(attempt, minutes, why_not):
    """Whatever the attempt, for an activation without a schedule."""
    ended = NOW + timedelta(minutes=minutes)
    run = failed_run(attempt=attempt, ended=ended, why_not=why_not)
    decision = decide(
        [run], activations={"vip": _MANUAL}, under_way=(), paused=(), now=NOW + timedelta(days=9)
    )
    in_time = run.due < NOW + timedelta(days=1)
    assert bool(decision.launch) is (not why_not and in_time)
    assert len(decision.launch) + len(decision.sentences) == 1


class _Manual:
    """What `decide` reads of an activation without a schedule."""

    enabled = True
    is_scheduled = False
    is_reconciled = False
    timezone = "UTC"


_MANUAL = _Manual()


def test_a_disabled_activation_is_not_repeated(activation_with):
    """Nor is one that is no longer declared."""
    assert not launched(activation_with(enabled=False), failed_run(), NOW + timedelta(hours=1))
    assert decide([failed_run()], activations={}, under_way=(), paused=(), now=NOW).kept == ()


@pytest.mark.parametrize(
    ("message", "sqlstate", "is_transient"),
    [
        ("terminating connection due to administrator command", "57P01", True),
        ("server closed the connection unexpectedly", None, True),
        ("sorry, too many clients already", "53300", True),
        ("canceling statement due to statement timeout", "57014", False),
        ("column timeout does not exist", "42703", False),
        ("permission denied for table customers", "42501", False),
        ("read tcp 10.0.0.1:443: connection reset by peer", "00000", True),
        ("503 Service Unavailable", None, True),
        ("syntax error", None, False),
    ],
)
def test_what_a_server_says_is_transient_or_not(message, sqlstate, is_transient):
    """By its SQLSTATE where there is one: a column may be called `timeout`."""
    assert isinstance(source_error(message, sqlstate), SourceUnavailableError) is is_transient


@pytest.mark.parametrize(
    ("message", "is_transient"),
    [
        ("connection refused", True),
        ("FATAL: the database system is starting up", True),
        ("FATAL: sorry, too many clients already", True),
        ("password authentication failed for user", False),
        ('FATAL: role "x" does not exist', False),
        ("invalid URI", False),
    ],
)
def test_why_a_server_cannot_be_reached_is_transient_or_not(message, is_transient):
    """Wrong credentials stay wrong."""
    assert isinstance(_unreachable("X", message), SourceUnavailableError) is is_transient
