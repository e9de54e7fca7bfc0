"""`dinmo clean`: what is old goes at once, and the disk has its space again."""

import json
import os
import time
from pathlib import Path

import dagster as dg
import pytest

from dinmo_pipeline_tests.aging import age_runs


@pytest.fixture
def home(dinmo):
    """The DAGSTER_HOME of the commands."""
    assert dinmo
    return Path(os.environ["DAGSTER_HOME"])


def bytes_in(folder):
    """The bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_old_runs_and_rows_go_and_the_files_become_smaller(company, dinmo, home):
    """First as a dry run, which removes nothing; the second time there is nothing to do."""
    company.people("ann@x.org", "bob@x.org")
    company.declared["history"] = {"keep_syncs": "1 day", "keep_memberships": "1 day"}
    for members in (["ann@x.org"], ["ann@x.org", "bob@x.org"], ["ann@x.org"]):
        company.members(members)
        assert dinmo("sync", "vip").code == 0
    with dg.DagsterInstance.get() as instance:
        in_ui = instance.get_run_records(limit=1, ascending=True)[0].dagster_run.run_id
        instance.delete_run(in_ui)
        age_runs(instance, 20)
    (left_by_ui,) = home.rglob(f"{in_ui}.db")
    os.utime(left_by_ui, (time.time() - 200_000,) * 2)
    with company.state.transaction() as connection:
        for column in ("entered_at", "left_at"):
            connection.execute(f"UPDATE dinmo.membership_departures SET {column} = {column} - INTERVAL 9 DAY")
        connection.execute("UPDATE dinmo.syncs SET started_at = started_at - INTERVAL 9 DAY")
    before = bytes_in(home)

    planned = dinmo("clean", "--dry-run", "--json")
    assert planned.code == 0, planned.err
    planned = json.loads(planned.out)
    assert len(list(home.glob("history/runs/*-*.db"))) == 6
    done = dinmo("clean", "--json")
    assert done.code == 0, done.err
    done = json.loads(done.out)

    assert done["runs"] == planned["runs"] == 3
    assert done["runs_kept"] == planned["runs_kept"] == 2
    assert done["abandoned_files"] == planned["abandoned_files"] == 1
    assert done["rows"] == planned["rows"]
    assert done["rows"]["syncs"] == 2
    assert done["rows"]["membership_departures"] == 1
    assert not left_by_ui.exists()
    assert len(list(home.glob("history/runs/*-*.db"))) == 2
    freed = done["freed_bytes"]
    assert freed["runs"] > 3 * 100_000
    assert before - bytes_in(home) >= freed["runs"] + freed["abandoned_files"]
    again = dinmo("clean")
    assert again.code == 0
    assert "0 bytes freed." in again.out
    assert "2 old runs stay, as the last of an activation." in again.out
    # Everything goes on as before.
    company.members(["bob@x.org"])
    assert dinmo("sync", "vip").code == 0
    assert company.tagged() == {"bob@x.org"}


def test_before_the_first_sync_there_is_nothing_to_clean(company, dinmo):
    """And no file is created for it."""
    company.declared["history"] = {"keep_runs": "forever", "keep_syncs": "1 day"}
    printed = dinmo("clean")
    assert printed.code == 0, printed.err
    assert not Path(company.state.database).exists()
