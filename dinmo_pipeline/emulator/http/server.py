"""Running the emulator, in the foreground or in a thread."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.http.app import App
from dinmo_pipeline.emulator.http.wire import TRANSPORT
from dinmo_pipeline.emulator.settings import EmulatorSettings
from dinmo_pipeline.emulator.workspace.records import NewContact
from dinmo_pipeline.emulator.workspace.store import Store

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 2048
_DEFAULTS: Final = EmulatorSettings()


@dataclass(frozen=True, slots=True)
class EmulatorServer:
    """An emulator that runs in a thread of this process.

    Attributes:
        base_url: Like "http://127.0.0.1:54321".
        emulator: Its state. Do not change it while calls are in flight.
    """

    base_url: str
    emulator: Emulator

    @property
    def store(self) -> Store:
        """The workspace; each reset replaces it."""
        return self.emulator.store


def serve(
    settings: EmulatorSettings = _DEFAULTS,
    host: str = _LOOPBACK,
    port: int = 8055,
    *,
    contacts: Iterable[NewContact] = (),
) -> None:
    """Run an emulator until the process is stopped; print a line when it is ready.

    Args:
        settings: Settings of the workspace.
        host: The address to listen on.
        port: The port to listen on.
        contacts: The contacts of the workspace at the start.

    Raises:
        OSError: The address is in use.
    """
    with _listening(host, port) as listener:
        serve_on(listener, settings, contacts)


def serve_on(
    listener: socket.socket, settings: EmulatorSettings, contacts: Iterable[NewContact] = ()
) -> None:
    """Like `serve`, on a socket that already listens."""
    emulator = Emulator(settings, time.time)
    emulator.store.create_many(contacts)
    server = _ForegroundServer(_config(emulator), f"Emulated Intercom at {_url(listener)}")
    # From here on, not only once the loop runs: a signal in between would end it with a warning.
    with suppress(KeyboardInterrupt), server.capture_signals():
        server.run(sockets=[listener])


@contextmanager
def running(
    settings: EmulatorSettings = _DEFAULTS, *, clock: Callable[[], float] = time.time
) -> Iterator[EmulatorServer]:
    """Run an emulator in a thread, on a free port of this machine.

    Args:
        settings: Settings of the workspace.
        clock: Unix time in seconds, for rate-limit windows, timestamps and the index lag.
    """
    emulator = Emulator(settings, clock)
    with _listening(_LOOPBACK, 0) as listener:
        url = _url(listener)
        server = _StoppableServer(_config(emulator))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="emulator", daemon=True
        )
        thread.start()
        try:
            server.wait_until_started()
            yield EmulatorServer(url, emulator)
        finally:
            server.stop()
            thread.join()


class _Protocol(HttpToolsProtocol):
    """HTTP that lets a fault break the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]


class _ForegroundServer(uvicorn.Server):
    """A server that prints a line once it accepts connections, and signals end it cleanly."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready, flush=True)  # noqa: T201


class _StoppableServer(uvicorn.Server):
    """A server that another thread can wait for, and stop without delay."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._started = threading.Event()
        self._stop: Callable[[], Any] = lambda: None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Run until `stop`; a failure to start also ends `wait_until_started`."""
        try:
            super().run(sockets)
        finally:
            self._started.set()

    def wait_until_started(self) -> None:
        """Wait until the server accepts connections."""
        self._started.wait()

    def stop(self) -> None:
        """Make `run` return."""
        self._stop()

    async def main_loop(self) -> None:
        """Wait for `stop`; uvicorn's own loop would poll ten times a second."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        self._started.set()
        await stopped.wait()


def _config(emulator: Emulator) -> uvicorn.Config:
    return uvicorn.Config(
        App(emulator),
        http=_Protocol,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,
        server_header=False,
        # Seconds, as nginx has it: a client that waits for the next window keeps its connections.
        timeout_keep_alive=75,
        # Stop at once, even if a fault keeps a call hanging.
        timeout_graceful_shutdown=0,
    )


def _listening(host: str, port: int) -> socket.socket:
    # Connections that come before the server runs wait in the queue.
    return socket.create_server((host, port), backlog=_BACKLOG)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
