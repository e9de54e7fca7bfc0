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


@pytest.mark.usefixtures("home")
def test_killed_syncs_are_finished_by_the_next_one(tmp_path):
    """Killed among the calls: each is shown as interrupted, and no tag is wrong in the end."""
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


@pytest.mark.usefixtures("home")
def test_a_sync_that_is_asked_to_end_says_so_and_is_interrupted(tmp_path):
    """By Ctrl-C, or by the machine that shuts down: at once, and not as a failure of Intercom's."""
    with killed_syncs(tmp_path, users=100, latency_ms=50.0, seed=4) as syncs:
        for by in (SIGINT, SIGTERM):
            syncs.move(80)
            code, told = syncs.interrupt_after_calls(5, by)
            assert (code, told) == (130, "Interrupted. The next sync will finish the rest.")
            assert syncs.statuses()[-1] == "interrupted"
        syncs.finish()
        assert syncs.wrong() == set()


@pytest.mark.usefixtures("home")
def test_a_sync_killed_while_it_reads_a_large_segment_changes_nothing_by_halves(tmp_path):
    """The membership is the one of before or the new one, and the next sync goes on from there."""
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
