"""The mistakes that people make in declarations, one per file, and what an editor should say about each."""

from dataclasses import dataclass

MARK = "# <-"

BASE = """\
destinations:
  main: {access_token: {env: INTERCOM_ACCESS_TOKEN}}
models:
  customers: {key: customer_id, relations: {orders: {model: orders, join: customer_id}}}
  orders: {key: order_id}
"""
WHERE = f"""\
{BASE}segments:
  vip:
    model: customers
    where:
      all:
        - {{field: country, equals: FR}}
"""
_ACTIVATION = f"{BASE}segments: {{vip: {{table: vips}}}}\nactivations:\n  vip:\n"
_DESTINATION = "destinations:\n  main:\n    access_token: {env: INTERCOM_ACCESS_TOKEN}\n"
_TEST = f"{BASE}segments: {{vip: {{table: vips}}}}\ntests:\n  one:\n    segment: vip\n"


@dataclass(frozen=True)
class Mistake:
    """A file with one mistake, on the line that ends in MARK, and a part of what is said about it."""

    text: str
    says: str

    @property
    def line(self) -> int:
        """The line of the mistake, from 1."""
        return self.text[: self.text.index(MARK)].count("\n") + 1


def _condition(wrong: str, says: str) -> Mistake:
    return Mistake(f"{WHERE}        - {wrong} {MARK}\n", says)


def _setting(wrong: str, says: str) -> Mistake:
    return Mistake(f"{_ACTIVATION}    {wrong} {MARK}\n", says)


