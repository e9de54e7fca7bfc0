"""`dinmo demo`: the whole story on a sample shop and a local Intercom; --dev opens it in the UI."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from dinmo_pipeline.cli.commands.emulator import require_emulator
from dinmo_pipeline.cli.dagster_home import ensure_dagster_home
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.messages import report

_DEV_PORT = 8055  # what the demo's declarations name
_UI_PORT = 3000
_PATIENCE_SECONDS = 10.0


@click.command()
@click.option("--dev", is_flag=True, help="Afterwards open that world in the Dagster UI.")
def demo(*, dev: bool) -> int:
    """Tell the whole story in the terminal: two days of a shop, synced to a local Intercom."""
    require_emulator()
    ensure_dagster_home()
    from rich.console import Console  # noqa: PLC0415  # slow to import

    from dinmo_pipeline.demo.folder import NotTheDemoError  # noqa: PLC0415
    from dinmo_pipeline.demo.story import (  # noqa: PLC0415
        DECLARATIONS,
        FOLDER,
        demo_project,
        tell_story,
    )

    console = Console(highlight=False)
    try:
        project = demo_project(DECLARATIONS, FOLDER)
        # The Dagster UI of `--dev` is a process of its own: it shows the demo's world, whatever a person's
        # own variables name, and the emulator takes any token.
        os.environ["DINMO_CONFIG"] = str(DECLARATIONS)
        for destination in project.destinations.values():
            os.environ[destination.access_token.name] = "demo-token"
        with _emulator(fixed_port=dev) as base_url:
            right = tell_story(project, FOLDER, os.environ, base_url, console)
            if not right:
                report("A tag differs from its segment: this should not happen, please report it.")
                return FAILED
            if not dev:
                console.print("See the same world in the Dagster UI: [bold]make dev[/bold]")
                return DONE
            return _open_ui(base_url)
    except NotTheDemoError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _emulator(*, fixed_port: bool) -> Iterator[str]:
    """An empty emulator: on a free port, or in a process of its own on the declared one."""
    if not fixed_port:
        from dinmo_pipeline.emulator import running  # noqa: PLC0415  # an extra

        with running() as server:
            yield server.base_url
        return
    command = [sys.executable, "-m", "dinmo_pipeline.cli", "emulator", "--port", str(_DEV_PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            # Its first line says that it is ready; an end of the stream, that it is not to be had.
            if process.stdout is None or not process.stdout.readline():
                raise click.ClickException(f"The emulator cannot start on port {_DEV_PORT}.")
            yield f"http://127.0.0.1:{_DEV_PORT}"
        finally:
            process.terminate()


def _open_ui(emulator: str) -> int:
    report(
        f"Dagster: http://127.0.0.1:{_UI_PORT}   Intercom (emulated): {emulator}/   Ctrl-C ends both."
    )
    command = [sys.executable, "-m", "dagster_dg_cli.cli", "dev", "--port", str(_UI_PORT)]
    # Being told to stop ends the UI's processes and the emulator, whether by Ctrl-C or by `kill`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with subprocess.Popen(  # noqa: S603  # no shell, our words
        command, env=os.environ, start_new_session=True
    ) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            _stop(process)
            return DONE


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it has started: as Ctrl-C would, and by force if that takes too long."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
