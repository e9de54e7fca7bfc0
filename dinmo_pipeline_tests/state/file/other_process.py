"""Another process that has the state, a lock, or a run's mark, until it lets go or is killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD_THE_STATE = """
from dinmo_pipeline.state.file.database import StateDatabase
state = StateDatabase({path!r})
with state.scratch() as connection, state.attached(connection, read_only={read_only}):
    {work}
    print("ready", flush=True)
    input()
"""
_HOLD_THE_LOCK = """
from pathlib import Path
from dinmo_pipeline.state.file.locks import activation_lock
with activation_lock(Path({path!r}), "vip", wait_seconds=0, on_wait=print):
    print("ready", flush=True)
    input()
"""
_MARK_THE_RUN = """
from pathlib import Path
from dinmo_pipeline.state.file.run_marks import run_mark
with run_mark(Path({path!r}), {run_id!r}):
    print("ready", flush=True)
    input()
"""
INSERT = "INSERT INTO dinmo.signup_looks VALUES ('{destination}', TIMESTAMPTZ '2026-03-01 09:00:00+00')"


class OtherProcess:
    """A process that is ready and waits."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def let_go(self) -> None:
        """Let it end normally, now or soon."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def wait(self) -> None:
        """Wait for its end."""
        self._process.wait()

    def kill(self) -> None:
        """End it at once, with SIGKILL."""
        self._process.kill()
        self._process.wait()


@contextmanager
def holding_state(path: Path, *statements: str, read_only: bool = False) -> Iterator[OtherProcess]:
    """A process that has the state attached, and has executed statements."""
    work = "".join(f"connection.execute({statement!r}); " for statement in statements) or "pass"
    with _running(_HOLD_THE_STATE.format(path=str(path), work=work, read_only=read_only)) as process:
        yield process


@contextmanager
def holding_lock(folder: Path) -> Iterator[OtherProcess]:
    """A process that holds the lock of activation `vip`."""
    with _running(_HOLD_THE_LOCK.format(path=str(folder))) as process:
        yield process


@contextmanager
def marking_run(folder: Path, run_id: str) -> Iterator[OtherProcess]:
    """A process that has marked a run as alive."""
    with _running(_MARK_THE_RUN.format(path=str(folder), run_id=run_id)) as process:
        yield process


@contextmanager
def _running(script: str) -> Iterator[OtherProcess]:
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield OtherProcess(process)
    finally:
        process.kill()
        process.communicate()
