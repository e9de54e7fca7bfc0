"""Running the emulator: in the foreground, in a thread, or in a process of its own."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.http.app import App
from dinmo_pipeline.emulator.http.wire import TRANSPORT
from dinmo_pipeline.emulator.settings import EmulatorSettings, as_json
from dinmo_pipeline.emulator.workspace.store import Store

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 2048
_DEFAULTS: Final = EmulatorSettings()


@dataclass(frozen=True, slots=True)
class EmulatorServer:
    """An emulator that runs in a thread of this process.

    Attributes:
        base_url: Where it answers, like "http://127.0.0.1:54321".
        emulator: Its state. Change it before calls are under way; then only look at it.
    """

    base_url: str
    emulator: Emulator

    @property
    def store(self) -> Store:
        """The workspace; another one after each reset."""
        return self.emulator.store


@dataclass(frozen=True, slots=True)
class EmulatorProcess:
    """An emulator that runs in a process of its own.

    Attributes:
        base_url: Where it answers.
        process: To look at, or to kill.
    """

    base_url: str
    process: subprocess.Popen[str]


def serve(settings: EmulatorSettings = _DEFAULTS, host: str = _LOOPBACK, port: int = 8055) -> None:
    """Run an emulator until the process is told to stop; prints one line when it is ready.

    Raises:
        OSError: The address is taken.
    """
    with _bound(host, port) as listener:
        serve_on(listener, settings)


def serve_on(listener: socket.socket, settings: EmulatorSettings) -> None:
    """Like `serve`, on a socket that listens already."""
    print(f"Emulated Intercom at {_url(listener)}", flush=True)  # noqa: T201
    with suppress(KeyboardInterrupt):
        uvicorn.Server(_config(Emulator(settings, time.time))).run(sockets=[listener])


@contextmanager
def running(
    settings: EmulatorSettings = _DEFAULTS, *, clock: Callable[[], float] = time.time
) -> Iterator[EmulatorServer]:
    """Run an emulator in a thread, on a free port of this machine.

    Args:
        settings: Of the workspace.
        clock: Unix time in seconds; windows, timestamps and the index lag follow it.
    """
    emulator = Emulator(settings, clock)
    with _bound(_LOOPBACK, 0) as listener:
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


@contextmanager
def running_process(settings: EmulatorSettings = _DEFAULTS) -> Iterator[EmulatorProcess]:
    """Run an emulator in a process of its own, on a free port of this machine.

    Raises:
        RuntimeError: The process did not start; what it wrote is on standard error.
    """
    with _bound(_LOOPBACK, 0) as listener:
        url = _url(listener)
        command = [sys.executable, "-m", "dinmo_pipeline.emulator"]
        process = subprocess.Popen(  # noqa: S603 - our own module, and no shell
            [*command, str(listener.fileno()), json.dumps(as_json(settings))],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
    with process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("the emulator's process did not start")
            yield EmulatorProcess(url, process)
        finally:
            process.terminate()


class _Protocol(HttpToolsProtocol):
    """HTTP whose connections a fault can break."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]


class _StoppableServer(uvicorn.Server):
    """A server that tells when it has started, and that another thread stops without delay."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._started = threading.Event()
        self._stop: Callable[[], Any] = lambda: None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Run until `stop`; a failure to start ends the waiting as well."""
        try:
            super().run(sockets)
        finally:
            self._started.set()

    def wait_until_started(self) -> None:
        """Wait until connections are answered."""
        self._started.wait()

    def stop(self) -> None:
        """Make `run` return."""
        self._stop()

    async def main_loop(self) -> None:
        """Wait to be stopped, where uvicorn looks ten times a second."""
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
        # As long as nginx, so that a client that waits for the next window keeps its connections.
        timeout_keep_alive=75,
        # A call that a fault keeps hanging must not keep the server from stopping.
        timeout_graceful_shutdown=0,
    )


def _bound(host: str, port: int) -> socket.socket:
    # Listening from here on: who connects before the server runs waits in the queue.
    return socket.create_server((host, port), backlog=_BACKLOG)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
