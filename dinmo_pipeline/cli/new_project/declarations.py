"""The text of new declarations: commented, and right from the start."""

import json
import re
from typing import Final

from dinmo_pipeline.cli.new_project.answers import TOKEN_VARIABLE, URI_VARIABLE, Answers
from dinmo_pipeline.config.strict_yaml.keys import MAX_KEY_LENGTH

SCHEMA_FILE: Final = "dinmo.schema.json"
EMULATOR: Final = "http://127.0.0.1:8055"
_PLAIN: Final = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./-]*")
_NOT_PLAIN: Final = frozenset({"true", "false", "null", "~", "yes", "no", "on", "off"})


def schema_line(schema: str) -> str:
    """The line by which an editor finds the schema, which is at a path relative to the file."""
    return f"# yaml-language-server: $schema={schema}\n"


def declarations_text(answers: Answers) -> str:
    """One file of declarations: a segment of everybody that can be identified, activated."""
    key = _key_of(answers.table)
    example = json.dumps(f"select {answers.column} from … where …", ensure_ascii=False)  # noqa: S608
    return f"""{schema_line(SCHEMA_FILE)}#
# Who is in which segment of your users, and the tags in Intercom that follow them.
#
#   dinmo check            reports mistakes; --online also asks the warehouse and Intercom
#   dinmo plan             shows what a sync would change, and changes nothing
#   dinmo sync --all       tags those who entered a segment, untags those who left it
#   dinmo dev              opens the Dagster UI, and runs the schedules

source: # the warehouse, opened read-only
{_source(answers)}
state: # who is in which segment, and whom we tagged: the only file that is written
  database: {_scalar(answers.state)}

destinations:
  intercom:
    access_token: {{env: {TOKEN_VARIABLE}}} # the name of the variable in .env; never write the token here
{_address(answers)}
    default_activation: # each activation can override each of them
      match_by: {answers.match_by} # email, or user_id: Intercom's external id
      column: {_scalar(answers.column)}
      schedule: hourly # or: every 15 minutes, daily at 06:30, a cron expression, manual
      timezone: UTC

models: # the tables that segments are built from; `relations` join them
  {key}:
    table: {_scalar(answers.table)}
{f"    key: {_scalar(answers.key)}" if answers.key else "    # key: the column that identifies a row"}

segments:
  all_{key}:
    name: {_scalar(f"All {key.replace('_', ' ')}")} # the tag's name in Intercom
    description: Everybody who can be found in Intercom. Narrow it down with further conditions.
    model: {key}
    where:
      all:
        - {{field: {_scalar(answers.column)}, is: set}}
        # - {{field: country, in: [FR, BE]}}
        # - {{field: last_order_at, within_last: 90 days}}
  # A segment may also be SQL, or a table that is maintained elsewhere:
  # churned: {{name: Churned, sql: {example}}}
  # trialists: {{name: Trialists, table: analytics.trialists}}

activations: # one line activates a segment
  all_{key}: {{}}

# A message when something goes wrong, and when it is over: to a chat, by email, or both.
# alerts: {{webhook: {{env: ALERTS_WEBHOOK}}}}
"""


def _source(answers: Answers) -> str:
    if answers.location is None:
        place = f"uri: {{env: {URI_VARIABLE}}} # the name of the variable in .env with the connection URI"
    elif answers.source == "duckdb":
        place = f"database: {_scalar(answers.location)} # relative to this file"
    else:
        place = (
            f"folder: {_scalar(answers.location)} # relative to this file; each file or sub-folder is a table"
        )
    upstream = "  upstream: auto # the assets that fill its tables come before the segments in the lineage\n"
    return f"  type: {answers.source}\n  {place}\n{upstream if answers.in_project else ''}"


def _address(answers: Answers) -> str:
    if answers.region:
        return f"    region: {answers.region} # us, eu or au"
    return (
        "    # The local Intercom of `dinmo dev --emulator`. For the real one, write `region: us` (or eu,\n"
        "    # au) instead, and name another state file above: this one knows the local contacts.\n"
        f"    base_url: {EMULATOR}"
    )


def _key_of(table: str) -> str:
    """A key for a table: `dim_customers` of `analytics."Dim-Customers"`."""
    words = re.findall("[a-z0-9]+", table.rpartition(".")[2].lower())
    key = "_".join(words)[: MAX_KEY_LENGTH - len("all_")].rstrip("_")
    return key if re.match("[a-z]", key) else f"table_{key}".rstrip("_")


def _scalar(text: str) -> str:
    """A text in YAML, quoted where another value could be read. JSON's quotes are YAML's."""
    if (_PLAIN.fullmatch(text) or re.fullmatch("[A-Z][a-z]+( [a-z0-9]+)*", text)) and (
        text.lower() not in _NOT_PLAIN
    ):
        return text
    return json.dumps(text, ensure_ascii=False)
