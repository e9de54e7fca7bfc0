"""`dinmo demo`: two days of a sample shop and an emulated Intercom; `--dev` then opens the Dagster UI."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from dinmo_pipeline.cli.commands.running.emulator import require_emulator
from dinmo_pipeline.cli.dagster_home import ensure_dagster_home
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.demo import DEMO_DECLARATIONS

_EMULATOR_PORT = 8055  # as the demo's declarations say
_UI_PORT = 3000
_STOP_TIMEOUT_SECONDS = 10.0


@click.command()
@click.option("--dev", is_flag=True, help="Then open the result in the Dagster UI.")
def demo(*, dev: bool) -> int:
    """Play two days of a sample shop, synced to an emulated Intercom."""
    require_emulator()
    ensure_dagster_home()
    # Load Dagster: measured, 2.1 s that no other command should wait for.
    from dinmo_pipeline.demo.folder import NotTheDemoError  # noqa: PLC0415
    from dinmo_pipeline.demo.project import FOLDER, demo_project  # noqa: PLC0415
    from dinmo_pipeline.demo.story import Story  # noqa: PLC0415

    console = Console(highlight=False)
    try:
        project = demo_project(DEMO_DECLARATIONS, FOLDER)
        # The Dagster UI of `--dev` is another process: point it at the demo, not at the user's own
        # declarations. The emulator takes any token.
        os.environ["DINMO_CONFIG"] = str(DEMO_DECLARATIONS)
        for destination in project.destinations.values():
            os.environ[destination.access_token.name] = "demo-token"
        with _emulator(fixed_port=dev) as base_url:
            if not Story(project, FOLDER, os.environ, base_url, console).play():
                report("A tag differs from its segment. This is a bug; please report it.")
                return FAILED
            if dev:
                return _open_ui(base_url)
    except NotTheDemoError as error:
        raise click.ClickException(str(error)) from None
    console.print("To see the result in the Dagster UI, run [bold]make dev[/bold].")
    return DONE


@contextmanager
def _emulator(*, fixed_port: bool) -> Iterator[str]:
    """Run an empty emulator: on a free port, or in its own process on the declared port."""
    if not fixed_port:
        from dinmo_pipeline.emulator import running  # noqa: PLC0415  # an optional extra

        with running() as server:
            yield server.base_url
        return
    words = ["-m", "dinmo_pipeline.cli", "emulator", "--port", str(_EMULATOR_PORT)]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            # It prints a line when it is ready; the stream ends when it cannot start.
            if process.stdout is None or not process.stdout.readline():
                raise click.ClickException(f"The emulator cannot start on port {_EMULATOR_PORT}.")
            yield f"http://127.0.0.1:{_EMULATOR_PORT}"
        finally:
            process.terminate()


def _open_ui(emulator: str) -> int:
    report(
        f"Dagster: http://127.0.0.1:{_UI_PORT}   Emulated Intercom: {emulator}/   Press Ctrl-C to stop both."
    )
    command = [sys.executable, "-m", "dagster_dg_cli.cli", "dev", "--port", str(_UI_PORT)]
    with subprocess.Popen(  # noqa: S603  # no shell, our words
        command, env=os.environ, start_new_session=True
    ) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            _stop(process)
            return DONE


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and all that it started: interrupt them, and kill them after a timeout."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=_STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
