"""Reads `alerts`: where alert messages go."""

from dinmo_pipeline.config.declarations import Alerts
from dinmo_pipeline.config.secrets import environment_variable
from dinmo_pipeline.config.strict_yaml.nodes import Node
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import Setting, read_settings

WEBHOOK = Setting(
    "webhook",
    environment_variable("ALERTS_WEBHOOK"),
    "The environment variable that holds the URL of an incoming webhook.",
    required=True,
)
ALERTS_SETTINGS = (WEBHOOK,)


def read_alerts(node: Node, report: Report) -> Alerts | None:
    """The `alerts` of a project."""
    found = read_settings(node, ALERTS_SETTINGS, Subject("alerts", report), holds_secret=True)
    webhook = found.get(WEBHOOK) if found else None
    return Alerts(webhook) if webhook else None
