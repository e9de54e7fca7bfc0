"""`dinmo demo`: two days of a sample shop and an emulated Intercom; `--dev` then opens the Dagster UI."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from dinmo_pipeline.cli.commands.running.dev import UI_PORT, require_ui
from dinmo_pipeline.cli.commands.running.emulator import require_emulator
from dinmo_pipeline.cli.dagster_home import make_dagster_home
from dinmo_pipeline.cli.development.ports import PORT, chosen_port
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.config import Located

if TYPE_CHECKING:
    from dinmo_pipeline.demo.folder import DemoFolder

_EMULATOR_PORT = 8055


@click.command()
@click.option("--dev", is_flag=True, help="Then open the result in the Dagster UI.")
@click.option("--port", type=PORT, help="With --dev: port of the page; by default 3000, or a free one.")
@click.option(
    "--emulator-port",
    type=PORT,
    help="With --dev: port of the emulated Intercom; by default 8055, or a free one.",
)
def demo(*, dev: bool, port: int | None, emulator_port: int | None) -> int:
    r"""Play two days of a sample shop, synced to an emulated Intercom, in the folder .demo.

    \b
    Examples:
      dinmo demo
      dinmo demo --dev
    """
    require_emulator()
    if dev:
        require_ui()
    # Load Dagster: measured, 2.1 s that no other command should wait for.
    from dinmo_pipeline.demo.folder import NotTheDemoError  # noqa: PLC0415
    from dinmo_pipeline.demo.project import TOKEN, TOKEN_VARIABLE, demo_folder  # noqa: PLC0415

    folder = demo_folder(Path.cwd())
    try:
        # The demo never touches anything else: it has its own Dagster instance too.
        os.environ["DAGSTER_HOME"] = str(make_dagster_home(folder.path))
        os.environ[TOKEN_VARIABLE] = TOKEN
        if dev:
            return _play_and_serve(
                folder,
                chosen_port(port, "--port", UI_PORT),
                chosen_port(emulator_port, "--emulator-port", _EMULATOR_PORT),
            )
        from dinmo_pipeline.emulator import running  # noqa: PLC0415  # an optional extra

        with running() as server:
            code = _play(folder, server.base_url)
    except NotTheDemoError as error:
        raise click.ClickException(str(error)) from None
    if code == DONE:
        click.echo("To see the result in the Dagster UI, run `dinmo demo --dev`.")
    return code


def _play(folder: "DemoFolder", emulator: str, declared: str | None = None) -> int:
    """Play the story to an emulator; the declarations name it only if it will stay."""
    from dinmo_pipeline.demo.project import new_demo_project  # noqa: PLC0415
    from dinmo_pipeline.demo.story import Story  # noqa: PLC0415

    project = new_demo_project(folder, declared) if declared else new_demo_project(folder)
    if Story(project, folder, os.environ, emulator, Console(highlight=False)).play():
        return DONE
    report("A tag differs from its segment. This is a bug; please report it.")
    return FAILED


def _play_and_serve(folder: "DemoFolder", port: int, emulator_port: int) -> int:
    from dinmo_pipeline.cli.development.serving import (  # noqa: PLC0415
        development,
        serve,
        start_emulator,
    )

    located = Located(folder.declarations, folder.path)
    code = DONE
    with development(located, Path(os.environ["DAGSTER_HOME"])) as processes:
        emulator = start_emulator(processes, emulator_port)
        code = _play(folder, emulator, emulator)
        if code == DONE:
            serve(processes, located, port)
    return code
