"""A file, or a folder of files that make one project."""

import os
import sys

import pytest

from dinmo_pipeline.config import ConfigError, load_project
from dinmo_pipeline_tests.config.reading import (
    DESTINATION,
    SOURCE_AND_STATE,
    load_files,
    refusal_of_files,
)


def _lines(error):
    return [f"{problem.place}: {problem.subject}: {problem.message}" for problem in error.problems]


def test_files_of_a_folder_are_merged_in_order_of_their_names():
    """Folders below too; hidden ones and other files not."""
    project = load_files(
        {
            "b.yml": "segments: {x: {table: t}}\nactivations: {x: }\n",
            "a.yaml": SOURCE_AND_STATE + DESTINATION,
            "more/c.YAML": "segments: {a: {table: t}}\n",
            ".git/d.yaml": "nonsense",
            ".e.yaml": "nonsense",
            "notes.txt": "nonsense",
        }
    )
    assert list(project.segments) == ["x", "a"]
    assert list(project.activations) == ["x"]


def test_paths_are_relative_to_the_file_they_are_in(tmp_path):
    """Not to where a person happens to be."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text("source: {type: csv, folder: ../data}\n")
    (tmp_path / "b.yaml").write_text("state: {database: state.duckdb}\n")
    project = load_project(tmp_path)
    assert project.source.path == tmp_path / "data"
    assert project.state.database == str(tmp_path / "state.duckdb")


def test_one_object_in_two_files_is_refused_naming_both():
    """And `source` and `state` are declared once."""
    error = refusal_of_files(
        {
            "a.yaml": SOURCE_AND_STATE + "segments: {x: {table: t}}\n",
            "b.yaml": "state: {database: other.duckdb}\nsegments: {x: {table: t}}\n",
        }
    )
    assert _lines(error) == [
        "b.yaml:1:1: state: This is declared twice. The first is at a.yaml:2:1.",
        "b.yaml:2:12: segment 'x': This is declared twice. The first is at a.yaml:3:12.",
    ]


def test_problems_of_every_file_are_reported_at_once_and_none_that_follow_from_them():
    """What a file that cannot be read declares is not reported as missing."""
    error = refusal_of_files(
        {
            "a.yaml": "activations: {x: {segment: y, enable: true}}\n",
            "b.yaml": "segments: {y: [}\n",
        }
    )
    assert _lines(error) == [
        "a.yaml:1:31: activation 'x': There is no setting `enable` here.",
        "b.yaml:1:16: file: Invalid YAML: something is missing or misplaced here.",
    ]


def test_source_and_state_are_required():
    """With an example of each."""
    error = refusal_of_files({"a.yaml": "models: {}\n"})
    assert _lines(error) == [
        ".:1:1: source: `source` is missing.",
        ".:1:1: state: `state` is missing.",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xff\xfea\x00", "a.yaml:1:1: file: The file is encoded in UTF-16, not UTF-8."),
        (b"a: b\nc: \xe9\n", "a.yaml:2:4: file: The file is not valid UTF-8."),
    ],
)
def test_other_encodings_are_refused(content, line):
    """With the place of the first wrong byte."""
    assert _lines(refusal_of_files({"a.yaml": content})) == [line]


def test_a_utf_8_byte_order_mark_and_windows_line_ends_are_accepted():
    """Editors on Windows write them."""
    text = "\ufeff" + (SOURCE_AND_STATE + "segments:\n  x: {tabel: t}\n").replace("\n", "\r\n")
    error = refusal_of_files({"a.yaml": text})
    assert _lines(error)[0] == "a.yaml:4:6: segment 'x': The segment does not define its members."
    assert error.problems[0].excerpt.lines[-1] == (4, "  x: {tabel: t}")


def test_a_path_without_declarations(tmp_path):
    """A missing path and a folder without YAML."""
    for path, message in (
        (tmp_path / "missing", "This path does not exist."),
        (tmp_path, "This folder contains no YAML file."),
    ):
        with pytest.raises(ConfigError) as caught:
            load_project(path)
        assert [problem.message for problem in caught.value.problems] == [message]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    """The system's reason is given."""
    file = tmp_path / "a.yaml"
    file.write_text(SOURCE_AND_STATE)
    file.chmod(0)
    with pytest.raises(ConfigError) as caught:
        load_project(file)
    assert caught.value.problems[0].message == "The file cannot be opened: Permission denied."


def test_a_name_with_a_null_character_is_no_traceback(tmp_path):
    """Python refuses such a path in its own way."""
    with pytest.raises(ConfigError):
        load_project(tmp_path / "a\0b")
