"""Runs that lie in the past, as if a test had waited for days."""

from datetime import timedelta

import dagster as dg
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.runs.schema import RunsTable


def age_runs(instance: dg.DagsterInstance, days: float) -> None:
    """Move all runs of an instance, and the events that all runs share, into the past."""
    seconds = timedelta(days=days).total_seconds()
    with instance.run_storage.connect() as connection:
        for run in connection.execute(RunsTable.select()).mappings().all():
            stamps = ("create_timestamp", "update_timestamp")
            times = {name: run[name] - timedelta(days=days) for name in stamps}
            floats = {name: run[name] - seconds for name in ("start_time", "end_time") if run[name]}
            connection.execute(
                RunsTable.update().where(RunsTable.c.id == run["id"]).values(**times, **floats)
            )
    with instance.event_log_storage.index_connection() as connection:
        for event in connection.execute(SqlEventLogStorageTable.select()).mappings().all():
            connection.execute(
                SqlEventLogStorageTable.update()
                .where(SqlEventLogStorageTable.c.id == event["id"])
                .values(timestamp=event["timestamp"] - timedelta(days=days))
            )
