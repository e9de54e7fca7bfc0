"""Which table of a source looks like its customers, and which of its columns identify them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dinmo_pipeline.config.declarations.activations import MatchBy
from dinmo_pipeline.segments.sources.opening import OpenSource

_PEOPLE: Final = ("customers", "users", "contacts", "people", "members", "accounts", "subscribers", "clients")
_EMAILS: Final = ("email", "email_address", "e_mail", "mail", "user_email", "customer_email")
_KEYS: Final = ("user_id", "customer_id", "id")
_COLUMNS: Final = """
SELECT table_schema, table_name, column_name, current_schema() AS current
FROM information_schema.columns
WHERE table_schema NOT IN ('information_schema', 'pg_catalog')
ORDER BY table_schema, table_name, ordinal_position
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A table of people, as declarations name it, its key if it seems to have one, and who each row is."""

    table: str
    key: str | None
    column: str
    match_by: MatchBy


def proposals(tables: Mapping[str, Sequence[str]]) -> list[Proposal]:
    """The tables that may hold people, given the columns of each; the likeliest first.

    A table does if it has a column of emails or, failing that, of user ids.
    """
    found = [proposal for table, columns in tables.items() if (proposal := _proposal(table, columns))]
    return sorted(found, key=_likelihood)


def tables_of(source: OpenSource) -> dict[str, list[str]]:
    """The tables and views of a DuckDB source, as declarations name them, with their columns.

    Raises:
        SourceError: the source does not answer.
    """
    tables: dict[str, list[str]] = defaultdict(list)
    for row in source.batches(_COLUMNS).read_all().to_pylist():
        schema = "" if row["table_schema"] == row["current"] else f"{_quoted(row['table_schema'])}."
        tables[f"{schema}{_quoted(row['table_name'])}"].append(row["column_name"])
    return dict(tables)


def _proposal(table: str, columns: Sequence[str]) -> Proposal | None:
    by_name = {column.lower(): column for column in columns}
    key = next((by_name[name] for name in _key_names(table) if name in by_name), None)
    email = next((by_name[name] for name in _email_names(by_name) if name in by_name), None)
    if email:
        return Proposal(table, key, email, "email")
    user_id = next((by_name[name] for name in _KEYS[:2] if name in by_name), None)
    return Proposal(table, key, user_id, "user_id") if user_id and _is_people(table) else None


def _email_names(names: Mapping[str, str]) -> Iterator[str]:
    yield from _EMAILS
    yield from (name for name in names if "email" in name and not name.startswith(("is_", "has_", "n_")))


def _key_names(table: str) -> Iterator[str]:
    """`customer_id` of `analytics.dim_customers`, then the usual ones."""
    yield f"{_base_name(table).removesuffix('s')}_id"
    yield from _KEYS


def _likelihood(proposal: Proposal) -> tuple[bool, int, int, str]:
    base = _base_name(proposal.table)
    rank = _PEOPLE.index(base) if base in _PEOPLE else len(_PEOPLE)
    return (proposal.match_by != "email", rank, proposal.table.count("."), proposal.table)


def _is_people(table: str) -> bool:
    return _base_name(table) in _PEOPLE


def _base_name(table: str) -> str:
    return re.sub("^(dim|stg|fct|mart|raw)_+", "", table.rpartition(".")[2].strip('"').lower())


def _quoted(name: str) -> str:
    return name if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
