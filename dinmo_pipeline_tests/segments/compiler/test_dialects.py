"""The SQL for each warehouse is the one on file, and parses in that warehouse's dialect."""

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from dinmo_pipeline.segments.sql import literals
from dinmo_pipeline.segments.sql.identifiers import identifier
from dinmo_pipeline.segments.sql.writing import write
from dinmo_pipeline_tests.segments.compiler.dialects import DIALECTS, FOLDER, WRITTEN, golden, statements


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_sql_is_what_is_on_file(dialect: str) -> None:
    """Changes show up in review; run the module `dialects` to write the files."""
    assert golden(dialect) == (FOLDER / f"{dialect}.sql").read_bytes().decode()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_sql_parses_in_its_dialect_to_what_was_meant(dialect: str) -> None:
    """Read back, it is one SELECT of one column, and is written the same again."""
    for key, sql in statements(dialect).items():
        (parsed,) = sqlglot.parse(sql, dialect=dialect)
        assert isinstance(parsed, exp.Select), key
        assert parsed.named_selects == ["identifier"], key
        if key in ("churned", "in segment"):
            assert f"(\n{WRITTEN}\n) AS " in sql, "an author's text stands there as it is"
        # What Databricks needs to shift an instant is read back with a cast to what it is already.
        elif (dialect, key) != ("databricks", "anniversary"):
            assert parsed.sql(dialect=dialect) == sql, key


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=40)
@given(value=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_text_is_one_literal_and_reads_back_the_same(dialect: str, value: str) -> None:
    """This holds under each dialect's rules for quotes and backslashes."""
    sql = write(exp.select(literals.text(value), exp.alias_(literals.number(1), "end")), dialect)
    (parsed,) = sqlglot.parse(sql, dialect=dialect)
    assert isinstance(parsed, exp.Select)
    first, second = parsed.expressions
    assert second.alias == "end"
    assert _said(first) == value
    if dialect == "redshift":
        assert not set("\\\n\t") & set(sql)
        assert "''" not in sql.replace("SELECT ''", "")


def _said(text: exp.Expr) -> str:
    """What a literal, or several joined by `||`, amount to."""
    match text:
        case exp.Paren():
            return _said(text.this)
        case exp.DPipe():
            return _said(text.this) + _said(text.expression)
        case exp.Chr():
            return chr(int(text.expressions[0].this))
    assert isinstance(text, exp.Literal)
    assert text.is_string
    return str(text.this)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "redshift", "snowflake"])
@settings(max_examples=40)
@given(name=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_name_is_one_identifier_and_reads_back_the_same(dialect: str, name: str) -> None:
    """Quotes, dots and semicolons are just part of the name."""
    sql = exp.select(exp.column(identifier(name))).from_("t").sql(dialect=dialect)
    (parsed,) = sqlglot.parse(sql, dialect=dialect)
    assert [each.name for each in parsed.expressions] == [name]
