"""What a CSV file means: the text between delimiters, as Python's `csv` module reads it, or a refusal."""

import codecs
import csv
import gzip
import io
import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.segments import SourceError
from dinmo_pipeline.segments.errors import SourceUnavailableError
from dinmo_pipeline_tests.segments.sources.files.reading import opened, rows_by_python, rows_of

_numbers = itertools.count()


def read(folder: Path, content: bytes, name: str = "t.csv"):
    """The columns and rows of a file with a content."""
    inside = folder / f"case{next(_numbers)}"
    inside.mkdir()
    (inside / name).write_bytes(content)
    with opened(inside) as source:
        return rows_of(source, "t")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"id,note\n#1,x\n#,\n//2,-- y\n", [("#1", "x"), ("#", None), ("//2", "-- y")]),
        (b'id,note\n1,\n2,""\n3,NULL\n4,NA\n', [("1", None), ("2", None), ("3", "NULL"), ("4", "NA")]),
        (b'id,note\n1,"a ""b"" c"\n2,5" pipe\n', [("1", 'a "b" c'), ("2", '5" pipe')]),
        (b'id,note\n1,"two\nlines"\n2,"a,b"\n', [("1", "two\nlines"), ("2", "a,b")]),
        (b'id,note\n1, "x"\n2,"y" \n', "line 3"),
        (b'id,note\n1, "x"\n', [("1", ' "x"')]),
        (b"id,note\r\n1,x\r\n", [("1", "x")]),
        (b"id,note\r1,x\r2,y\r", [("1", "x"), ("2", "y")]),
        (b"id,note\r\n1,x\n2,y\r\n", [("1", "x"), ("2", "y")]),
        (b"\n\nid,note\n\n1,x\n\n", [("1", "x")]),
        (b"id,note\n 1 , x \n", [(" 1 ", " x ")]),
        (b"id,note\n1,x", [("1", "x")]),
        (b"id,note\n", []),
        (b"id,note", []),
        (codecs.BOM_UTF8 + b"id,note\n1,x\n", [("1", "x")]),
        ("id,note\n1,José\n".encode("utf-16"), [("1", "José")]),
        ("id,note\n1,José\n".encode("utf-16-be"), "line 1: the header has NUL characters"),
        (codecs.BOM_UTF16_BE + "id,note\n1,é\n".encode("utf-16-be"), [("1", "é")]),
        (codecs.BOM_UTF16_LE + "id,note\n1,x\n".encode("utf-16-le")[:-1], "not valid UTF-16"),
        ("id,note\n1,ok\n2,José\n".encode("latin-1"), "line 3: the text is not UTF-8"),
        (b"id;note\n1;a,b\n2;c\n", [("1", "a,b"), ("2", "c")]),
        (b"id\tnote\n1\ta b\n", [("1", "a b")]),
        (b"id|note\n1|x\n", [("1", "x")]),
        (b"'id','note'\n'1','a,b'\n", [("1", "a,b")]),
        (b"id,note\n1\n2,y\n", "line 2: the row has 1 value instead of 2"),
        (b"id,note\n1,x\n\n2,y,z\n", "line 4: the row has 3 values instead of 2"),
        (b'id,note\n1,"a\nb"\n2\n', "line 4: the row has 1 value"),
        (b"id,note\n1,x\n2 rows\n", "line 3: the row has 1 value"),
        (b'id,note\n1,"x\n2,y\n', "line 2: a quote is opened and never closed"),
        (b'id,note\n1,"x"y\n', "line 2: text follows a closing quote"),
        (b'id,note\n1,"a \\"b\\" c"\n', "line 2: text follows a closing quote"),
        (b"Report of March\nid;note\n1;x\n2;y\n", "line 2: the row has 2 values instead of 1"),
        (b"id,Id\n1,2\n", "line 1: the header has two columns named 'Id'"),
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"id,note\n1,a\x00b\n", [("1", "a\x00b")]),
    ],
)
def test_a_file_is_read_right_or_refused_by_its_line(tmp_path: Path, content: bytes, rows) -> None:
    if isinstance(rows, str):
        with pytest.raises(SourceError, match=rows) as caught:
            read(tmp_path, content)
        assert "t.csv" in str(caught.value)
    else:
        assert read(tmp_path, content) == (["id", "note"], rows)


def test_a_file_with_one_column_and_one_with_an_index(tmp_path: Path) -> None:
    """Blank lines are no rows; an exported index has no name in the header."""
    assert read(tmp_path, b"email\na@x.test\n\nb@x.test\n") == (["email"], [("a@x.test",), ("b@x.test",)])
    assert read(tmp_path, b",email\n0,a@x.test\n") == (["column0", "email"], [("0", "a@x.test")])
    assert read(tmp_path, b"id,note,\n1,x,\n") == (["id", "note", "column2"], [("1", "x", None)])


def test_compressed_files(tmp_path: Path) -> None:
    """Gzip, also in several members as `cat` leaves it, and zstd; a damaged one is refused by name."""
    text = b"id,note\n1,x\n"
    expected = (["id", "note"], [("1", "x"), ("2", "y")])
    assert read(tmp_path, gzip.compress(text) + gzip.compress(b"2,y\n"), "t.csv.gz") == expected
    assert read(tmp_path, pa.compress(text + b"2,y\n", "zstd", asbytes=True), "t.csv.zst") == expected
    assert read(tmp_path, gzip.compress(text.decode().encode("utf-16")), "t.CSV.GZ") == (
        ["id", "note"],
        [("1", "x")],
    )
    noise = bytearray(gzip.compress(b"".join(b"%d,%d\n" % (n, n * n) for n in range(5000))))
    noise[2000:2100] = bytes(100)
    for content, name in (
        (gzip.compress(text * 1000)[:-20], "t.csv.gz"),
        (bytes(noise), "t.csv.gz"),
        (b"no gzip", "t.csv.gz"),
        (b"no zstd", "t.csv.zst"),
    ):
        with pytest.raises(SourceError, match=rf"{name}: the file is damaged"):
            read(tmp_path, content, name)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_file_that_vanishes_is_a_transient_error(tmp_path: Path, name: str) -> None:
    """A job may be replacing it."""
    (tmp_path / "other.csv").write_bytes(b"id\n1\n")
    (tmp_path / name).write_bytes(gzip.compress(b"id\n1\n"))
    with opened(tmp_path) as source:
        (tmp_path / name).unlink()
        with pytest.raises(SourceUnavailableError, match=rf"{name}: the file does not exist any more"):
            source.table("t")
        assert source.count("SELECT * FROM other") == 1


