"""The wheel, built once and installed with its dependencies from the package index."""

from pathlib import Path

import pytest

from dinmo_pipeline_tests.installed.environment import Environment, built_wheel, installed


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this repository."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; `make test-installed` installs it")
    return built_wheel(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def environment(wheel, tmp_path_factory) -> Environment:
    """What `pip install 'dinmo-pipeline[ui,emulator]'` makes."""
    return installed(tmp_path_factory.mktemp("fresh"), "constraints.txt", f"{wheel}[ui,emulator]")


@pytest.fixture(scope="session")
def dbt_environment(wheel, tmp_path_factory) -> Environment:
    """The same in an environment that has dbt and dagster-dbt."""
    return installed(
        tmp_path_factory.mktemp("with-dbt"),
        "dinmo_pipeline_tests/dbt/constraints.txt",
        *(f"{wheel}[ui,emulator]", "dagster-dbt", "dbt-core", "dbt-duckdb"),
    )
