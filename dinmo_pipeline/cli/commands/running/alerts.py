"""`dinmo alerts`: where alert messages go, and whether they arrive."""

import os

import click

from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.project import declared_project, json_option, print_json, unknown_name
from dinmo_pipeline.config.declarations import Alerts

_EXAMPLE = "alerts: {webhook: {env: ALERTS_WEBHOOK}}"
_TITLE = "dinmo: this is a test"
_TEXT = (
    "This is a test of `dinmo alerts test`. Messages about these destinations arrive here when something goes"
    " wrong, and when it is over: {}."
)


@click.group()
def alerts() -> None:
    r"""Messages that you get when an activation gets into trouble, and when it is out of it.

    `alerts` in the declarations says where they go: to a chat by `webhook`, and by `email`.

    \b
    Examples:
      dinmo alerts test
    """


@alerts.command()
@click.argument("destination", required=False)
@json_option
def test(destination: str | None, *, as_json: bool) -> int:
    r"""Send a test message to each place that alerts go to, or only to those of a DESTINATION.

    Exits with 1 if one does not arrive.

    \b
    Examples:
      dinmo alerts test
      dinmo alerts test intercom_eu
    """
    # 0.5 s to import
    from dinmo_pipeline.orchestration.alerts.errors import AlertError  # noqa: PLC0415
    from dinmo_pipeline.orchestration.alerts.resource import alerts_resource  # noqa: PLC0415

    addressed = _addressed(destination)
    results: dict[str, str | None] = {}
    for each, destinations in addressed.items():
        text = _TEXT.format(", ".join(destinations))
        for channel in alerts_resource(each, os.environ).channels():
            try:
                channel.send(_TITLE, f"{text} {each.dagster_url or ''}".strip())
            except AlertError as error:
                results[channel.name] = str(error)
            else:
                results.setdefault(channel.name, None)
    if not results:
        raise click.UsageError(f"No alerts are declared. For example: {_EXAMPLE}")
    if as_json:
        print_json({name: {"sent": why is None, "error": why} for name, why in results.items()})
    else:
        for name, why in results.items():
            echo(f"Sent: {name}." if why is None else f"Not sent: {name}. {why}")
    return FAILED if any(results.values()) else DONE


def _addressed(destination: str | None) -> dict[Alerts, list[str]]:
    """The destinations of each of the declared alerts."""
    project = declared_project()
    if destination is not None and destination not in project.destinations:
        raise unknown_name("destination", destination, project.destinations)
    found: dict[Alerts, list[str]] = {}
    for key, each in project.destinations.items():
        if each.alerts and destination in (None, key):
            found.setdefault(each.alerts, []).append(key)
    return found
