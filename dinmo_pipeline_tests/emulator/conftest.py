"""One emulator for all tests, emptied before each."""

from collections.abc import Iterator

import pytest
import requests

from dinmo_pipeline.emulator import EmulatorServer, running
from dinmo_pipeline_tests.emulator.api import Api, Clock


@pytest.fixture(scope="session")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def server(shared_clock: Clock) -> Iterator[EmulatorServer]:
    with running(clock=shared_clock) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def session() -> Iterator[requests.Session]:
    with requests.Session() as one:
        yield one


@pytest.fixture
def api(server: EmulatorServer, session: requests.Session, shared_clock: Clock) -> Api:
    shared_clock.now = Clock().now
    session.cookies.clear()
    client = Api(server.base_url, session, shared_clock)
    client.reset()
    return client