def test_parts_with_different_headers_are_one_table(tmp_path: Path) -> None:
    """Matched by name, also where the order, the delimiter or the encoding differs; a folder is a column."""
    folder = tmp_path / "orders"
    parts = {
        "year=2025/a.csv": b"id,note\n1,x\n",
        "year=2026/b.csv": b"NOTE;id\ny;2\n",
        "year=__HIVE_DEFAULT_PARTITION__/c.csv": "id,city\n3,Zürich\n".encode("utf-16"),
        "year=a%2Fb/d.csv": b"id,year\n4,own\n",
    }
    for name, content in parts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with opened(tmp_path) as source:
        columns, rows = rows_of(source, "orders")
    assert columns == ["id", "note", "year", "city"]
    assert sorted(rows, key=str) == [
        ("1", "x", "2025", None),
        ("2", "y", "2026", None),
        ("3", None, None, "Zürich"),
        ("4", None, "own", None),
    ]
    (folder / "year=2026" / "e.csv").write_bytes(b"id,note\n5\n")
    with pytest.raises(SourceError, match=r"e\.csv, line 2"), opened(tmp_path) as source:
        rows_of(source, "orders")


@pytest.mark.parametrize("type_", ["csv", "parquet"])
def test_names_of_files_mean_themselves(tmp_path: Path, type_: str) -> None:
    """A name with wildcards does not match its neighbours."""
    names = [
        "p?",
        "pq",
        "orders [ab]",
        "orders a",
        "x*",
        "xyz",
        "it's",
        'say "hi"',
        "a]b",
        "Zoë 🙂",
        "50%",
        "{a,b}",
    ]
    for name in names:
        path = tmp_path / f"{name}.{type_}"
        if type_ == "csv":
            path.write_text(f"""name\n"{name.replace('"', "")}"\n""")
        else:
            pq.write_table(pa.table({"name": [name.replace('"', "")]}), path)
    with opened(tmp_path, type_) as source:
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            assert list(source.columns(quoted)) == ["name"]
            found = source.batches(f"SELECT name FROM {quoted}").read_all()
            assert found.column(0).to_pylist() == [name.replace('"', "")]


def test_a_bad_row_is_found_without_reading_its_column(tmp_path: Path) -> None:
    """DuckDB skips columns that a segment does not use, but counts them."""
    (tmp_path / "t.csv").write_text("id,note\n" + "1,x\n" * 5000 + "2\n")
    with opened(tmp_path) as source, pytest.raises(SourceError, match=r"t\.csv, line 5002: the row has 1"):
        source.batches("SELECT id FROM t").read_all()
    with opened(tmp_path) as source, pytest.raises(SourceError, match=r"t\.csv, line 5002: the row has 1"):
        source.count("SELECT id FROM t")


PIECES = st.sampled_from(
    ["a", "b", "1", " ", ",", ";", '"', '""', "\n", "\r\n", "\r", "'", "#", "é", "\\", "\t"]
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=25).map("".join))
@example('1, "x"\n')
@example('"x" ,2\n')
@example(' \n"",\n')
@example('"a\r\nb",1\n')
@example('"a\nb",1\r\n')
@example("a\\,b\n")
@example('a,"x" "y"\n')
@example('a,"" ""\n')
@example("'a',b\n")
@example('a"b,"c"\n')
def test_any_text_is_read_like_pythons_csv_module_or_refused(tmp_path: Path, text: str) -> None:
    """After a header that fixes the delimiter: never other values, more rows or fewer.

    Delimiters after the last value are ignored.
    """
    content = f"h1,h2\n{text}"
    try:
        rows = [row for row in csv.reader(io.StringIO(content, newline=""), strict=True) if row]
    except csv.Error:
        rows = [[]]
    rows = [row if any(row[2:]) else row[:2] for row in rows]
    if any(len(row) != 2 for row in rows):
        with pytest.raises(SourceError, match=r"t\.csv, line \d+"):
            read(tmp_path, content.encode())
        return
    expected = [tuple(value or None for value in row) for row in rows[1:]]
    assert read(tmp_path, content.encode()) == (["h1", "h2"], expected)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # Python does not quote a lone carriage return, so it cannot read it back.
    st.lists(st.tuples(*[st.text(max_size=8).map(lambda text: text.replace("\r", ""))] * 3), max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_python_writes_is_read_back(tmp_path: Path, rows, delimiter, ending, quoting) -> None:
    """Any text, in any of the usual formats; an empty value is NULL."""
    folder = tmp_path / f"case{next(_numbers)}"
    folder.mkdir()
    path = folder / "t.csv"
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=ending, quoting=quoting)
        writer.writerow(["h1", "h2", "h3"])
        try:
            writer.writerows(rows)
        except UnicodeEncodeError:
            return
    with opened(folder) as source:
        assert rows_of(source, "t") == rows_by_python(path, delimiter=delimiter)