MISTAKES = {
    # Words of conditions.
    "an operator of another language": _condition("{field: visits, gte: 3}", "Write `at_least`."),
    "a misspelt operator": _condition("{field: country, equal: FR}", "Operators: equals, not_equals"),
    "a sign": _condition('{field: visits, ">": 3}', "Write `greater_than`."),
    "no operator": _condition("{field: country}", "An operator is missing: equals"),
    "two operators": _condition("{field: visits, at_least: 1, at_most: 9}", "one operator"),
    "a misspelt form": _condition("{feild: country, equals: FR}", "none of the known keys: all, any"),
    "a condition without a form": _condition("{equals: FR}", "none of the known keys: all, any"),
    "a condition in words": _condition("country = FR", "A condition is a list"),
    "two forms": _condition("{field: visits, count: orders, at_least: 1}", "not an operator of `field`"),
    "not with a list": _condition("{not: [{field: a, is: set}]}", "`not` takes one condition"),
    "all without a list": _condition("{all: {field: a, is: set}}", "`all` takes a list of conditions"),
    "something beside a group": _condition(
        "{any: [{field: a, is: set}], field: b}", "not an operator of `field`"
    ),
    # Their values.
    "one value for in": _condition("{field: country, in: FR}", "in brackets"),
    "an empty list": _condition("{field: country, in: []}", "too few items"),
    "a list for equals": _condition("{field: country, equals: [FR, BE]}", "For several values, use `in`"),
    "values of two types": _condition("{field: plan, in: [free, 2]}", "must be of one type"),
    "three values for between": _condition("{field: visits, between: [1, 2, 3]}", "too many items"),
    "null as a value": _condition("{field: phone, equals: null}", "`is: blank`"),
    "a number as text": _condition("{field: phone, starts_with: 33}", "Write numbers in quotes"),
    "ignore_case with equals": _condition(
        "{field: country, equals: fr, ignore_case: true}", "goes only with contains"
    ),
    "is with another word": _condition("{field: phone, is: empty}", '"set", "blank"'),
    "a length without a unit": _condition("{field: seen_at, within_last: 30}", "a number and a unit"),
    "an unknown unit": _condition("{field: seen_at, within_last: 2 fortnights}", "30 days"),
    "a day the other way around": _condition("{field: seen_at, before: 31/12/2026}", "2026-03-01"),
    "a month 13": _condition("{field: seen_at, on: 2026-13-01}", "a whole day"),
    "a time for a whole day": _condition("{field: seen_at, on: 2 hours ago}", "a whole day"),
    # Related rows.
    "exists with a comparison": _condition("{exists: orders, at_least: 1}", "use `count`"),
    "a sum without a column": _condition("{sum: orders, at_least: 1}", "orders.amount"),
    "half a row": _condition("{count: orders, at_least: 1.5}", "whole numbers"),
    "text compared with a count": _condition("{count: orders, contains: a}", "which is a number"),
    "last without by": _condition("{last: orders.status, equals: paid}", "needs `by`"),
    # Segments.
    "a segment without members": Mistake(
        f"{BASE}segments:\n  vip: {MARK}\n    name: VIP\n", "does not define its members"
    ),
    "where and sql": Mistake(f"{WHERE}    sql: select 1 {MARK}\n", "Keep one of `where`, `sql` and `table`"),
    "where without a model": Mistake(
        f"{BASE}segments:\n  vip: {MARK}\n    where: {{field: a, is: set}}\n", "`where` needs `model`"
    ),
    "a key with a hyphen": Mistake(
        f"{BASE}segments:\n  vip-customers: {{table: t}} {MARK}\n", "letters, digits and '_'"
    ),
    "a number as a name": Mistake(
        f"{BASE}segments:\n  vip:\n    table: t\n    name: 2026 {MARK}\n", "Write numbers in quotes"
    ),
    "an unknown section": Mistake(f"segment: {{}} {MARK}\n", "Sections: source, state"),
    # Destinations and sources.
    "a token in the file": Mistake(
        f"destinations:\n  main:\n    access_token: dG9rOjEyMw== {MARK}\n", "must not be written here"
    ),
    "a misspelt setting": Mistake(f"{_DESTINATION}    regoin: eu {MARK}\n", "Settings: access_token, region"),
    "an unknown region": Mistake(f"{_DESTINATION}    region: uk {MARK}\n", '"us", "eu", "au"'),
    "a misspelt required setting": Mistake(
        f"destinations:\n  main:\n    acces_token: {{env: TOKEN}} {MARK}\n", "Settings: access_token"
    ),
    "percent as text": Mistake(f"{_DESTINATION}    rate_limit_share: 80% {MARK}\n", "a share from 0 to 1"),
    "a list of destinations": Mistake(f"destinations:\n  - main {MARK}\n", "write each object as key"),
    "an old version": Mistake(f"{_DESTINATION}    api_version: 2.11 {MARK}\n", "minimum of 2.13"),
    "an address in clear text": Mistake(
        f"{_DESTINATION}    base_url: http://api.intercom.io {MARK}\n", "plain https address"
    ),
    "an unknown warehouse": Mistake(f"source: {{type: oracle, uri: {{env: X}}}} {MARK}\n", '"duckdb"'),
    "a setting of another warehouse": Mistake(
        f"source:\n  type: postgres\n  database: shop {MARK}\n", "Use `uri`"
    ),
    # dbt.
    "an asset where a list is due": Mistake(
        f"models:\n  customers:\n    upstream: marts/customers {MARK}\n", "Write `auto`, or a list"
    ),
    "a table and a ref": Mistake(
        f"models:\n  customers:\n    table: customers\n    ref: customers {MARK}\n", "Keep one"
    ),
    "a dbt project without a place": Mistake(f"dbt: {{maturity: high}} {MARK}\n", "Write `project`"),
    # Activations.
    "a minute 61": _setting('schedule: "61 * * * *"', "Cron fields are minute, hour"),
    "six cron fields": _setting('schedule: "0 0 7 * * *"', "Cron fields are minute, hour"),
    "days without a time": _setting("schedule: mondays", "daily at 07:30"),
    "an interval that divides no hour": _setting("schedule: every 25 minutes", "every 15 minutes"),
    "a time zone in words": _setting("timezone: Paris", "Europe/Paris"),
    "a misspelt time zone": _setting("timezone: Europe/Pariss", "IANA"),
    "yes for true": _setting("enabled: yes", "true or false"),
    "percent for a share": _setting("guards: {max_removed_share: 30}", "maximum of 1"),
    "an unknown identifier": _setting("match_by: phone", '"email", "user_id"'),
    # Tests.
    "rows that are no list": Mistake(
        f"{_TEST}    given: {{vips: {{email: a}}}} {MARK}\n    expect: {{column: email, members: [a]}}\n",
        "a list of rows",
    ),
    "a moment without a day": Mistake(
        f"{_TEST}    now: 12:00 {MARK}\n    given: {{}}\n    expect: {{column: email, members: [a]}}\n",
        "a day or a time",
    ),
}
