"""The Dagster instance: its folder, its settings, and the daemon that runs the schedules."""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import yaml

from dinmo_pipeline.cli.dagster_home import (
    SETTINGS_NAME,
    dagster_instance,
    require_usable,
    undeclared_home,
)
from dinmo_pipeline.cli.diagnosis.findings import Finding, fail, not_checked, ok, warn
from dinmo_pipeline.state.file.loaded_declarations import read_loaded

_COPY_THEM: Final = "Copy them from the dagster.yaml that `dinmo init` makes."
_ALIVE_SECONDS: Final = 120.0  # heartbeats come every 30 seconds
_START: Final = "Run `dinmo dev`, or dagster-daemon with workspace.yaml."


def dagster_home() -> Path:
    """The folder of the instance; it may not exist."""
    return Path(os.environ.get("DAGSTER_HOME") or undeclared_home())


def check_home(home: Path) -> Iterator[Finding]:
    """The folder and its settings; nothing is created."""
    declared = os.environ.get("DAGSTER_HOME")
    if declared:
        try:
            require_usable(declared)
        except click.UsageError as error:
            yield fail("DAGSTER_HOME", error.message, "See above.")
            return
    elif not home.exists():
        yield ok("DAGSTER_HOME", f"not set; the first sync makes {home}")
        return
    else:
        yield ok("DAGSTER_HOME", f"not set, so `dinmo` uses {home}. For `dg dev`, set it to that")
    if declared:
        yield ok("DAGSTER_HOME", str(home))
    yield from _settings(home / SETTINGS_NAME)


def _settings(file: Path) -> Iterator[Finding]:
    try:
        read = yaml.safe_load(file.read_text("utf-8")) or {}
    except FileNotFoundError:
        yield warn("settings", f"{file} does not exist: Dagster's own defaults apply.", _COPY_THEM)
        return
    except (OSError, ValueError, yaml.YAMLError) as error:
        yield fail("settings", f"{file} cannot be read: {' '.join(str(error).split())}", "Correct it.")
        return
    missing = [*_missing_settings(read if isinstance(read, dict) else {})]
    if missing:
        yield warn("settings", f"{file} lacks {'; '.join(missing)}.", _COPY_THEM)
    else:
        yield ok("settings", f"{file}: limits, run monitoring, telemetry off")


def _missing_settings(settings: Mapping[str, Any]) -> Iterator[str]:
    runs = _at(settings, "concurrency", "runs")
    limits = _at(runs, "tag_concurrency_limits") if isinstance(runs, dict) else None
    keys = (
        [limit.get("key") for limit in limits if isinstance(limit, dict)] if isinstance(limits, list) else []
    )
    if "dagster/partition" not in keys:
        yield "the limit of one run per partition (`concurrency: runs: tag_concurrency_limits`)"
    if _at(settings, "run_monitoring", "enabled") is not True:
        yield "the end of hanging runs (`run_monitoring`)"
    if "storage" not in settings:
        yield "storage that several processes may create at once (`storage`)"
    if _at(settings, "telemetry", "enabled") is not False:
        yield "`telemetry: {enabled: false}`"


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def check_daemon(home: Path, locks: Path, fingerprint: str) -> Iterator[Finding]:
    """Whether the daemon is alive, and has the declarations as they are on disk.

    `locks` is the folder beside the state, where it records them.
    """
    if not (home / "history").exists() and not _has_own_storage(home):
        yield warn("daemon", "It has never run here, so no schedule runs.", _START)
        return
    try:
        os.environ["DAGSTER_HOME"] = str(home)
        with dagster_instance() as instance:
            heartbeats = [each.timestamp for each in instance.get_daemon_heartbeats().values()]
    except click.ClickException as error:
        yield not_checked("daemon", error.message)
        return
    if not heartbeats:
        yield warn("daemon", "It has never run here, so no schedule runs.", _START)
        return
    silent = time.time() - max(heartbeats)
    if silent > _ALIVE_SECONDS:
        at = datetime.fromtimestamp(max(heartbeats), UTC)
        yield warn("daemon", f"It last ran {at:%Y-%m-%d %H:%M} UTC, so no schedule runs.", _START)
        return
    yield ok("daemon", f"alive, {max(silent, 0):.0f} s ago")
    yield _loaded(locks, fingerprint)


def _loaded(locks: Path, fingerprint: str) -> Finding:
    loaded, subject = read_loaded(locks), "daemon's declarations"
    if loaded is None or not loaded.is_current(datetime.now(UTC)):
        return not_checked(
            subject,
            "The sensor that reports them has not run within three minutes.",
            "Is tag_changes_sensor running, and the daemon on this machine?",
        )
    if loaded.fingerprint != fingerprint:
        return warn(
            subject,
            "They have changed since the daemon loaded them.",
            "Reload the code location in the Dagster UI, or restart the daemon.",
        )
    return ok(subject, "the same as on disk")


def _has_own_storage(home: Path) -> bool:
    """Whether the settings name a storage that is not in this folder, such as PostgreSQL."""
    try:
        text = (home / SETTINGS_NAME).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return "storage:" in text and "LockedSqliteStorage" not in text
