"""`dinmo dev`: the Dagster UI, schedules and sensors on the instance that `dinmo sync` uses."""

from importlib.util import find_spec
from urllib.parse import urlsplit

import click

from dinmo_pipeline.cli.commands.running.emulator import require_emulator
from dinmo_pipeline.cli.dagster_home import ensure_dagster_home
from dinmo_pipeline.cli.development.ports import LOOPBACK, PORT, chosen_port, require_free
from dinmo_pipeline.cli.exit_codes import DONE
from dinmo_pipeline.cli.project import located_project, project_of
from dinmo_pipeline.config.declarations import Destination, Project

UI_PORT = 3000
_SHARE_IN_INTERCOM = 0.8


@click.command()
@click.option("--port", type=PORT, help="Port of the page; by default 3000, or a free one.")
@click.option("--emulator", "with_emulator", is_flag=True, help="Also run a local Intercom, and sync to it.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=_SHARE_IN_INTERCOM,
    show_default=True,
    help="With --emulator: how many of the members are in the local Intercom.",
)
def dev(*, port: int | None, with_emulator: bool, share: float) -> int:
    r"""Run the Dagster UI, the schedules and the sensors until interrupted.

    They use the same DAGSTER_HOME as `dinmo sync`, and load the declarations again when they change.

    \b
    Examples:
      dinmo dev
      dinmo dev --emulator
    """
    require_ui()
    located = located_project()
    project = project_of(located)
    port = chosen_port(port, "--port", UI_PORT)
    emulator_port = _free_emulator_port(project) if with_emulator else None
    home = ensure_dagster_home()
    from dinmo_pipeline.cli.development.serving import (  # noqa: PLC0415  # measured, 0.1 s
        development,
        serve,
        start_emulator,
    )

    with development(located, home) as processes:
        if emulator_port is None:
            serve(processes, located, port)
        else:
            start_emulator(processes, emulator_port, "--contacts-from-source", str(share))
            serve(processes, located, port, first=("sync", "--all"))
    return DONE


def require_ui() -> None:
    """Check that the optional extra of the UI is installed.

    Raises:
        click.ClickException: it is not; the message says how to install it.
    """
    if find_spec("dagster_webserver") is None:
        raise click.ClickException(
            "The Dagster UI needs dagster-webserver. Run pip install 'dinmo-pipeline[ui]'."
        )


def _free_emulator_port(project: Project) -> int:
    require_emulator()
    return require_free(_declared_emulator_port(project), "`base_url` in the declarations")


def _declared_emulator_port(project: Project) -> int:
    """The port of the local Intercom that all destinations name as their `base_url`.

    Raises:
        click.UsageError: a destination is elsewhere, so its syncs would not go to the local Intercom.
    """
    ports = {key: _loopback_port(destination) for key, destination in project.destinations.items()}
    for key, port in ports.items():
        if port is None:
            raise click.UsageError(
                f"The destination {key!r} is not on this machine, so --emulator would not be what it syncs"
                f" to. To try things out, declare `base_url: http://{LOOPBACK}:8055` for it."
            )
    found = sorted({port for port in ports.values() if port})
    if len(found) != 1:
        raise click.UsageError(
            "The destinations name several local Intercoms. --emulator runs one, so give all of them the same"
            " `base_url`."
            if found
            else "There is no destination that could use --emulator."
        )
    return found[0]


def _loopback_port(destination: Destination) -> int | None:
    address = urlsplit(destination.base_url or "")
    return address.port if address.hostname in (LOOPBACK, "localhost", "::1") else None
