"""The tables of an open source, each looked up once."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from dinmo_pipeline.segments.sql.columns import ColumnType, Table


class TableCache(ABC):
    """Remembers the tables that were looked up: every lookup asks the source."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """The table declared as `name`, as the source spells it."""
        if name not in self._tables:
            self._tables[name] = self._read_table(name)
        return self._tables[name]

    def columns(self, table: str) -> Mapping[str, ColumnType]:
        """The columns of a table, in order."""
        return self.table(table).columns

    @abstractmethod
    def _read_table(self, name: str) -> Table:
        """Ask the source; raises MissingTableError if it has no such table."""
