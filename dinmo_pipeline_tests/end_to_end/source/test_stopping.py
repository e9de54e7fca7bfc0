"""A signal stops a command that reads the source; the query ends at the server, and nothing has changed."""

import os
import signal
from contextlib import contextmanager
from threading import Thread

import pytest

ENDLESS = "SELECT CAST(n AS TEXT) AS email FROM generate_series(1, 10) a, generate_series(1, 100000000) g(n)"


@contextmanager
def signalled(engine, by):
    """Send this process a signal once the query runs, as a terminal or an init system does."""

    def send():
        if running_queries(engine, waiting_for=lambda count: count > 0):
            os.kill(os.getpid(), by)

    sender = Thread(target=send)
    # A shell lets what it starts in the background ignore SIGINT.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGINT, handler)


@pytest.fixture
def warehouse(company, postgres_engine, monkeypatch):
    """The company's warehouse on PostgreSQL; its only segment never ends."""
    postgres_engine.run("CREATE TABLE vip (email TEXT)")
    monkeypatch.setenv("WAREHOUSE_URI", postgres_engine.uri)
    company.declared["source"] = {"type": "postgres", "uri": {"env": "WAREHOUSE_URI"}}
    company.declared["segments"]["vip"] = {"name": "VIP", "sql": ENDLESS}
    return postgres_engine


def running_queries(engine, *, waiting_for=lambda count: count == 0):
    """The statements that the server is busy with as soon as they are so many, or a minute later."""
    with engine.writer().cursor() as cursor:
        for _ in range(1_200):
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%generate_series%'"
            )
            (count,) = cursor.fetchone()
            if waiting_for(count):
                break
            cursor.execute("SELECT pg_sleep(0.05)")
        return count


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("command", "rest"),
    [
        ("sync", " The next sync will finish the rest."),
        ("plan", ""),
        ("segments", ""),
        ("reconcile", " Run it again to compare and repair the rest."),
    ],
)
def test_a_signal_stops_the_query(warehouse, dinmo, command, rest, by):
    """Whatever command reads the segment."""
    with signalled(warehouse, by):
        printed = dinmo(command, "vip")
    assert printed.code == 130
    assert printed.err.splitlines()[-1] == f"Interrupted.{rest}"
    assert running_queries(warehouse) == 0


def test_a_sync_after_an_interrupted_one_works(company, warehouse, dinmo):
    """Nothing of the interrupted one is in the way."""
    company.people("ann@x.org")
    with signalled(warehouse, signal.SIGINT):
        dinmo("sync", "vip")
    assert company.rows("SELECT count(*) FROM dinmo.segment_membership") == [(0,)]
    company.declared["segments"]["vip"] = {"name": "VIP", "sql": "SELECT 'ann@x.org' AS email"}
    assert dinmo("sync", "vip").code == 0
    assert company.tagged() == {"ann@x.org"}
    assert running_queries(warehouse) == 0


def test_a_declared_time_limit_ends_a_sync_with_a_sentence(company, warehouse, dinmo):
    """`query_timeout` of the source."""
    company.declared["source"]["query_timeout"] = "1 second"
    printed = dinmo("sync", "vip")
    assert printed.code == 1
    assert (
        "The query did not finish within 1 second and was stopped. Make it faster, or set a longer"
        " `query_timeout` for the source."
    ) in printed.err
    assert running_queries(warehouse) == 0


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("0 seconds", "`query_timeout` must be a number above 0 and a unit."),
        ("forever", "`query_timeout` must be a number above 0 and a unit."),
        ("1 hours 2", "`query_timeout` must be a number above 0 and a unit."),
        ("2 huors", "`query_timeout` has an unknown unit, 'huors'."),
        (60, "`query_timeout` must be text, not a number."),
    ],
)
def test_a_time_limit_that_is_not_one_is_refused(company, dinmo, written, problem):
    """With the place and what is allowed."""
    company.declared["source"]["query_timeout"] = written
    printed = dinmo("check")
    assert printed.code == 2
    assert problem in printed.err + printed.out
