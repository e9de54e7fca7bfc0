"""Identifiers lost upstream since a reading was last applied, as distinct from people leaving.

When a source stops delivering an identifier, its row stays but no longer has one: it is NULL, blank, or the
same as another's. When people leave, their rows go. So counts of rows can tell the two apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dinmo_pipeline.state.readings import Reading, StoredReading
from dinmo_pipeline.text.wording import counted


@dataclass(frozen=True, slots=True)
class LostIdentifiers:
    """How many more rows than before have no identifier of their own, by kind; below 0 for fewer.

    `expected` of them come with new rows.
    """

    null: int
    blank: int
    malformed: int
    repeated: int
    expected: int

    @property
    def more_rows(self) -> int:
        """The growth over all kinds: NULLs that became blank do not add rows."""
        return max(self.null + self.blank + self.malformed + self.repeated, 0)

    @property
    def lost(self) -> int:
        """How many of them may have had an identifier of their own before."""
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
    """The growth since the applied reading; without one, every such row counts."""
    then = applied.rows if applied else _NO_ROWS
    return LostIdentifiers(
        null=now.null_identifiers - then.null_identifiers,
        blank=now.blank_identifiers - then.blank_identifiers,
        malformed=now.malformed_identifiers - then.malformed_identifiers,
        repeated=now.duplicate_rows - then.duplicate_rows,
        expected=_expected(then, max(now.rows_read - then.rows_read, 0)),
    )


def _expected(then: Reading, new_rows: int) -> int:
    """How many new rows have no identifier of their own when nothing is wrong: the same share as before.

    If most rows have none (visitors, one row per order), their number varies with what people do, and any
    new row may be one of them.
    """
    without = (
        then.null_identifiers + then.blank_identifiers + then.malformed_identifiers + then.duplicate_rows
    )
    if without * 2 >= then.rows_read:
        return new_rows if then.rows_read else 0
    return new_rows * without // then.rows_read


def type_change(now: Reading, applied: StoredReading | None) -> tuple[str, str] | None:
    """The type of the identifier in the applied reading and now, if they differ.

    When a type changes, 1 becomes 1.0 and 007 becomes 7: different identifiers to Intercom. A different
    `match_by` is a different identifier, not a change of type.
    """
    if applied is None or now.match_by != applied.rows.match_by:
        return None
    then, type_ = applied.rows.identifier_type, now.identifier_type
    return (then, type_) if then and type_ and then != type_ else None


def what_changed(now: Reading, applied: StoredReading | None) -> Iterator[str]:
    """What a person should know about the identifiers, one sentence each."""
    since = f"the reading last applied, of {applied.at:%Y-%m-%d %H:%M} UTC" if applied else ""
    lost = lost_identifiers(now, applied)
    if lost.more_rows and applied:
        yield (
            f"{counted(lost.more_rows, 'more row has', 'more rows have')} no identifier of their own than in"
            f" {since}: {lost.in_words()}."
        )
    elif lost.more_rows:
        yield (
            f"{counted(lost.more_rows, 'row has', 'rows have')} no identifier of their own"
            f" ({lost.in_words()}); no reading has been applied yet to compare with."
        )
    changed = type_change(now, applied)
    if changed:
        yield f"The identifier's type changed from {changed[0]} to {changed[1]} since {since}."
