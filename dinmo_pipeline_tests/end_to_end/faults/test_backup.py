"""A backup taken in the middle of a sync is restored, and the next sync makes every tag right."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import duckdb
import pytest

from dinmo_pipeline.state.file.backup import back_up

STAYING = {f"stay{n}@example.com" for n in range(20)}
LEAVING = {f"leave{n}@example.com" for n in range(220)}


@contextmanager
def syncing(company):
    """`dinmo sync vip` in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "dinmo_pipeline.cli", "sync", "vip", "--json"],
        env={**os.environ, "DINMO_CONFIG": str(company.declarations)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield process


def ended(process):
    """Whether a process ends within the time that the sync needs between two copies to get on."""
    try:
        process.wait(0.3)
    except subprocess.TimeoutExpired:
        return False
    return True


def tagged_according_to(path):
    """How many contacts have the tag according to a backup, and the status of each sync."""
    with duckdb.connect(str(path), read_only=True) as connection:
        (tagged,) = connection.execute("SELECT count(*) FROM dinmo.tagged_contacts").fetchone()
        statuses = connection.execute("SELECT status FROM dinmo.syncs ORDER BY rowid").fetchall()
    return tagged, [status for (status,) in statuses]


def restore(company, copy):
    """As the guide says: move all of the old state away, and put the copy in its place."""
    lost = company.folder / f"lost-{len(list(company.folder.iterdir()))}"
    lost.mkdir()
    for path in company.folder.glob("state.duckdb*"):
        path.rename(lost / path.name)
    shutil.copy(copy, company.folder / "state.duckdb")


@pytest.mark.long
def test_one_sync_after_a_restored_backup_every_tag_is_right(company, dinmo):
    """The sync goes on while copies of its state are made, and only what happened unseen needs a person."""
    assert dinmo("status").code == 0  # sets DAGSTER_HOME
    company.declared["activations"]["vip"] = {"guards": {"max_removed_share": 1.0}}
    company.people(*STAYING, *LEAVING, "bo@example.com")
    company.members([*STAYING, *LEAVING])
    company.synced()
    company.members([*STAYING])
    # 64 calls at a time, recorded every 2 seconds: the sync records what it did a few times.
    company.faults({"match": {"method": "DELETE"}, "kind": "latency", "seconds": 1.5})
    copies = []
    with syncing(company) as process:
        while not ended(process):
            copies.append(back_up(company.state, company.folder / f"backup-{len(copies)}.duckdb").path)
    company.faults()
    assert process.returncode == 0
    assert company.tagged() == STAYING
    halfway = [
        path for path in copies if len(STAYING) < tagged_according_to(path)[0] < len(STAYING | LEAVING)
    ]
    assert tagged_according_to(halfway[0])[1] == ["ok", "running"]

    restore(company, halfway[0])
    company.synced()
    assert company.tagged() == STAYING
    _, statuses = tagged_according_to(company.folder / "state.duckdb")
    assert statuses == ["ok", "interrupted", "ok"]

    # Who entered after the backup and left before the restore is unknown to the restored state.
    company.members([*STAYING, "bo@example.com"])
    company.synced()
    restore(company, halfway[0])
    company.members([*STAYING])
    company.synced()
    assert company.tagged() == STAYING | {"bo@example.com"}
    assert dinmo("reconcile", "vip", "--take-over", "--repair", "--recent-minutes", "0").code == 0
    assert company.tagged() == STAYING
