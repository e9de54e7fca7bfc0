"""Hostile values and names, in every position, change nothing but the answer."""

import pytest

from dinmo_pipeline.config.declarations.conditions import AllOf
from dinmo_pipeline.segments import MissingTableError, SegmentError, select_members
from dinmo_pipeline_tests.segments.compiler.dialects import DIALECTS, DescribedSource
from dinmo_pipeline_tests.segments.declaring import (
    field,
    in_segment,
    listed,
    model,
    project,
    related,
    segment,
)
from dinmo_pipeline_tests.segments.engines import Engine
from dinmo_pipeline_tests.segments.reading import NOON, members

TEXTS = [
    "'",
    "''",
    '"',
    "\\",
    "\\'",
    "\\\\'; DROP TABLE people; --",
    "'; DROP TABLE people; --",
    "' OR '1'='1",
    "x' UNION SELECT id FROM people --",
    "$$; DROP TABLE people; $$",
    "$1 ? :name @x {{ jinja }} ${shell} %(python)s %s",
    "/* */ -- #",
    "`people`",
    "E'\\n'",
    "\n\r\t\x08\x1b\x7f",
    "\u2028\u00a0\u200b\u202e",
    "🦆é\u0301ß\U0001f1eb\U0001f1f7",
    "NULL",
    "%_%",
    "x" * 5000,
]
NAMES = [
    "select",
    "order by",
    "a.b",
    "a b",
    'qu"ote',
    '"; DROP TABLE people; --',
    "it's",
    "back\\slash",
    "-- comment",
    "/*",
    "ünïcodé🦆",
    "UPPER",
    "1st",
    "t1",
    "keys",
    "identifier",
    "$1",
    "?",
    "100%",
]


def quoted(name: str) -> str:
    """A name as a test writes it into DDL."""
    return '"' + name.replace('"', '""') + '"'


def test_a_hostile_value_is_compared_as_it_is(engine: Engine) -> None:
    """Each text finds its own row by every text operator, and no other row by equality."""
    engine.run("CREATE TABLE people (id INT, name TEXT)")
    literals = [f"({n}, '{value.replace(chr(39), chr(39) * 2)}')" for n, value in enumerate(TEXTS)]
    engine.run(f"INSERT INTO people VALUES {', '.join(literals)}")
    with engine.open() as source:
        for number, value in enumerate(TEXTS):
            for operator in ("equals", "in_", "contains", "starts_with", "ends_with"):
                test = {operator: [value] if operator == "in_" else value}
                for ignore_case in (False, True):
                    condition = field("name", ignore_case=ignore_case, **test)
                    declared = project(model("people"), segment("tested", condition, over="people"))
                    found = members(source, declared, "tested")
                    assert str(number) in found, (operator, value)
                    if operator in ("equals", "in_"):
                        assert found == [str(number)], (operator, value)
        assert source.count("SELECT id FROM people") == len(TEXTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_just_a_name(engine: Engine, name: str) -> None:
    """It is used as a table, a column, a key, and a column to join, measure and sort by."""
    plain = '"' + name.replace('"', '""') + '"'
    engine.run(
        f"CREATE TABLE {plain} ({plain} INT, other TEXT)",
        f"INSERT INTO {plain} VALUES (1, 'a'), (2, 'b'), (NULL, 'c')",
    )
    condition = AllOf(
        (
            field(name, at_least=1),
            related("exists", "same", where=field(name, is_set=True)),
            related("sum", f"same.{name}", at_least=2) if "." not in name else field(name, at_least=2),
            related("last", "same.other", by=name, equals="b"),
            in_segment("table"),
            in_segment("sql"),
        )
    )
    declared = project(
        model("rows", quoted(name), primary_key=name, same=("rows", {name: name})),
        listed("table", quoted(name)),
        segment("sql", f"SELECT * FROM {plain} WHERE 1 = 1"),
        segment("tested", condition, over="rows"),
    )
    with engine.open() as source:
        assert members(source, declared, "tested", name) == ["2"]
        assert members(source, declared, "sql", name) == [None, "1", "2"]


@pytest.mark.parametrize(
    "name", ["", ".", "a.", ".a", "a..b", "a.b.c.d", '"open', "a\x00b", "a\nb", '""', 'a"b"']
)
def test_a_text_that_is_not_a_name_is_a_missing_table(engine: Engine, name: str) -> None:
    """It is reported as missing, whatever it would do in SQL."""
    engine.run("CREATE TABLE a (id INT)")
    with engine.open() as source, pytest.raises(MissingTableError):
        source.table(name)


@pytest.mark.parametrize("name", ["people; DROP TABLE people", "people --", "people) AS x", "(SELECT 1)"])
def test_sql_in_the_place_of_a_name_finds_no_table(engine: Engine, name: str) -> None:
    """It is quoted, and there is no table of that name."""
    engine.run("CREATE TABLE people (id INT)")
    declared = project(listed("tested", name))
    with engine.open() as source:
        with pytest.raises(MissingTableError):
            source.table(name)
        with pytest.raises(SegmentError, match="has no table"):
            select_members(declared, "tested", "id", source, now=NOON, timezone="UTC")
        assert list(source.columns("people")) == ["id"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_hostile_column_must_exist_to_be_used_at_all(dialect: str) -> None:
    """A name that the source does not have never reaches a statement, in any dialect."""
    source = DescribedSource(dialect, {"people": {}})
    declared = project(
        model("people"), segment("tested", field("id` OR 1=1 -- ", is_set=True), over="people")
    )
    with pytest.raises(SegmentError, match="has no column"):
        select_members(declared, "tested", "id", source, now=NOON, timezone="UTC")
