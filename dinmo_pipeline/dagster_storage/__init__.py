"""Dagster's own storage: made by one process at a time, kept open, and cleared of what Dagster leaves behind.

`dagster.yaml` names the class here.

Several processes that create the storage of one new DAGSTER_HOME at the same moment, such as a webserver, a
daemon and two syncs, can break it for good (`alembic_version has more than one head`; seen with Dagster 1.13
in 3 of 4 starts of five processes).
"""

import atexit
import os
import tempfile
from pathlib import Path
from typing import Any

from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory
from filelock import FileLock

from dinmo_pipeline.dagster_storage.events import OpenSqliteEventLogStorage


class LockedSqliteStorage(DagsterSqliteStorage):
    """SQLite storage in DAGSTER_HOME, where Dagster keeps it by default."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        with FileLock(Path(base_dir) / ".storage.lock"):
            super().__init__(base_dir, inst_data=inst_data)
            self._event_log_storage = OpenSqliteEventLogStorage(_event_logs_directory(base_dir))
            # The index of events is created by its first use.
            self.event_log_storage.get_maximum_record_id()

    @classmethod
    def config_type(cls) -> Any:
        """It has no settings."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "LockedSqliteStorage":  # noqa: ARG003
        """As Dagster calls it with the values of `dagster.yaml`."""
        return cls.from_local(_dagster_home(), inst_data=inst_data)


def _dagster_home() -> str:
    """DAGSTER_HOME; without one, as for `dagster dev`, a temporary folder for this process and its own."""
    if "DAGSTER_HOME" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="dagster_home_")
        atexit.register(folder.cleanup)
        os.environ["DAGSTER_HOME"] = folder.name
    return os.environ["DAGSTER_HOME"]
