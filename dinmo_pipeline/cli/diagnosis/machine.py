"""What is installed, and how much room is left."""

import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from dinmo_pipeline.cli.diagnosis.findings import Finding, fail, ok, warn
from dinmo_pipeline.config.declarations.warehouse import SourceType

_PACKAGES: Final = ("dinmo-pipeline", "dagster", "duckdb", "pyarrow", "sqlglot")
# The module that each extra brings, for the sources that need one.
_DRIVERS: Final[Mapping[SourceType, str]] = {
    "postgres": "adbc_driver_postgresql",
    "redshift": "adbc_driver_postgresql",
    "snowflake": "adbc_driver_snowflake",
    "bigquery": "adbc_driver_bigquery",
    "databricks": "databricks.sql",
}
_LOW_BYTES: Final = 2_000_000_000
_TOO_LOW_BYTES: Final = 100_000_000


def check_versions() -> Iterator[Finding]:
    """The versions that an issue should name, and whether Dagster's parts fit each other."""
    listed = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield ok("versions", f"Python {platform.python_version()}, {listed}")
    webserver = _version("dagster-webserver")
    if webserver is None:
        yield warn(
            "Dagster UI", "dagster-webserver is not installed.", "Run pip install 'dinmo-pipeline[ui]'."
        )
    elif webserver != version("dagster"):
        yield fail(
            "Dagster UI",
            f"dagster-webserver is {webserver}, but dagster is {version('dagster')}.",
            f"Run pip install dagster-webserver=={version('dagster')}.",
        )
    else:
        yield ok("Dagster UI", f"dagster-webserver {webserver}")


def check_driver(source: SourceType) -> Iterator[Finding]:
    """The driver of the declared source, if it needs one."""
    module = _DRIVERS.get(source)
    if module and not _is_installed(module):
        yield fail(
            "driver", f"The driver of {source} is missing.", f"Run pip install 'dinmo-pipeline[{source}]'."
        )


def check_disk(folders: Iterable[Path]) -> Iterator[Finding]:
    """The free space of the disks that are written to, each disk once."""
    seen: set[int] = set()
    for folder in folders:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        disk = there.stat().st_dev
        if disk in seen:
            continue
        seen.add(disk)
        free = shutil.disk_usage(there).free
        said = f"{free / 1e9:,.1f} GB free at {there}"
        if free < _TOO_LOW_BYTES:
            yield fail("disk", said, "Free some space: a sync needs room to write.")
        elif free < _LOW_BYTES:
            yield warn("disk", said, "Free some space. The state and Dagster's runs grow with time.")
        else:
            yield ok("disk", said)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
