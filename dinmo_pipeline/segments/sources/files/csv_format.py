"""What the text of a CSV file means: its encoding, delimiter, quotes and header.

A value is the text between two delimiters, nothing is a comment, and the first record is the header. Python's
`csv` module is the reference. DuckDB is several times as fast and reads a *regular* file in the same way; see
`is_regular` for the others.
"""

import codecs
import csv
import gzip
import io
import mmap
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from dinmo_pipeline.segments.errors import SourceError, SourceUnavailableError
from dinmo_pipeline.text.wording import counted

DELIMITERS = (",", ";", "\t", "|")
ENCODING = "utf-8-sig"  # UTF-8, with or without a byte order mark

_SAMPLE_CHARACTERS = 1 << 18
_RECORDS_COMPARED = 200
_HEAD_BYTES = 4096
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How a file separates and quotes values, and the names in its header; `""` in quotes is a quote."""

    delimiter: str
    quote: str
    header: tuple[str, ...]


class BadRecordError(Exception):
    """A record that cannot be read: the line it begins in, and why, without its values."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def plain_text(path: Path, scratch: Path) -> Path:
    """The file itself if it is UTF-8, else a copy in the folder `scratch` that is.

    Raises:
        SourceError: it cannot be decompressed or decoded; the text names the file, and the line.
    """
    try:
        copied = _decompressed(path, scratch)
        with copied.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        raise SourceUnavailableError(f"{path}: the file does not exist any more.") from None
    except (EOFError, OSError, zlib.error, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno:  # of the file system, not of the archive
            raise SourceError(f"{path}: {error.strerror} ({error.filename or scratch}).") from None
        raise SourceError(f"{path}: the file is damaged: {error}") from None
    if not head.strip():
        raise SourceError(f"{path}: the file is empty. Its first line must be a header.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decoded(copied, "utf-16", path, scratch)
    if b"\x00" in head.partition(b"\n")[0]:
        raise SourceError(
            f"{path}, line 1: the header has NUL characters, so the file may be UTF-16 without a byte order"
            " mark. Save it as UTF-8."
        )
    return copied


def _decompressed(path: Path, scratch: Path) -> Path:
    name = path.name.lower()
    if not name.endswith((".gz", ".zst")):
        return path
    target = _new_file(scratch)
    opened: Any = gzip.GzipFile(path) if name.endswith(".gz") else pa.CompressedInputStream(str(path), "zstd")
    with closing(opened), target.open("wb") as copy:
        shutil.copyfileobj(opened, copy, _COPY_BYTES)
    return target


def _decoded(source: Path, encoding: str, path: Path, scratch: Path) -> Path:
    target = _new_file(scratch)
    line = 1
    try:
        with (
            source.open(encoding=encoding, newline="") as text,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            while piece := text.read(_COPY_BYTES):
                copy.write(piece)
                line += piece.count("\n")
    except UnicodeDecodeError:
        raise SourceError(f"{path}, from line {line} on: the text is not valid UTF-16.") from None
    return target


def _new_file(scratch: Path) -> Path:
    descriptor, name = tempfile.mkstemp(suffix=".csv", dir=scratch)
    os.close(descriptor)
    return Path(name)


def read_format(plain: Path) -> CsvFormat:
    """The format of a file of UTF-8 text, by its first records.

    Raises:
        BadRecordError: its header cannot be read, or names two columns alike.
    """
    sample, is_whole = _sample(plain)
    quote = _quote_of(sample)
    parsed = {each: _records_of(sample, each, quote, is_whole=is_whole) for each in DELIMITERS}
    delimiter = _delimiter_of(parsed)
    try:
        _, header = next(records(plain, CsvFormat(delimiter, quote, ())))
    except StopIteration:
        raise BadRecordError(1, "the file has no header") from None
    return CsvFormat(delimiter, quote, _names(header))


def _sample(plain: Path) -> tuple[str, bool]:
    with plain.open(encoding=ENCODING, errors="replace", newline="") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
        return sample, not file.read(1)


def _quote_of(sample: str) -> str:
    """A double quote, unless there is none and each value of the header is in single quotes."""
    first = sample.lstrip("\r\n").splitlines()[:1]
    in_single_quotes = rf"'[^']*'([{''.join(DELIMITERS)}]'[^']*')*"
    is_single = '"' not in sample and bool(first) and re.fullmatch(in_single_quotes, first[0])
    return "'" if is_single else '"'


def _records_of(sample: str, delimiter: str, quote: str, *, is_whole: bool) -> list[list[str]]:
    """The first records of a sample, as far as they can be read with a delimiter."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quotechar=quote)
    found: list[list[str]] = []
    try:
        for record in reader:
            if record:
                found.append(record)
            if len(found) > _RECORDS_COMPARED:
                return found
    except csv.Error:
        return found
    return found if is_whole else found[:-1]


def _delimiter_of(parsed: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """The delimiter with which the header has several values, and most records have as many.

    If the header has one value with each of them, the file has one column, unless most records have several:
    such a file begins with a title, and its second line will be refused.
    """
    several = [each for each in DELIMITERS if parsed[each] and len(parsed[each][0]) > 1]
    if several:
        return max(several, key=lambda each: (_share_of_width(parsed[each]), len(parsed[each][0])))
    shares = {each: 1 - _share_of_width(parsed[each]) for each in DELIMITERS if parsed[each]}
    likely = max(shares, key=lambda each: shares[each], default=DELIMITERS[0])
    return likely if shares.get(likely, 0) > 1 / 2 else DELIMITERS[0]


def _share_of_width(found: Sequence[Sequence[str]]) -> float:
    """The share of the records with as many values as the header."""
    return sum(len(record) == len(found[0]) for record in found) / len(found)


def _names(header: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns; one without a name, as for an exported index, is called by its position."""
    names: list[str] = []
    for position, text in enumerate(header):
        name = text.strip() or f"column{position}"
        if name.casefold() in (other.casefold() for other in names):
            raise BadRecordError(1, f"the header has two columns named {name!r}")
        names.append(name)
    return tuple(names)


def records(plain: Path, format_: CsvFormat) -> Iterator[tuple[int, list[str]]]:
    """Each record of a file of UTF-8 text with the line it begins in, the header first; no blank lines.

    Raises:
        BadRecordError: a record cannot be read, or has more or fewer values than the header.
    """
    width = len(format_.header)
    line = 1
    with plain.open(encoding=ENCODING, newline="") as file:
        reader = csv.reader(file, delimiter=format_.delimiter, quotechar=format_.quote, strict=True)
        while True:
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise BadRecordError(line, _in_words(str(error))) from None
            except UnicodeDecodeError:
                bad = _first_undecodable_line(plain)
                raise BadRecordError(bad, "the text is not UTF-8. Save the file as UTF-8") from None
            if record:
                width = width or len(record)
                while len(record) > width and not record[-1]:
                    record.pop()  # delimiters after the last value; DuckDB drops them, too
                if len(record) != width:
                    raise BadRecordError(
                        line, f"the row has {counted(len(record), 'value')} instead of {width}"
                    )
                yield line, record
            line = reader.line_num + 1


def _in_words(message: str) -> str:
    if "field larger" in message:
        return f"a value is longer than {csv.field_size_limit():,} characters"
    if "unexpected end" in message:
        return "a quote is opened and never closed"
    if "expected after" in message:
        return "text follows a closing quote; a quote inside of quotes must be doubled"
    return "the row cannot be read"


def _first_undecodable_line(plain: Path) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with plain.open("rb") as file:
        for line, content in enumerate(file, start=1):
            try:
                decoder.decode(content)
            except UnicodeDecodeError:
                return line
    return 1


def is_regular(plain: Path, format_: CsvFormat) -> bool:
    """Whether DuckDB reads a file like Python's `csv` module.

    It does not if lines end in different ways or in a carriage return alone, if the file begins with a blank
    line, or if spaces surround a quoted value: DuckDB drops them, and joins `"a" "b"`.
    """
    with plain.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:5].removeprefix(codecs.BOM_UTF8)[:1] in (b"\r", b"\n"):
            return False
        if content.find(b"\r") >= 0 and re.search(rb"\r(?!\n)|(?<!\r)\n", content):
            return False
        quote = format_.quote.encode()
        if content.find(quote) < 0 or content.find(b" ") < 0:
            return True
        ends = re.escape(format_.delimiter.encode() + b"\r\n")
        before = content.find(b" " + quote) >= 0 and re.search(rb"(?:^|[" + ends + rb"]) +" + quote, content)
        after = content.find(quote + b" ") >= 0 and re.search(
            quote + rb" +(?:[" + ends + quote + rb"]|$)", content
        )
        return not before and not after


def has_quotes(plain: Path, format_: CsvFormat) -> bool:
    """Whether a quote is anywhere in the file."""
    with plain.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(format_.quote.encode()) >= 0
