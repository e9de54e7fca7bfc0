"""Destinations and activations, every setting resolved."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Literal, TypeAlias

from dinmo_pipeline.config.declarations.warehouse import EnvironmentVariable
from dinmo_pipeline.config.strict_yaml.problems import Place

MatchBy: TypeAlias = Literal["email", "user_id"]

MANUAL = "manual"
AFTER_UPSTREAM = "after_upstream"
"""The schedule that is declared as `{after: upstream}`."""


@dataclass(frozen=True, slots=True)
class Guards:
    """Shares, 0 to 1: above them a change set is held, or a sync counts as failed."""

    max_removed_share: float = 0.3
    max_unidentified_share: float = 0.05
    max_failed_share: float = 0.1


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """When to compare with Intercom, a cron expression or MANUAL, and whether to mend what differs."""

    schedule: str = MANUAL
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """One Intercom workspace; `rate_limit_share` is the part of its API budget we use (0 to 1)."""

    key: str
    access_token: EnvironmentVariable
    region: Literal["us", "eu", "au"]
    base_url: str | None
    api_version: str
    rate_limit_share: float
    place: Place = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Activation:
    """A segment sent to a destination, every setting resolved.

    A setting is the activation's own, else the destination's default, else built-in. `name` is the
    tag's name, `schedule` a cron expression, MANUAL or AFTER_UPSTREAM, `timezone` an IANA name.
    """

    key: str
    segment: str
    destination: str
    name: str
    match_by: MatchBy
    column: str
    schedule: str
    timezone: str
    enabled: bool
    on_multiple_users: Literal["all", "skip"]
    guards: Guards
    reconciliation: Reconciliation
    place: Place = dataclass_field(compare=False, repr=False)

    @property
    def is_scheduled(self) -> bool:
        """Whether a cron schedule launches it."""
        return self.enabled and self.schedule not in (MANUAL, AFTER_UPSTREAM)

    @property
    def is_reconciled(self) -> bool:
        """Whether a cron schedule reconciles it."""
        return self.enabled and self.reconciliation.schedule != MANUAL

    @property
    def follows_upstream(self) -> bool:
        """Whether it is launched when an asset upstream of its segment materializes."""
        return self.enabled and self.schedule == AFTER_UPSTREAM
