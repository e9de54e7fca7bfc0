"""Whatever a source contains: the right members get the tag, or there is an error and nothing changes.

A plain reading of the rows in Python decides which members are right.
"""

import string
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.emulator import NewContact, running
from dinmo_pipeline.segments import SegmentError, open_source, select_activated
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline_tests.end_to_end.faults.kept_state import KeptState
from dinmo_pipeline_tests.intercom.workspace import Clock, Workspace
from dinmo_pipeline_tests.segments.declaring import duckdb_file, listed, project
from dinmo_pipeline_tests.state.declaring import activation, staged
from dinmo_pipeline_tests.sync.syncing import LOG

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Column:
    """A type, its values, and each as an identifier; None if it cannot be one."""

    type: str
    values: st.SearchStrategy[Any]
    written: Callable[[Any], str] | None


# Some capital letters of Unicode have more than one letter as lower case, which engines treat differently.
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="İ")
ODD_TEXTS = st.sampled_from(
    [
        *("", " ", "\t\n", "\u00a0", "\u200b", "\ufeff", "\x00", "a\x00b", "\x1f", "'", '"', "\\"),
        *("'; DROP TABLE x; --", "NULL", "null", "nan", "x" * 20_000, "\u202eevil", "e\u0301"),
        *(
            "Ann@X.org",
            " ann@x.org",
            "ann@x.org",
            "bo@x.org",
            "a b@x.org",
            "no-at",
            "@",
            "007",
            "7",
        ),
    ]
)


def _digits(number: float | Decimal, *, limit: int) -> str:
    """The digits of a whole number that its type holds exactly."""
    is_whole = abs(number) < limit and number == int(number)
    return str(int(number)) if is_whole else "not a whole number"


COLUMNS = [
    Column("VARCHAR", ODD_TEXTS | st.text(LETTERS, max_size=12), str),
    Column("BIGINT", st.integers(-(2**63), 2**63 - 1), str),
    Column("HUGEINT", st.integers(-(2**100), 2**100), str),
    Column("DECIMAL(18,3)", st.decimals(-(10**9), 10**9, places=3), lambda v: _digits(v, limit=10**18)),
    Column(
        "DOUBLE", st.floats() | st.integers(-(2**60), 2**60).map(float), lambda v: _digits(v, limit=2**53)
    ),
    Column("UUID", st.uuids(), str),
    Column("ENUM('a', 'it''s', ' ', 'É')", st.sampled_from(["a", "it's", " ", "É"]), str),
    Column("BOOLEAN", st.booleans(), None),
    Column("DATE", st.dates(), None),
    Column("TIMESTAMP", st.datetimes(), None),
    Column("TIME", st.times(), None),
    Column("INTERVAL", st.timedeltas(), None),
    Column("BLOB", st.binary(max_size=5), None),
    Column("BIT", st.sampled_from(["0101", "1"]), None),
    Column("INTEGER[]", st.lists(st.integers(0, 9), max_size=3), None),
    Column("STRUCT(email VARCHAR)", st.fixed_dictionaries({"email": ODD_TEXTS}), None),
    Column("MAP(VARCHAR, INTEGER)", st.just({}), None),
    Column("JSON", st.sampled_from(['{"a": 1}', '"ann@x.org"', "1", "null"]), None),
]
NAMES = st.sampled_from(
    ["vip", "Select", "a.b", 'qu"ote', "it's", "-- x", "ü🦆", " ", "$1", "members", "identifier"]
) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)


@dataclass(frozen=True)
class Case:
    """A table with one column of identifiers, and by what they are matched."""

    table: str
    name: str
    column: Column
    values: list[Any]
    match_by: str

    def fill(self, path: Path) -> None:
        """Create the DuckDB file."""
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                f"CREATE TABLE {quoted(self.table)}"
                f" (a_number INTEGER, {quoted(self.name)} {self.column.type})"
            )
            if self.values:
                rows = ", ".join(["(1, ?)"] * len(self.values))
                connection.execute(f"INSERT INTO {quoted(self.table)} VALUES {rows}", self.values)

    @property
    def is_named(self) -> bool:
        """Whether a declaration can contain the names: control characters match no table."""
        return not any(ord(letter) < 32 or ord(letter) == 127 for letter in self.table)

    def members(self) -> set[str]:
        """The members by a plain computation."""
        texts = (self.column.written(value) for value in self.values if value is not None)
        return {text for text in map(self._normal, texts) if text}

    def _normal(self, text: str) -> str:
        trimmed = text.strip("".join(filter(_is_space, set(text))))
        if self.match_by == "email":
            return NFC("".join(letter.lower() for letter in NFC(trimmed)))
        return text if trimmed else ""


