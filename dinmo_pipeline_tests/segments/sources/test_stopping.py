"""A signal, or the source's time limit, stops a query; at the server too."""

import dataclasses
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from dinmo_pipeline.segments import OpenSource, SourceError, open_source
from dinmo_pipeline.segments.sources.stopping import Stoppable
from dinmo_pipeline_tests.segments import declaring

# Each would run for hours. The last sends rows all the time.
ENDLESS = {
    "duckdb": {
        "computing": "SELECT CAST(count(*) AS VARCHAR) FROM range(100000000) a, range(100000000) b"
        " WHERE hash(a.range + b.range) = 7",
        "sorting": "SELECT CAST(range AS VARCHAR) FROM range(100000000000) ORDER BY hash(range)",
        "sending": "SELECT CAST(range AS VARCHAR) FROM range(1000000000000)",
    },
    "postgres": {
        "computing": "SELECT CAST(count(*) AS TEXT) FROM generate_series(1, 10000000) a,"
        " generate_series(1, 10000000) b",
        "sorting": "SELECT CAST(n AS TEXT) FROM generate_series(1, 1000000000) AS g(n) ORDER BY -n",
        "sending": "SELECT CAST(n AS TEXT) FROM generate_series(1, 10) a, generate_series(1, 100000000) g(n)",
    },
}
CASES = [(engine, kind) for engine, kinds in ENDLESS.items() for kind in kinds]


def _read(source: OpenSource, sql: str) -> None:
    source.stoppable(lambda: [None for _ in source.batches(sql)])


def _count(source: OpenSource, sql: str) -> None:
    source.count(sql)


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raise KeyboardInterrupt in this thread, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _statements_at_the_server(engine) -> int:
    if engine.name != "postgres":
        return 0
    with engine.writer().cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%generate_series%'"
        )
        return cursor.fetchone()[0]


@pytest.mark.parametrize("way", [_read, _count])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_an_interrupted_query_ends(request, name: str, kind: str, way: Callable[..., None]):
    """The thread that waits gets the interrupt; the query has ended before it goes on."""
    engine = request.getfixturevalue(f"{name}_engine")
    engine.run("CREATE TABLE users (email TEXT)")
    with engine.open() as source:
        with interrupted_after(0.3), pytest.raises(KeyboardInterrupt):
            way(source, ENDLESS[name][kind])
        assert _statements_at_the_server(engine) == 0
        assert source.count("SELECT 1 AS one") == 1, "the source can be used further"


@pytest.mark.parametrize("way", [_read, _count])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_query_that_takes_too_long_ends_with_a_sentence(
    request, name: str, kind: str, way: Callable[..., None]
):
    """`query_timeout` ends it."""
    engine = request.getfixturevalue(f"{name}_engine")
    engine.run("CREATE TABLE users (email TEXT)")
    with _opened(engine, timedelta(seconds=1)) as source:
        with pytest.raises(SourceError) as raised:
            way(source, ENDLESS[name][kind])
        assert str(raised.value) == (
            "The query did not finish within 1 second and was stopped. Make it faster, or set a longer"
            " `query_timeout` for the source."
        )
        assert _statements_at_the_server(engine) == 0


@contextmanager
def _opened(engine, timeout: timedelta) -> Iterator[OpenSource]:
    if engine.name == "duckdb":
        declared, uri = declaring.duckdb_file(engine.path), None
    else:
        declared, uri = declaring.postgres(), engine.uri
    with open_source(dataclasses.replace(declared, query_timeout=timeout), uri=uri) as source:
        yield source


def test_a_server_that_never_answers_is_given_up():
    """Nothing can cancel the attempt to connect, so it is abandoned."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/db?sslmode=disable"
        declared = dataclasses.replace(declaring.postgres(), query_timeout=timedelta(seconds=1))
        with (
            pytest.raises(SourceError, match=r"PostgreSQL did not answer within 1 second"),
            open_source(declared, uri=uri),
        ):
            pass


def test_work_that_cannot_be_stopped_is_abandoned_and_its_connection_left_open():
    """The caller goes on within two seconds, whatever a driver does."""
    released = threading.Event()
    stoppable = Stoppable(lambda: None)
    with interrupted_after(0.1), pytest.raises(KeyboardInterrupt):
        stoppable.run(released.wait)
    assert stoppable.is_abandoned
    released.set()


def test_what_is_run_inside_of_stoppable_work_is_stopped_with_it():
    """`also_stop` ends what the work does outside of the source."""
    ended = threading.Event()
    inner = Stoppable(lambda: None)
    with interrupted_after(0.1), pytest.raises(KeyboardInterrupt):
        Stoppable(lambda: None).run(lambda: inner.run(ended.wait), ended.set)
    assert ended.is_set()


def test_work_returns_its_result_and_raises_its_error():
    """Both reach the thread that waits, as if there were no other."""
    assert Stoppable(lambda: None).run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        Stoppable(lambda: None).run(lambda: 1 // 0)
