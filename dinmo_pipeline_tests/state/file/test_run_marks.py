"""A mark distinguishes a killed run from a living one, and from one that ended."""

import pytest

from dinmo_pipeline.state.errors import StateUnusableError
from dinmo_pipeline.state.file.run_marks import dead_runs, run_mark
from dinmo_pipeline_tests.state.file.other_process import marking_run


def test_a_run_is_dead_when_its_process_was_killed(tmp_path):
    """Not before, and its mark is found until somebody deletes it."""
    with marking_run(tmp_path, "a-run") as other:
        assert list(dead_runs(tmp_path)) == []
        other.kill()
        assert [run_id for run_id, _ in dead_runs(tmp_path)] == ["a-run"]
        ((_, mark),) = dead_runs(tmp_path)
        mark.unlink()
    assert list(dead_runs(tmp_path)) == []


def test_a_run_marks_itself_once(tmp_path):
    """`dinmo sync` marks it before the run exists, and the run's resources mark it again."""
    folder = tmp_path / "locks"
    with run_mark(folder, "a-run"):
        with run_mark(folder, "a-run"):
            pass
        assert [mark.name for mark in folder.iterdir()] == ["a-run.run"]
        assert list(dead_runs(folder)) == []
    assert list(folder.iterdir()) == []


def test_a_mark_that_vanishes_during_the_check_is_not_a_dead_run(tmp_path):
    """Its run ended after the folder was listed."""
    with marking_run(tmp_path, "first") as other, marking_run(tmp_path, "second"):
        other.kill()
        found = dead_runs(tmp_path)
        assert next(found)[0] == "first"
        (tmp_path / "second.run").unlink()
        assert list(found) == []


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    """A StateUnusableError with the path and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(StateUnusableError), run_mark(tmp_path / "file" / "locks", "a-run"):
        pass