def _is_space(letter: str) -> bool:
    if letter == "\x00":
        return False
    return unicodedata.category(letter) in ("Zs", "Zl", "Zp", "Cc", "Cf") or letter in "\u034f\u3164\ufe0f"


NFC = partial(unicodedata.normalize, "NFC")


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


TEXT = COLUMNS[0]
# Texts are where most can go wrong.
KINDS = st.sampled_from(COLUMNS) | st.just(TEXT)


@st.composite
def tables(draw: st.DrawFn) -> Case:
    """A table, more often of text than of any other type."""
    column = draw(KINDS)
    values = draw(st.lists(st.none() | column.values, max_size=12))
    name = draw(NAMES.filter(lambda name: name.casefold() != "a_number"))
    return Case(draw(NAMES), name, column, values, draw(st.sampled_from(["email", "user_id"])))


@dataclass
class World:
    """One workspace and one state, emptied for each table."""

    workspace: Workspace
    state: KeptState
    locks: Path

    def sync(self, case: Case) -> Any:
        """Read the segment of the table and apply it; some of its members are in Intercom."""
        vip = activation(match_by=case.match_by, column=case.name)
        declared = project(listed("vip", quoted(case.table)))
        with source_of(case) as source:
            select = select_activated(declared, vip, source, now=NOW)
            refresh_membership(
                self.state, "vip", case.match_by, staged(source.batches(select.sql), case.match_by, now=NOW)
            )
        session = Session(vip, self.state, self.workspace.client, LOG)
        refresh_changes(session)
        return apply_changes(session, self.locks)

    def members(self) -> set[str]:
        with self.state.reading() as connection:
            rows = connection.execute("SELECT identifier FROM dinmo.segment_membership").fetchall()
        assert len({row[0] for row in rows}) == len(rows)
        return {row[0] for row in rows}

    def add_people(self, case: Case) -> set[str]:
        """Create some of the members in Intercom, and one other user; returns the ids of the former."""
        known = [each for each in sorted(case.members()) if _could_be_known(each, case)][:3]
        field = "email" if case.match_by == "email" else "external_id"
        self.workspace.create([NewContact(**{field: "somebody.else@x.org"})])
        return set(self.workspace.create(NewContact(**{field: each}) for each in known))


def _could_be_known(member: str, case: Case) -> bool:
    printable = set(member) <= set(string.printable) - set(string.whitespace) and len(member) < 200
    return printable and (case.match_by == "user_id" or "@x.org" in member)


@contextmanager
def source_of(case: Case) -> Iterator[Any]:
    """The table in a DuckDB file, opened as a source."""
    with TemporaryDirectory() as folder:
        case.fill(Path(folder) / "warehouse.duckdb")
        with open_source(duckdb_file(Path(folder) / "warehouse.duckdb"), uri=None) as source:
            yield source


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clock = Clock()
    with running(clock=clock) as server, Workspace(server, clock) as workspace:
        yield World(workspace, KeptState(), tmp_path_factory.mktemp("locks"))


@settings(max_examples=60, deadline=None)
@given(case=tables())
def test_the_right_members_are_tagged_or_nothing_is_changed(world: World, case: Case) -> None:
    """With any type, any content, and any names."""
    world.workspace.reset()
    world.state.lose()
    if case.column.written is None or not case.is_named:
        event("refused")
        with pytest.raises(SegmentError) as refused:
            world.sync(case)
        assert all(problem.message for problem in refused.value.problems)
        assert world.members() == set()
        assert not world.workspace.calls
        return
    event(case.column.type)
    if case.column.type == "DOUBLE":
        world.sync(case)  # engines write 1e20 in several ways
        assert set(map(float.__repr__, map(float, world.members()))) == case.members()
        return
    known = world.add_people(case)
    result = world.sync(case)
    assert world.members() == case.members()
    assert (result.status, result.reason) == ("ok", None)
    assert world.workspace.tagged("VIP") == known
