"""A deployment on several machines, played on one: Dagster's daemon, its code server, and Celery workers.

Each worker has process ids of its own, and a clock of its own that a restart sets anew, as `unshare` gives
them. So a worker cannot know whether a process of another one lives, nor what its monotonic clock means.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

LOCATION = "dinmo_pipeline_tests.soak.audited"
_START_SECONDS = 120.0
_RUNS_PER_WORKER = 2
_MAX_UPTIME_SECONDS = 10_000_000


class ClusterError(Exception):
    """The cluster cannot be started; the message says why."""


@dataclass
class Cluster:
    """A running deployment; `folder` has its configuration and a log of each process."""

    folder: Path
    choice: random.Random
    workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """DAGSTER_HOME, of all machines."""
        return self.folder / "dagster_home"

    def start_worker(self, name: str) -> None:
        """Start a machine with a Celery worker."""
        uptime = str(self.choice.randrange(_MAX_UPTIME_SECONDS))
        clock = ["--time", "--monotonic", uptime, "--boottime", uptime]
        # Without root, a namespace of the user permits the others.
        user = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
        self.workers[name] = self.start(
            name,
            *("unshare", *user, "--pid", "--mount-proc", *clock, "--fork", "--kill-child"),
            *(sys.executable, "-m", "celery", "-A", "dagster_celery.app", "worker", "-Q", "dagster"),
            *("-n", f"{name}@%h", "--concurrency", str(_RUNS_PER_WORKER), "--prefetch-multiplier", "1"),
            PYTHONPATH=os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")]),
        )

    def kill_worker(self, name: str) -> None:
        """Kill a machine: all its processes at once."""
        machine = self.workers.pop(name)
        # The first process of its namespace, at whose end the kernel kills all others in it.
        if first := self._first_process(machine):
            first.kill()
        machine.kill()
        machine.wait()

    def restart_ended(self) -> int:
        """Start the workers again that have ended, as a supervisor does; how many there were.

        Celery's broker of folders may read a message before it is written, and then its worker ends.
        """
        ended = [name for name, process in self.workers.items() if process.poll() is not None]
        for name in ended:
            self.start_worker(name)
        return len(ended)

    def kill_run(self, name: str) -> bool:
        """Kill a process of a machine that is executing a run; whether there was one.

        Not an idle one: it may hold the lock of the queue of its worker, which then stands still for ever.
        """
        first = self._first_process(self.workers[name])
        executing = [process for process in _children(first) if _executes_a_run(process)] if first else []
        if executing:
            self.choice.choice(executing).kill()
        return bool(executing)

    def _first_process(self, machine: "subprocess.Popen[bytes]") -> psutil.Process | None:
        if machine.poll() is not None:
            return None
        return next(iter(_children(psutil.Process(machine.pid))), None)

    def start(self, name: str, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a process with a log of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, env={**os.environ, **environment}, cwd=self.folder, stdout=log, stderr=log
            )


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _executes_a_run(process: psutil.Process) -> bool:
    """Whether the process has the mark of a living run."""
    try:
        return any(file.path.endswith(".run") for file in process.open_files())
    except psutil.NoSuchProcess:
        return False


def require_namespaces() -> None:
    """Refuse a machine on which machines cannot be played.

    Raises:
        ClusterError: it is not Linux, or does not permit it.
    """
    if not shutil.which("unshare"):
        raise ClusterError("Needs `unshare` of util-linux, which gives each worker process ids of its own.")
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    tried = subprocess.run(
        ["unshare", *user, "--pid", "--mount-proc", "--time", "--monotonic", "9", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        raise ClusterError(f"Namespaces are not permitted here: {tried.stderr.strip()}")


@contextmanager
def running_cluster(folder: Path, postgres_uri: str, *, workers: int, seed: int) -> Iterator[Cluster]:
    """Run a deployment with so many workers. Sets DAGSTER_HOME for this process and all others.

    Raises:
        ClusterError: a process ended at once.
    """
    # Not for secrets: the same seed kills in the same order.
    cluster = Cluster(folder, random.Random(seed))  # noqa: S311
    cluster.home.mkdir()
    os.environ["DAGSTER_HOME"] = str(cluster.home)
    celery = _celery(folder)
    (cluster.home / "dagster.yaml").write_text(yaml.safe_dump(_instance(postgres_uri, celery)))
    (folder / "dagster_celery_config.py").write_text(
        f"broker_url = {celery['broker']!r}\nresult_backend = {celery['backend']!r}\n"
        + "".join(f"{name} = {value!r}\n" for name, value in celery["config_source"].items())
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = {"host": "127.0.0.1", "port": port, "location_name": "pipeline"}
    (folder / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    dagster = str(Path(sys.executable).with_name("dagster"))
    daemon = str(Path(sys.executable).with_name("dagster-daemon"))
    others = []
    try:
        others.append(cluster.start("code", dagster, "code-server", "start", "-m", LOCATION, "-p", str(port)))
        _wait_for_port(port, others[0], folder / "code.log")
        others.append(cluster.start("daemon", daemon, "run", "-w", str(folder / "workspace.yaml")))
        for number in range(workers):
            cluster.start_worker(f"machine{number + 1}")
        yield cluster
    finally:
        for process in others:
            process.send_signal(signal.SIGTERM)
        for name in list(cluster.workers):
            cluster.kill_worker(name)
        for process in others:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _celery(folder: Path) -> dict[str, Any]:
    """Celery's settings: a broker and a result backend that are folders."""
    folders = {name: folder / "celery" / name for name in ("messages", "control", "results")}
    for path in folders.values():
        path.mkdir(parents=True)
    return {
        "broker": "filesystem://",
        "backend": folders["results"].as_uri(),
        "config_source": {
            "broker_transport_options": {
                "data_folder_in": str(folders["messages"]),
                "data_folder_out": str(folders["messages"]),
                "control_folder": str(folders["control"]),
            },
        },
    }


def _instance(postgres_uri: str, celery: Mapping[str, Any]) -> dict[str, Any]:
    """The dagster.yaml of docs/guides/operate.md, "On several machines", with Celery and short pauses."""
    return {
        "telemetry": {"enabled": False},
        "storage": {"postgres": {"postgres_url": postgres_uri}},
        "run_launcher": {
            "module": "dagster_celery.launcher",
            "class": "CeleryRunLauncher",
            "config": dict(celery),
        },
        "concurrency": {
            "runs": {
                "max_concurrent_runs": 10,
                "tag_concurrency_limits": [
                    {"key": "dinmo/destination", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
                ],
            }
        },
        "run_monitoring": {"enabled": True, "poll_interval_seconds": 10, "start_timeout_seconds": 60},
        # In threads, since ticks take long enough on a busy machine to delay each other.
        "sensors": {"use_threads": True, "num_workers": 4},
        "schedules": {"use_threads": True, "num_workers": 4},
    }


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ClusterError(f"The code server ended:\n{log.read_text()}")
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise ClusterError(f"The code server does not answer:\n{log.read_text()}")
