"""One emulated Intercom for all end-to-end tests, emptied before each; a company around it."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import requests

from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE, Company, intercom_of_tests


@pytest.fixture(scope="session")
def intercom() -> Iterator[str]:
    """The base URL of the emulator."""
    with intercom_of_tests() as base_url:
        yield base_url


@pytest.fixture
def company(tmp_path: Path, intercom: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company with an empty Intercom workspace and one activation `vip` of the table `vip`."""
    requests.post(f"{intercom}/_emulator/reset", json={}, timeout=30).raise_for_status()
    requests.get(f"{intercom}/_emulator/stats", params={"reset": "1"}, timeout=30)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Company(tmp_path, intercom, instance)
