"""One emulator for all tests of this folder, emptied before each; time is told, never waited for."""

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
    """A server that answers what a test tells it to."""
    with scripted() as one:
        yield one


@pytest.fixture
def client_of(clock: Clock) -> Iterator[Callable[..., IntercomClient]]:
    """Makes clients of any host, with a clock that their waiting moves."""
    clients: list[IntercomClient] = []

    def make(base_url: str, **options: object) -> IntercomClient:
        clients.append(clock.client(base_url, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
