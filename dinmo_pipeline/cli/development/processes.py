"""Processes that live as long as a block: whatever ends it, none of them is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from dinmo_pipeline.cli.development import guardian

_STOP_TIMEOUT_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.1


@dataclass
class Processes:
    """Processes by name, each the leader of a group of its own, so that a Ctrl-C reaches only `dinmo`."""

    environment: Mapping[str, str]
    folder: Path
    watcher: "subprocess.Popen[str]"
    started: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def start(self, name: str, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start `python -m WORDS…`. Its standard output goes to standard error, as all logs do."""
        process = subprocess.Popen(  # noqa: S603  # no shell, our words
            [sys.executable, "-m", *words],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
        )
        self.started[name] = process
        _tell(self.watcher, str(process.pid))
        return process

    def run(self, name: str, words: Sequence[str]) -> int:
        """Run `python -m WORDS…` to its end, and return its exit code. It need not keep running."""
        process = self.start(name, words)
        try:
            return process.wait()
        finally:
            if process.poll() is not None:
                del self.started[name]

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until something is ready.

        Raises:
            click.ClickException: a process ended before.
        """
        while not ready():
            self.require_all()
            time.sleep(_POLL_SECONDS)

    def require_all(self) -> None:
        """Check that every process runs.

        Raises:
            click.ClickException: one has ended; the message names it.
        """
        for name, process in self.started.items():
            if process.poll() is not None:
                raise click.ClickException(
                    f"The {name} has ended with code {process.returncode}. The lines above say why."
                )


@contextmanager
def running_processes(environment: Mapping[str, str], folder: Path) -> Iterator[Processes]:
    """Processes that end with the block, also if this process is killed."""
    # In a session of its own, so that no signal of the terminal ends it first.
    watcher = subprocess.Popen(  # noqa: S603  # no shell, our words
        [sys.executable, "-S", "-E", guardian.__file__],
        stdin=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    processes = Processes(environment, folder, watcher)
    try:
        yield processes
    finally:
        # A second Ctrl-C would leave some of them.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stop([process.pid for process in reversed(processes.started.values())], _reap(processes))
        _tell(watcher, "done")
        watcher.communicate()


def stop(leaders: Sequence[int], ended: Callable[[int], bool]) -> None:
    """Interrupt groups of processes, and kill after a timeout what is left of them."""
    for leader in leaders:
        _signal(leader, signal.SIGINT)
    deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
    for leader in leaders:
        while not ended(leader) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        _signal(leader, signal.SIGKILL)
        ended(leader)


def _signal(leader: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _reap(processes: Processes) -> Callable[[int], bool]:
    by_id = {process.pid: process for process in processes.started.values()}

    def ended(leader: int) -> bool:
        with suppress(subprocess.TimeoutExpired):
            by_id[leader].wait(timeout=_POLL_SECONDS)
        return by_id[leader].returncode is not None

    return ended


def _tell(watcher: "subprocess.Popen[str]", line: str) -> None:
    with suppress(OSError, ValueError):
        if watcher.stdin is not None:
            watcher.stdin.write(f"{line}\n")
            watcher.stdin.flush()
