"""Destinations and activations, every setting resolved."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Literal, TypeAlias

from dinmo_pipeline.config.declarations.alerts import Alerts
from dinmo_pipeline.config.declarations.warehouse import EnvironmentVariable
from dinmo_pipeline.config.schedules.kinds import (
    AFTER_UPSTREAM,
    MANUAL,
    SCHEDULE,
    SCHEDULE_OR_UPSTREAM,
    TIMEZONE,
)
from dinmo_pipeline.config.strict_yaml.declared_fields import part, setting
from dinmo_pipeline.config.strict_yaml.kinds import (
    BOOLEAN,
    DESCRIPTION,
    LINE,
    NAME,
    factor,
    one_of,
    positive,
    share,
    word_or_share,
)
from dinmo_pipeline.config.strict_yaml.problems import Place

MatchBy: TypeAlias = Literal["email", "user_id"]

_SHARE = "a share, 0 to 1"
UNUSUAL = "unusual"
NEVER = "never"
SIZE_CHANGE = word_or_share(UNUSUAL, NEVER)


@dataclass(frozen=True, slots=True)
class Guards:
    """When a change set is held for a person, and when a sync counts as failed."""

    max_removed_share: float = setting(
        share(),
        "Hold the changes if more than this share of the tagged contacts or members would lose the tag, or if"
        " the segment would be smaller by this share than a week ago. At 1, everybody may lose it at once",
        default=0.3,
        unit=_SHARE,
    )
    max_unidentified_share: float = setting(
        share(),
        "Hold the changes if more than this share of the tagged contacts would lose the tag while rows of"
        " the segment lost their identifier or its type changed",
        default=0.05,
        unit=_SHARE,
    )
    max_growth: float = setting(
        factor(),
        "Hold the changes if the segment would become more than so many times as large as at the last sync,"
        " and gain more than 1,000 members",
        default=5.0,
        unit="a factor, 1 or more",
    )
    max_failed_share: float = setting(
        share(),
        "Report the sync as failed if more than this share of its changes failed",
        default=0.1,
        unit=_SHARE,
    )


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """When to compare with Intercom, and whether to repair differences."""

    schedule: str = setting(
        SCHEDULE,
        "When to compare with Intercom: as `schedule`, without `{after: upstream}`",
        default=MANUAL,
    )
    repair: bool = setting(
        BOOLEAN,
        "Repair differences; if false, only report them in the check `drift`",
        default=False,
    )


@dataclass(frozen=True, slots=True)
class Destination:
    """One Intercom workspace; `rate_limit_share` is the part of its API budget we use (0 to 1).

    `alerts` are its own over the general ones; None if neither are declared.
    """

    key: str
    access_token: EnvironmentVariable
    region: Literal["us", "eu", "au"]
    base_url: str | None
    api_version: str
    rate_limit_share: float
    alerts: Alerts | None
    place: Place = dataclass_field(compare=False, repr=False)

    @property
    def app_url(self) -> str:
        """Where people see the workspace."""
        region = "" if self.region == "us" else f"{self.region}."
        return self.base_url or f"https://app.{region}intercom.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A segment sent to a destination, every setting resolved.

    A setting is the activation's own, else the destination's default, else the default here. A schedule is a
    cron expression, MANUAL or AFTER_UPSTREAM.
    """

    key: str
    segment: str = setting(
        LINE, "The segment", default_doc="the one with the activation's key", inherited=False
    )
    destination: str = setting(LINE, "The destination", default_doc="the only one", inherited=False)
    name: str = setting(
        NAME,
        "The tag's name in Intercom, at most 191 characters. A new name renames the tag",
        default_doc="the segment's name",
        inherited=False,
    )
    description: str | None = setting(
        DESCRIPTION, "What the tag is for, for people", default=None, inherited=False
    )
    match_by: MatchBy = setting(
        one_of("email", "user_id"),
        "Which identifier finds the user in Intercom: `email`, or `user_id` (Intercom's `external_id`)",
        default="email",
    )
    column: str = setting(
        LINE,
        "The segment's column with that identifier",
        default_doc="`email`; when matching by user id the model's `key`, else `user_id`",
    )
    schedule: str = setting(
        SCHEDULE_OR_UPSTREAM,
        "When to sync: words such as `every 15 minutes` or `weekdays at 7:30`, five cron fields, `manual`, or"
        " `{after: upstream}`",
        default=MANUAL,
    )
    timezone: str = setting(
        TIMEZONE,
        "The IANA time zone of the schedule, and of days in the segment's conditions",
        default="UTC",
    )
    enabled: bool = setting(
        BOOLEAN, "If false, neither schedule nor sensor runs it, and its tags stay", default=True
    )
    on_multiple_users: Literal["all", "skip"] = setting(
        one_of("all", "skip"),
        "If several users have one identifier: tag `all` of them, or `skip` them",
        default="all",
    )
    on_existing_carriers: Literal["report", "keep", "take_over"] = setting(
        one_of("report", "keep", "take_over"),
        "If contacts carry the tag that we did not tag: `report` how many, until a person decides; let them"
        " `keep` it; or `take_over` the tag, so that those who are not members lose it, under the guards",
        default="report",
    )
    report_size_change: str = setting(
        SIZE_CHANGE,
        "Which change of the segment's size within a day to report: one that is `unusual`, judging by its"
        " last nine weeks, one above a share of its size such as `0.2`, or `never` any. Nothing is held for"
        " it",
        default=UNUSUAL,
    )
    recheck_days: float = setting(
        positive(),
        "Read what Intercom has of each member again within this time: emails and user ids change there, move"
        " to other contacts, or get a second user",
        default=7.0,
        unit="days",
    )
    guards: Guards = part(Guards, "When to hold the changes until a person releases them")
    reconciliation: Reconciliation = part(
        Reconciliation,
        "When to compare with the contacts that carry the tag in Intercom",
        key="reconcile",
    )
    place: Place = dataclass_field(compare=False, repr=False)

    @property
    def size_change_limit(self) -> float | None:
        """The declared share of its size that a segment may gain or lose in a day without a word."""
        is_word = self.report_size_change in (UNUSUAL, NEVER)
        return None if is_word else float(self.report_size_change)

    @property
    def is_scheduled(self) -> bool:
        """Whether a cron schedule launches it."""
        return self.enabled and self.schedule not in (MANUAL, AFTER_UPSTREAM)

    @property
    def is_automatic(self) -> bool:
        """Whether it is launched without a person: by a cron schedule, or after its upstream assets."""
        return self.is_scheduled or self.follows_upstream

    @property
    def is_reconciled(self) -> bool:
        """Whether a cron schedule reconciles it."""
        return self.enabled and self.reconciliation.schedule != MANUAL

    @property
    def follows_upstream(self) -> bool:
        """Whether it is launched when an asset upstream of its segment materializes."""
        return self.enabled and self.schedule == AFTER_UPSTREAM
