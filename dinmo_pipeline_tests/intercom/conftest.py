"""One emulator for all tests of this folder, emptied before each test; no test waits for real time."""

from collections.abc import Callable, Iterator

import pytest

from dinmo_pipeline.emulator import EmulatorServer, running
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline_tests.intercom.scripted import ScriptedServer, scripted
from dinmo_pipeline_tests.intercom.workspace import Clock, Workspace


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def server(clock: Clock) -> Iterator[EmulatorServer]:
    with running(clock=clock) as emulator:
        yield emulator


@pytest.fixture
def workspace(server: EmulatorServer, clock: Clock) -> Iterator[Workspace]:
    """An empty workspace at API 2.16."""
    with Workspace(server, clock) as workspace:
        workspace.reset()
        yield workspace


@pytest.fixture(scope="session")
def script() -> Iterator[ScriptedServer]:
    """A server that gives the answers of a test's script."""
    with scripted() as one:
        yield one


@pytest.fixture
def client_of(clock: Clock) -> Iterator[Callable[..., IntercomClient]]:
    """Creates clients of any host, on a clock that their waits advance."""
    clients: list[IntercomClient] = []

    def make(base_url: str, **options: object) -> IntercomClient:
        clients.append(clock.client(base_url, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
