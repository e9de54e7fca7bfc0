"""A mark tells a run that was killed from one that is alive, and from one that ended."""

import pytest

from dinmo_pipeline.state.errors import StateUnusableError
from dinmo_pipeline.state.file.run_marks import dead_runs, run_mark
from dinmo_pipeline_tests.state.file.other_process import marking_run


def test_a_run_is_dead_when_its_process_was_killed(tmp_path):
    """And not before; what it leaves is found until somebody takes it away."""
    with marking_run(tmp_path, "a-run") as other:
        assert list(dead_runs(tmp_path)) == []
        other.kill()
        assert [run_id for run_id, _ in dead_runs(tmp_path)] == ["a-run"]
        ((_, mark),) = dead_runs(tmp_path)
        mark.unlink()
    assert list(dead_runs(tmp_path)) == []


def test_a_run_marks_itself_once(tmp_path):
    """`dinmo sync` before it makes the run, and the run's resources again."""
    folder = tmp_path / "locks"
    with run_mark(folder, "a-run"):
        with run_mark(folder, "a-run"):
            pass
        assert [mark.name for mark in folder.iterdir()] == ["a-run.run"]
        assert list(dead_runs(folder)) == []
    assert list(folder.iterdir()) == []


def test_a_mark_that_goes_while_it_is_looked_at_is_no_dead_run(tmp_path):
    """Its run ended after the folder was listed."""
    with marking_run(tmp_path, "first") as other, marking_run(tmp_path, "second"):
        other.kill()
        found = dead_runs(tmp_path)
        assert next(found)[0] == "first"
        (tmp_path / "second.run").unlink()
        assert list(found) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    """Is the state's trouble, in words."""
    (tmp_path / "file").touch()
    with pytest.raises(StateUnusableError), run_mark(tmp_path / "file" / "locks", "a-run"):
        pass
