"""Files that are cut off or contain noise are read correctly or are an error of ours."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.segments import SegmentError, SourceError, open_source
from dinmo_pipeline_tests.segments.declaring import HERE, duckdb_file, listed, project
from dinmo_pipeline_tests.segments.reading import members

EMAILS = sorted(f"u{number}@example.com" for number in range(5_000))
VIP = project(listed("vip", "vip"))
# Where in a file, as a part of it: its ends are what readers look at first.
PLACES = st.one_of(st.just(0.0), st.just(0.999), st.floats(0, 0.999))
Damage = Callable[[bytes], bytes]


def cut(place: float) -> Damage:
    """Only the bytes before a position are left."""
    return lambda content: content[: int(len(content) * place)]


def overwritten(place: float, noise: bytes) -> Damage:
    """Noise in place of the original bytes."""

    def damage(content: bytes) -> bytes:
        start = int(len(content) * place)
        return (content[:start] + noise + content[start + len(noise) :])[: len(content)]

    return damage


CUTS = st.builds(cut, PLACES)
NOISES = st.builds(overwritten, PLACES, st.binary(min_size=1, max_size=64) | st.just(bytes(5_000)))


def read(source: Source) -> list[str | None] | Exception:
    """The members, or an error of ours that reveals none of them."""
    try:
        with open_source(source, uri=None, wait_seconds=0) as opened:
            return members(opened, VIP, "vip", "email")
    except (SourceError, SegmentError) as error:
        refused = error
    assert str(refused)
    assert "@example" not in str(refused)
    return refused


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A DuckDB file."""
    path = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("emails", pa.table({"email": EMAILS}))
        connection.execute("CREATE TABLE vip AS FROM emails")
    return path.read_bytes()


@pytest.fixture(scope="module")
def parquet() -> bytes:
    """A Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"email": EMAILS}), sink)
    return sink.getvalue().to_pybytes()


@settings(max_examples=30, deadline=None)
@given(damage=CUTS | NOISES)
def test_a_damaged_duckdb_file_is_read_correctly_or_not_at_all(warehouse: bytes, damage: Damage) -> None:
    """Its blocks have checksums, so there is no third case."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        path.write_bytes(damage(warehouse))
        found = read(duckdb_file(path))
    assert isinstance(found, Exception) or found == EMAILS


@settings(max_examples=30, deadline=None)
@given(damage=CUTS)
def test_a_parquet_file_that_is_cut_off_is_refused(parquet: bytes, damage: Damage) -> None:
    """The list of its contents is at the end of the file."""
    assert isinstance(_read_file("parquet", damage(parquet)), SourceError)


@settings(max_examples=30, deadline=None)
@given(damage=NOISES)
def test_noise_in_a_parquet_file_does_not_crash(parquet: bytes, damage: Damage) -> None:
    """Values in it have no checksum, so noise may be read as a value."""
    assert _read_file("parquet", damage(parquet)) is not None


CSV_WORDS = st.sampled_from(
    [
        *("email", ",", "\n", "\r\n", '"', '""', ";", "\t", "\x00", "ann@example.org", "NULL", "1"),
        *(" ", "é", "\ufeff", "#", "'", "\\"),
    ]
).map(str.encode)


@settings(max_examples=30, deadline=None)
@given(content=st.lists(CSV_WORDS | st.binary(max_size=3), max_size=30).map(b"".join))
def test_any_csv_file_is_read_or_refused(content: bytes) -> None:
    """It has headers, quotes and bytes in any order."""
    assert _read_file("csv", content) is not None
    assert _read_file("csv", b"email,n\nbo@x.org,1\n" + content) is not None


def _read_file(type_: str, content: bytes) -> list[str | None] | Exception:
    with TemporaryDirectory() as folder:
        (Path(folder) / f"vip.{type_}").write_bytes(content)
        return read(Source(type_, Path(folder), None, HERE))
