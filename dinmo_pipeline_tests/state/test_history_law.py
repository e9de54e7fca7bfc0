"""The law of history: it equals a replay of all readings, and knows the members at any time."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import stage_members, write_membership
from dinmo_pipeline_tests.state.declaring import NOW, rows_of

memberships = st.sets(st.sampled_from(["a@x.org", "b@x.org", "c@x.org", "d@x.org"]))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["vip", "churned"]), memberships), max_size=8),
)
def test_history_equals_a_replay_of_all_readings(readings):
    """Stays as intervals, and the members at each instant."""
    # A reader of a state that does not exist has one in memory, so no test waits for a disk.
    state = StateDatabase("not there")
    expected, at = _replay(readings)
    with state.scratch() as connection, state.attached(connection, read_only=True):
        connection.execute("SET threads = 1")
        for hour, (key, members) in enumerate(readings):
            stage_members(connection, rows_of(sorted(members)), "email")
            write_membership(connection, key, "email", now=NOW + timedelta(hours=hour))
        history = connection.execute(
            "SELECT activation, identifier, entered_at, left_at FROM dinmo.membership_history"
        ).fetchall()
        assert sorted(history, key=str) == sorted(expected, key=str)
        for instant, members in at.items():
            found = connection.execute(
                "SELECT activation, identifier FROM dinmo.membership_history"
                " WHERE entered_at <= $at AND (left_at IS NULL OR left_at > $at)",
                {"at": instant},
            ).fetchall()
            assert sorted(found) == sorted(members)


def _replay(readings):
    """Every stay, and the members at the instant of each reading and half an hour later."""
    since, over, at = {}, [], {}
    for hour, (key, members) in enumerate(readings):
        now = NOW + timedelta(hours=hour)
        gone = [who for where, who in since if where == key and who not in members]
        over.extend((key, who, since.pop((key, who)), now) for who in gone)
        for member in members:
            since.setdefault((key, member), now)
        at[now] = at[now + timedelta(minutes=30)] = list(since)
    return [*over, *((*who, entered, None) for who, entered in since.items())], at


def test_a_stay_never_ends_before_it_began(tmp_path):
    """Even if the clock was set back."""
    state = StateDatabase(str(tmp_path / "state.duckdb"))
    for members, now in ((["a@x.org"], NOW), ([], NOW - timedelta(hours=1))):
        with state.scratch() as connection:
            stage_members(connection, rows_of(members), "email")
            with state.transaction(connection):
                write_membership(connection, "vip", "email", now=now)
    with state.reading() as connection:
        stays = connection.execute("SELECT entered_at, left_at FROM dinmo.membership_history")
        assert stays.fetchall() == [(NOW, NOW)]
