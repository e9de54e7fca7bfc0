"""An emulator in its own process, for tests and benchmarks that load or kill it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dinmo_pipeline.emulator import EmulatorSettings
from dinmo_pipeline.emulator.http.server import serve_on
from dinmo_pipeline.emulator.settings import as_json, changed


@dataclass(frozen=True, slots=True)
class EmulatorProcess:
    """A running emulator: its base URL, and the process to look at or kill."""

    base_url: str
    process: "subprocess.Popen[str]"


@contextmanager
def running_process(settings: EmulatorSettings | None = None) -> Iterator[EmulatorProcess]:
    """Run an emulator in its own process, on a free port of this machine.

    Raises:
        RuntimeError: the process did not start; its output is on standard error.
    """
    # It listens before the process starts, so early connections wait in the queue.
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        host, port = listener.getsockname()
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", __name__, str(descriptor)),
                json.dumps(as_json(settings or EmulatorSettings())),
            ],
            pass_fds=[descriptor],
            stdout=subprocess.PIPE,
            text=True,
        )
    with process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("the emulator's process did not start")
            yield EmulatorProcess(f"http://{host}:{port}", process)
        finally:
            process.terminate()


def main(descriptor: str, settings: str) -> None:
    """Serve on an inherited socket, given its file descriptor and the settings as JSON."""
    with socket.socket(fileno=int(descriptor)) as listener:
        serve_on(listener, changed(EmulatorSettings(), json.loads(settings)))


if __name__ == "__main__":
    main(*sys.argv[1:])
