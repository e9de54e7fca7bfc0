"""Finds and reads the files of declarations."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from dinmo_pipeline.config.strict_yaml.composing import UnreadableYamlError, compose
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, kind_of
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.config.strict_yaml.report import Report
from dinmo_pipeline.config.strict_yaml.source_text import SourceText

MAX_BYTES = 2_000_000
MAX_FILES = 1_000
_ENDINGS = (".yaml", ".yml")
_OTHER_ENCODINGS = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
)


def read_documents(path: Path, report: Report) -> tuple[list[MapNode], bool]:
    """The mapping in each file at `path`, sorted by file name, and whether every file could be read."""
    files = _declaration_files(path, report)
    documents = [_read_document(file, report) for file in files or ()]
    readable = [document for document in documents if document is not None]
    return readable, bool(files) and len(readable) == len(documents)


def _declaration_files(path: Path, report: Report) -> list[Path] | None:
    nowhere = Place(str(path), 1, 1)
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            hint = "Name a YAML file or a folder of YAML files."
            report.add(nowhere, "declarations", "This path does not exist.", hint=hint)
            return None
        files = _files_in(path)
    except (OSError, ValueError) as error:
        report.add(nowhere, "declarations", f"The file cannot be opened: {_reason(error)}.")
        return None
    if not files:
        message = "This folder contains no YAML file."
        report.add(nowhere, "declarations", message, allowed=tuple(f"*{ending}" for ending in _ENDINGS))
    if len(files) > MAX_FILES:
        report.add(nowhere, "declarations", f"This folder contains more than {MAX_FILES:,} YAML files.")
        return None
    return files


def fingerprint(path: Path) -> str:
    """A short text that differs when a file of the declarations at `path` does."""
    digest = hashlib.sha256()
    try:
        for file in _files_in(path) if path.is_dir() else [path]:
            for part in (str(file.relative_to(path)).encode(), file.read_bytes()):
                digest.update(len(part).to_bytes(8, "big") + part)
    except OSError as error:
        digest.update(str(error).encode())
    return digest.hexdigest()[:16]


def modified_at(path: Path) -> dict[Path, tuple[int, int]]:
    """When each file of the declarations at `path` was changed (in nanoseconds), and its size."""
    found = {}
    with suppress(OSError):
        for file in _files_in(path) if path.is_dir() else [path]:
            with suppress(OSError):  # an editor may be replacing it
                status = file.stat()
                found[file] = (status.st_mtime_ns, status.st_size)
    return found


def holds_yaml(folder: Path) -> bool:
    """Whether a folder holds a YAML file, in it or below; one that cannot be read holds none."""
    try:
        return bool(_files_in(folder))
    except OSError:
        return False


def _files_in(folder: Path) -> list[Path]:
    """The YAML files in a folder and below, sorted; hidden ones belong to editors and version control."""
    files = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [
            Path(here, name) for name in names if name.lower().endswith(_ENDINGS) and not name.startswith(".")
        ]
    return sorted(files)


def _read_document(path: Path, report: Report) -> MapNode | None:
    text = _read_text(path, report)
    if text is None:
        return None
    source = SourceText(str(path), text)
    report.watch(source)
    try:
        node = compose(str(path), text, report)
    except UnreadableYamlError:
        return None
    source.is_structured = True
    return _top_level(node, report)


def _top_level(node: Node, report: Report) -> MapNode | None:
    if isinstance(node, MapNode):
        return node
    report.hide(node)
    if kind_of(node) == "nothing":
        report.add(node, "file", "The file is empty.", hint="Add declarations, or delete the file.")
    else:
        hint = "Start with a key such as `segments:`."
        report.add(node, "file", f"The file must contain a mapping, not {kind_of(node)}.", hint=hint)
    return None


def _read_text(path: Path, report: Report) -> str | None:
    start = Place(str(path), 1, 1)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        report.add(start, "file", f"The file cannot be opened: {_reason(error)}.")
        return None
    if len(data) > MAX_BYTES:
        report.add(start, "file", f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace").split("\n")
        encoding = next((name for mark, name in _OTHER_ENCODINGS if data.startswith(mark)), None)
        message = (
            f"The file is encoded in {encoding}, not UTF-8." if encoding else "The file is not valid UTF-8."
        )
        place = Place(str(path), len(before), len(before[-1]) + 1)
        report.add(place, "file", message, hint="Save the file as UTF-8.")
        return None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)


def absolute(path: str, file: str) -> str:
    """A path as written in `file`, made absolute; `~` is the home of the user."""
    return os.path.abspath(os.path.join(os.path.dirname(file), os.path.expanduser(path)))  # noqa: PTH100, PTH111, PTH118, PTH120 - pathlib keeps `..` and raises where no home is known
