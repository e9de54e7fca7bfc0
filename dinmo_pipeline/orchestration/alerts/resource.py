"""Where alert messages go, as a Dagster resource: it names the secrets only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import dagster as dg
from pydantic import Field

from dinmo_pipeline.config.declarations import Alerts
from dinmo_pipeline.orchestration.alerts.errors import AlertError
from dinmo_pipeline.orchestration.alerts.smtp import email, send_email
from dinmo_pipeline.orchestration.alerts.webhook import beat, post_text


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to people; `send(title, text)` raises AlertError. Its name has no secret in it."""

    name: str
    send: Callable[[str, str], None]


class AlertsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where alert messages go: an incoming webhook of a chat, and email."""

    webhook: str = Field(default="", repr=False, description="From the environment; never shown.")
    webhook_variable: str = Field(default="", description="The environment variable of the webhook's URL.")
    dagster_url: str = Field(default="", description="The address of the Dagster UI, for links.")
    heartbeat: str = Field(default="", repr=False, description="From the environment; never shown.")
    heartbeat_variable: str = Field(default="", description="The environment variable of the heartbeat.")
    smtp_host: str = Field(default="", description="The SMTP server; without one, no email is sent.")
    smtp_port: int = Field(default=0, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is encrypted."
    )
    smtp_user: str = Field(default="", description="Who logs in.")
    smtp_password: str = Field(default="", repr=False, description="From the environment; never shown.")
    smtp_password_variable: str = Field(default="", description="The environment variable of the password.")
    email_from: str = Field(default="", description="The sender.")
    email_to: list[str] = Field(default=[], description="The recipients.")

    def channels(self) -> list[Channel]:
        """The ways to people, with the secrets as the environment has them now."""
        now: AlertsResource = self.process_config_and_initialize()
        found = []
        if now.webhook_variable:
            found.append(Channel(f"webhook in {now.webhook_variable}", now._post))
        if now.smtp_host:
            name = f"email to {', '.join(now.email_to)} through {now.smtp_host}:{now.smtp_port}"
            found.append(Channel(name, now._mail))
        return found

    def beat(self) -> None:
        """Call the heartbeat, if there is one.

        Raises:
            AlertError: nobody answered.
        """
        if self.heartbeat_variable:
            now: AlertsResource = self.process_config_and_initialize()
            beat(now.heartbeat, variable=now.heartbeat_variable)

    def _post(self, _title: str, text: str) -> None:
        post_text(self.webhook, text, variable=self.webhook_variable)

    def _mail(self, title: str, text: str) -> None:
        if self.smtp_user and not self.smtp_password:
            variable = self.smtp_password_variable
            raise AlertError(f"{variable} is not set, so no email can be sent through {self.smtp_host}.")
        send_email(
            email(title, text, sender=self.email_from, recipients=self.email_to),
            host=self.smtp_host,
            port=self.smtp_port,
            security=self.smtp_security,
            user=self.smtp_user,
            password=self.smtp_password,
        )


def alerts_resource(alerts: Alerts, environment: Mapping[str, str]) -> AlertsResource:
    """The resource of some declared alerts; `environment` shows which of their secrets are set."""

    def secret(variable: str) -> str:
        # Dagster would refuse the resource for one that is not set. It is reported when it is used.
        return dg.EnvVar(variable) if variable in environment else ""

    webhook = alerts.webhook.name if alerts.webhook else ""
    heartbeat = alerts.heartbeat.name if alerts.heartbeat else ""
    mail = alerts.email
    password = mail.password.name if mail and mail.password else ""
    return AlertsResource(
        webhook=secret(webhook),
        webhook_variable=webhook,
        dagster_url=alerts.dagster_url or "",
        heartbeat=secret(heartbeat),
        heartbeat_variable=heartbeat,
        smtp_host=mail.host if mail else "",
        smtp_port=mail.port if mail else 0,
        smtp_security=mail.security if mail else "none",
        smtp_user=(mail.user or "") if mail else "",
        smtp_password=secret(password),
        smtp_password_variable=password,
        email_from=mail.sender if mail else "",
        email_to=list(mail.recipients) if mail else [],
    )
