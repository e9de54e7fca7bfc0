"""A session of development: Dagster, and perhaps a local Intercom, until a person or a signal ends it."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dinmo_pipeline.cli.development.code_location import code_location_of
from dinmo_pipeline.cli.development.dagster_servers import dagster_servers, watch
from dinmo_pipeline.cli.development.ports import LOOPBACK, is_open
from dinmo_pipeline.cli.development.processes import Processes, running_processes
from dinmo_pipeline.cli.development.report_server import served_report
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.config import Located
from dinmo_pipeline.config.locating import REPORT_URL_VARIABLE, VARIABLE

_DINMO: Final = "dinmo_pipeline.cli"


@contextmanager
def development(located: Located, home: Path) -> Iterator[Processes]:
    """Processes on the declarations and the DAGSTER_HOME, ended quietly by Ctrl-C, SIGTERM or SIGHUP."""
    environment = {
        **os.environ,
        VARIABLE: str(located.declarations.resolve()),
        "DAGSTER_HOME": str(home),
        # As `dg dev` sets it: the component of dagster-dbt then parses its project.
        "DAGSTER_IS_DEV_CLI": "1",
    }
    with _interrupted_by_signals(), served_report(located) as report_url:
        if report_url:
            environment[REPORT_URL_VARIABLE] = report_url
        with running_processes(environment, home) as processes:
            try:
                yield processes
            except KeyboardInterrupt:
                report("Stopping …")


def start_emulator(processes: Processes, port: int, *options: str) -> str:
    """Start a local Intercom by `dinmo emulator`, and wait until it answers; its address."""
    processes.start("emulator", (_DINMO, "emulator", "--port", str(port), *options))
    processes.wait_until(lambda: is_open(port))
    return f"http://{LOOPBACK}:{port}"


def serve(processes: Processes, located: Located, port: int, *, first: Sequence[str] = ()) -> None:
    """Run Dagster until something ends it; `first` is a `dinmo` command to run once it is up.

    Raises:
        click.ClickException: one of the processes ended by itself.
    """
    code_location = code_location_of(located)
    if code_location.project:
        report(f"Code location: {code_location.module} of {code_location.project.folder}")
    with dagster_servers(processes, port, code_location) as servers:
        home = processes.environment["DAGSTER_HOME"]
        if report_url := processes.environment.get(REPORT_URL_VARIABLE):
            echo(f"Report:  {report_url}   Every audience on one page, always current.")
        echo(f"Dagster: {servers.url}   Its runs are in {home}. Press Ctrl-C to stop.")
        if first:
            processes.run(f"dinmo {first[0]}", (_DINMO, *first))

        def reload() -> None:
            problem = servers.reload()
            report(problem or "The declarations have changed and were loaded again.")

        watch(located.declarations, located.env_files, processes, reload)


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM, and the end of the terminal, interrupt this process as Ctrl-C does."""
    before: Mapping[int, Any] = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
