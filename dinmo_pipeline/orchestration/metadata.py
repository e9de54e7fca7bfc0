"""The numbers and tables that assets show in the UI, which plots numbers per partition over time."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.state.membership import Membership
from dinmo_pipeline.state.readings import Reading
from dinmo_pipeline.state.schema.descriptions import DESCRIPTIONS
from dinmo_pipeline.state.syncs import SyncResult
from dinmo_pipeline.sync.guards.holds import Hold
from dinmo_pipeline.sync.operations.compute_changes import ComputedChanges

Metadata = Mapping[str, Any]

# Sensors read these two from the materialization of a change set.
CHANGES_TO_APPLY = "changes_to_apply"
HELD = "held"


def number_in(metadata: Mapping[str, dg.MetadataValue], key: str) -> int:
    """A number or flag of a materialization; 0 when it has none."""
    value = metadata[key].value if key in metadata else 0
    return int(value) if isinstance(value, int | float) else 0


# Every other column of the assets' tables is text.
_COLUMN_TYPES = {
    "position": "BIGINT",
    "entered_at": "TIMESTAMP WITH TIME ZONE",
    "tagged_at": "TIMESTAMP WITH TIME ZONE",
}


def table_metadata(table: str) -> Metadata:
    """Name and columns of a state table, as the state describes them."""
    columns = DESCRIPTIONS[table].columns.items()
    return {
        "dagster/table_name": f"dinmo.{table}",
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(name, _COLUMN_TYPES.get(name, "VARCHAR"), description=text)
                for name, text in columns
            ]
        ),
    }


def description_metadata(activation: Activation) -> Metadata:
    """The description of an activation, which each of its materializations shows; empty without one."""
    return {"description": activation.description} if activation.description else {}


def membership_metadata(found: Membership, sql: str, seconds: float) -> Metadata:
    """What a materialization of the membership shows."""
    return {
        "dagster/partition_row_count": found.members,
        "members": found.members,
        "entered": found.entered,
        "left": found.left,
        "rows_read": found.rows.rows_read,
        **identifier_metadata(found.rows),
        "seconds": round(seconds, 3),
        "query": dg.MetadataValue.md(f"```sql\n{sql}\n```"),
    }


def identifier_metadata(rows: Reading) -> Metadata:
    """How many rows have no identifier of their own, by kind, and the identifier's type in the source."""
    return {
        "null_identifiers": rows.null_identifiers,
        "blank_identifiers": rows.blank_identifiers,
        "malformed_identifiers": rows.malformed_identifiers,
        "duplicate_rows": rows.duplicate_rows,
        **({"identifier_type": rows.identifier_type} if rows.identifier_type else {}),
    }


def changes_metadata(computed: ComputedChanges, seconds: float) -> Metadata:
    """What a materialization of the changes shows."""
    changes = computed.changes
    return {
        "dagster/partition_row_count": changes.entered + changes.left,
        "members": changes.members,
        "to_tag": changes.entered,
        "to_untag": changes.left,
        "not_in_intercom": changes.not_in_intercom,
        "never_looked_up": changes.unknown,
        "tagged_contacts": changes.tagged_contacts,
        CHANGES_TO_APPLY: computed.to_apply,
        HELD: computed.hold is not None,
        "api_calls": computed.api_calls,
        "seconds": round(seconds, 3),
        **_hold_metadata(computed.hold),
        **({"look_failed": computed.look_failed} if computed.look_failed else {}),
    }


def sync_metadata(result: SyncResult, tagged_contacts: int) -> Metadata:
    """What a materialization of the tags shows: the numbers of `dinmo sync --json`."""
    return {
        "dagster/partition_row_count": tagged_contacts,
        "tagged_contacts": tagged_contacts,
        "status": result.status,
        **({"reason": result.reason} if result.reason else {}),
        **({"hold_reason": result.hold_reason.value} if result.hold_reason else {}),
        **{name: value for name, value in asdict(result.numbers).items() if value is not None},
        **({"match_rate": rate} if (rate := result.numbers.match_rate) is not None else {}),
    }


def _hold_metadata(hold: Hold | None) -> Metadata:
    return {"hold_reason": hold.reason.value, "held_because": hold.sentence} if hold else {}
