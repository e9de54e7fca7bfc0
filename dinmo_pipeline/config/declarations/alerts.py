"""Where alert messages go."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dinmo_pipeline.config.declarations.warehouse import EnvironmentVariable

SmtpSecurity: TypeAlias = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Email:
    """Messages by email, through an SMTP server; `user` and `password` are both set or neither."""

    host: str
    port: int
    security: SmtpSecurity
    sender: str
    recipients: tuple[str, ...]
    user: str | None = None
    password: EnvironmentVariable | None = None


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where the alert messages about a destination's activations go; without a channel, nowhere.

    `webhook` is the variable with the URL of an incoming webhook, and `dagster_url` the address at which
    people open the Dagster UI, for links.
    """

    webhook: EnvironmentVariable | None = None
    email: Email | None = None
    dagster_url: str | None = None
    heartbeat: EnvironmentVariable | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that it needs."""
        password = self.email.password if self.email else None
        return tuple(each.name for each in (self.webhook, password, self.heartbeat) if each)

    @property
    def has_channel(self) -> bool:
        """Whether messages go anywhere."""
        return self.webhook is not None or self.email is not None
