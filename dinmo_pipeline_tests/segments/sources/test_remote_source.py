"""What can be tested without a warehouse: the driver it needs, and no early imports."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import dinmo_pipeline.segments
from dinmo_pipeline.config.declarations import EnvironmentVariable, Source
from dinmo_pipeline.segments import SourceError, open_source
from dinmo_pipeline.segments.sources.warehouses import WAREHOUSES
from dinmo_pipeline_tests.segments.declaring import HERE

ROOT = Path(__file__).parents[3]
IMPORTED = """
import sys
import dinmo_pipeline.segments
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_a_missing_driver_names_its_extra() -> None:
    """For the drivers that the tests do not install."""
    for type_ in ("snowflake", "bigquery", "databricks"):
        if find_spec(WAREHOUSES[type_].driver.partition(".")[0]):
            continue
        source = Source(type_, None, EnvironmentVariable("WAREHOUSE_URI"), HERE)
        with (
            pytest.raises(SourceError, match=rf"pip install 'dinmo-pipeline\[{type_}\]'"),
            open_source(source, uri=f"{type_}://ann:s3cret@host/x"),
        ):
            pass


def test_every_warehouse_has_an_extra_of_its_name() -> None:
    """`pip install dinmo-pipeline[snowflake]` installs the driver for `type: snowflake`."""
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for type_ in WAREHOUSES:
        assert f"\n{type_} = [" in declared


def test_no_driver_and_no_layer_is_imported_with_the_package() -> None:
    """Drivers are heavy and optional, and this layer does not know the other layers."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED], check=True, capture_output=True, text=True, cwd=ROOT
    )
    imported = set(run.stdout.split())
    assert not imported & {
        "adbc_driver_postgresql",
        "adbc_driver_manager",
        "databricks",
        "dagster",
        "requests",
    }


def test_the_public_names_are_what_the_package_exports() -> None:
    """`__all__` lists only names that exist."""
    names = dinmo_pipeline.segments.__all__
    assert all(hasattr(dinmo_pipeline.segments, name) for name in names)
