"""SIGKILL at any moment: the state opens, the next sync finishes the work, and nothing is blocked."""

from signal import SIGINT, SIGTERM

import pytest

from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE
from dinmo_pipeline_tests.soak.killing import killed_syncs


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The token and Dagster's home in the environment of this process and of those it starts."""
    folder = tmp_path / "dagster_home"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    return tmp_path


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_the_next_sync_finishes_killed_ones(tmp_path):
    """Killed during calls: each shows as interrupted, and in the end no tag is wrong."""
    with killed_syncs(tmp_path, users=400, latency_ms=20.0, seed=1) as syncs:
        killed = 0
        for _ in range(4):
            syncs.move(200)
            killed += syncs.kill_after_calls(syncs.choice.randrange(2, 60))
            assert syncs.statuses()[-1] == "running"
        syncs.finish()
        assert killed == 4
        assert syncs.statuses() == ["ok", *["interrupted"] * 4, "ok"]
        assert syncs.wrong() == set()
        syncs.finish()
        assert syncs.wrong() == set()
        assert syncs.company.created_by_api() == 0


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_a_sync_that_is_told_to_stop_is_interrupted(tmp_path):
    """By Ctrl-C or a shutdown: at once, and not as a failure of Intercom."""
    with killed_syncs(tmp_path, users=100, latency_ms=50.0, seed=4) as syncs:
        for by in (SIGINT, SIGTERM):
            syncs.move(80)
            code, told = syncs.interrupt_after_calls(5, by)
            assert (code, told) == (130, "Interrupted. The next sync will finish the rest.")
            assert syncs.statuses()[-1] == "interrupted"
        syncs.finish()
        assert syncs.wrong() == set()


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_a_sync_killed_while_reading_a_segment_leaves_no_partial_membership(tmp_path):
    """It is the old or the new one, and the next sync goes on from there."""
    with killed_syncs(tmp_path, users=100, latency_ms=0.0, seed=2) as syncs:
        for members in (300_000, 400_000):
            before = syncs.company.rows("SELECT count(*) FROM dinmo.segment_membership")
            syncs.flood(members)
            assert syncs.kill_while_it_writes()
            after = syncs.company.rows("SELECT count(*) FROM dinmo.segment_membership")
            assert after in (before, [(members + len(syncs.members),)])
        syncs.move(30)
        syncs.finish()
        assert syncs.wrong() == set()
