"""Every way in which a source can be broken: an error and an exit code, and nothing is changed."""

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ANA = "ana.lee@example.com"


def _in_warehouse(company, *statements):
    with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
        connection.execute("DROP TABLE vip")
        for statement in statements:
            connection.execute(statement)


def _write(content):
    return lambda company: (company.folder / "warehouse.duckdb").write_bytes(content)


def _cut_in_half(company):
    path = company.folder / "warehouse.duckdb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _folder_in_its_place(company):
    (company.folder / "warehouse.duckdb").unlink()
    (company.folder / "warehouse.duckdb").mkdir()


def _files(type_, name, content):
    def break_(company):
        (company.folder / "files").mkdir()
        (company.folder / "files" / name).write_bytes(content)
        company.declared["source"] = {"type": type_, "folder": "files"}

    return break_


def _parquet(*, until):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"email": [ANA] * 1_000}), sink)
    return sink.getvalue().to_pybytes()[:until]


def _sql(*statements):
    return lambda company: _in_warehouse(company, *statements)


VIEW_OF_NOTHING = ("CREATE TABLE t (email TEXT)", "CREATE VIEW vip AS FROM t", "DROP TABLE t")
CAST_THAT_FAILS = (
    f"CREATE TABLE t AS SELECT '{ANA}' AS email",
    "CREATE VIEW vip AS SELECT CAST(email AS INTEGER) AS email FROM t",
)
BROKEN = {
    "no DuckDB file": ("not a valid DuckDB database", _write(b"not a database" * 1_000)),
    "an empty file": ("cannot open the source", _write(b"")),
    "half a file": ("cannot open the source", _cut_in_half),
    "a folder": ("does not exist", _folder_in_its_place),
    "a missing table": ("no table 'vip'", _sql()),
    "a missing column": ("no column 'email'", _sql("CREATE TABLE vip (mail TEXT)")),
    "a view of nothing": ("Table with name t does not exist", _sql(*VIEW_OF_NOTHING)),
    "a cast that fails": ("Could not convert string '***'", _sql(*CAST_THAT_FAILS)),
    "bytes": ("is BLOB, which cannot", _sql("CREATE TABLE vip (email BLOB)")),
    "JSON": ("is JSON, which cannot", _sql("CREATE TABLE vip (email JSON)")),
    "half a Parquet file": (
        "cannot read",
        _files("parquet", "vip.parquet", _parquet(until=300)),
    ),
    "an empty Parquet file": ("cannot read", _files("parquet", "vip.parquet", b"")),
    "a CSV file of zeros": ("NUL characters", _files("csv", "vip.csv", bytes(5_000))),
    "a CSV file in Latin-1": (
        "line 2: the text is not UTF-8",
        _files("csv", "vip.csv", "email\nélo@x.org\n".encode("latin-1") * 9),
    ),
}


@pytest.mark.parametrize(("words", "break_"), BROKEN.values(), ids=BROKEN)
def test_a_plan_from_a_broken_source_is_refused_with_a_sentence(company, dinmo, words, break_):
    """No traceback, no personal data, no state created or changed, no call."""
    company.members([ANA])
    break_(company)
    printed = dinmo("plan", "--json")
    assert printed.code == 1
    assert words in printed.out + printed.err
    assert "Traceback" not in printed.err
    assert ANA not in printed.out + printed.err
    assert not (company.folder / "state.duckdb").exists()
    assert company.calls() == {}


def test_a_sync_from_a_broken_source_keeps_everything(company, dinmo):
    """Through Dagster: neither the terminal nor the stored run shows a traceback or an email."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    before = company.rows("FROM dinmo.membership_sizes"), company.rows("FROM dinmo.tagged_contacts")
    _in_warehouse(company, *CAST_THAT_FAILS)
    printed = dinmo("sync", "vip", "--json")
    assert printed.code == 1
    assert '"status": "failed"' in printed.out
    assert "Could not convert string '***'" in printed.out
    assert "Stack Trace" not in printed.err
    assert ANA not in printed.out + printed.err
    told = dinmo("sync", "vip", "--verbose").err
    assert "Stack Trace" in told
    assert ANA not in told
    after = company.rows("FROM dinmo.membership_sizes"), company.rows("FROM dinmo.tagged_contacts")
    assert after == before
    assert company.tagged() == {ANA}
