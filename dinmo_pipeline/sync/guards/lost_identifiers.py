"""What happened to the identifiers upstream since a reading was last applied, told apart from people leaving.

Where a source stops delivering an identifier, its row stays and has none any more: it is NULL, blank, or
the same as another's. Where people leave, their rows go. Hence the counts of rows tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dinmo_pipeline.state.readings import Reading, StoredReading


@dataclass(frozen=True, slots=True)
class LostIdentifiers:
    """How many more rows than then have no identifier of their own, by kind; below 0 for fewer.

    `expected` of them come with the rows that are new.
    """

    null: int
    blank: int
    malformed: int
    repeated: int
    expected: int

    @property
    def more_rows(self) -> int:
        """Of all kinds: NULLs that became blank are no more rows."""
        return max(self.null + self.blank + self.malformed + self.repeated, 0)

    @property
    def lost(self) -> int:
        """How many of them cannot be told from rows that had an identifier of their own then."""
        return max(self.more_rows - self.expected, 0)

    def in_words(self) -> str:
        """The kinds that grew: `1,150 NULL, 50 malformed`."""
        kinds = {
            "NULL": self.null,
            "blank": self.blank,
            "malformed": self.malformed,
            "repeated": self.repeated,
        }
        return ", ".join(f"{rows:,} {kind}" for kind, rows in kinds.items() if rows > 0)


_NO_ROWS = Reading("email", 0, 0, 0, 0, 0)


def lost_identifiers(now: Reading, applied: StoredReading | None) -> LostIdentifiers:
    """The growth since the applied reading; where none is known, every such row counts."""
    then = applied.rows if applied else _NO_ROWS
    return LostIdentifiers(
        null=now.null_identifiers - then.null_identifiers,
        blank=now.blank_identifiers - then.blank_identifiers,
        malformed=now.malformed_identifiers - then.malformed_identifiers,
        repeated=now.duplicate_rows - then.duplicate_rows,
        expected=_expected(then, max(now.rows_read - then.rows_read, 0)),
    )


def _expected(then: Reading, new_rows: int) -> int:
    """How many of the new rows have no identifier of their own where nothing is wrong: as many as then.

    Where most rows have none (visitors, a row per order), their number comes and goes with what people do,
    and each new row may be one of them.
    """
    without = (
        then.null_identifiers
        + then.blank_identifiers
        + then.malformed_identifiers
        + then.duplicate_rows
    )
    if without * 2 >= then.rows_read:
        return new_rows if then.rows_read else 0
    return new_rows * without // then.rows_read


def type_change(now: Reading, applied: StoredReading | None) -> tuple[str, str] | None:
    """The type of the identifier in the applied reading and now, where they differ.

    1 becomes 1.0 and 007 becomes 7 when a type changes: other identifiers, to Intercom. Another `match_by`
    is another identifier and no change of type.
    """
    if applied is None or now.match_by != applied.rows.match_by:
        return None
    then, type_ = applied.rows.identifier_type, now.identifier_type
    return (then, type_) if then and type_ and then != type_ else None


def what_changed(now: Reading, applied: StoredReading | None) -> Iterator[str]:
    """What a person should know of the identifiers, a sentence each."""
    since = f"the reading last applied, of {applied.at:%Y-%m-%d %H:%M} UTC" if applied else ""
    lost = lost_identifiers(now, applied)
    if lost.more_rows and applied:
        yield (
            f"{lost.more_rows:,} more rows have no identifier of their own than in {since}:"
            f" {lost.in_words()}."
        )
    elif lost.more_rows:
        yield (
            f"{lost.more_rows:,} rows have no identifier of their own ({lost.in_words()}), and no reading"
            " was applied yet to compare with."
        )
    changed = type_change(now, applied)
    if changed:
        yield f"The identifier's type changed from {changed[0]} to {changed[1]} since {since}."
