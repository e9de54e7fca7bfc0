"""Declarations are found from the current folder upwards, and their `.env` files with them."""

import shutil

import pytest

from dinmo_pipeline.config import (
    DeclarationsNotFoundError,
    dg_project_around,
    load_project,
    locate,
    named_by_component,
    read_dg_project,
    variables,
)
from dinmo_pipeline_tests.config.reading import SOURCE_AND_STATE


@pytest.fixture
def repository(tmp_path):
    """A repository with a folder two levels down."""
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "a" / "b").mkdir(parents=True)
    return tmp_path / "repository"


@pytest.mark.parametrize("name", ["dinmo.yaml", "dinmo/vip.yaml", "declarations/eu/vip.yml"])
def test_declarations_are_found_above_the_current_folder(repository, name):
    """A file, or a folder with YAML files; the project's folder is the one that holds it."""
    file = repository / "a" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("segments: {}")
    located = locate({}, repository / "a" / "b")
    assert located.declarations == repository / "a" / name.split("/")[0]
    assert located.folder == repository / "a"


def test_the_nearest_wins_and_others_beside_it_are_named(repository):
    """The one above is another project's; those beside it are probably a mistake."""
    (repository / "dinmo.yaml").touch()
    for name in ("dinmo", "declarations"):
        (repository / "a" / name).mkdir()
        (repository / "a" / name / "x.yaml").touch()
    located = locate({}, repository / "a" / "b")
    assert located.declarations == repository / "a" / "dinmo"
    assert located.not_read == (repository / "a" / "declarations",)


def test_the_search_ends_at_the_root_of_the_repository(repository):
    """In a worktree, `.git` is a file. A Python package called `dinmo` is no declarations."""
    (repository.parent / "dinmo.yaml").touch()
    (repository / "dinmo").mkdir()
    (repository / "dinmo" / "__init__.py").touch()
    with pytest.raises(DeclarationsNotFoundError, match=r"no dinmo\.yaml.*Run `dinmo init`"):
        locate({}, repository / "a")
    (repository / ".git").rmdir()
    (repository / ".git").write_text("gitdir: elsewhere")
    with pytest.raises(DeclarationsNotFoundError, match="or above it, up to"):
        locate({}, repository / "a")


def test_outside_of_a_repository_only_the_current_folder_counts(tmp_path):
    """The folder above may be shared by everybody, as temporary folders are."""
    (tmp_path / "dinmo.yaml").touch()
    (tmp_path / "a").mkdir()
    with pytest.raises(DeclarationsNotFoundError):
        locate({}, tmp_path / "a")
    assert locate({}, tmp_path).declarations == tmp_path / "dinmo.yaml"


def test_a_variable_names_the_declarations_in_the_environment_or_in_an_env_file(repository):
    """A path in the environment is relative to the current folder, one in a file to the file."""
    (repository / "dinmo.yaml").touch()
    here = repository / "a" / "b"
    assert locate({"DINMO_CONFIG": "../mine"}, here).declarations == here / "../mine"
    (repository / ".env").write_text("DINMO_CONFIG=elsewhere/segments\n")
    located = locate({}, here)
    assert (located.declarations, located.folder) == (repository / "elsewhere" / "segments", repository)
    assert locate({"DINMO_CONFIG": "/x.yaml"}, here).declarations.as_posix() == "/x.yaml"
    assert "DINMO_CONFIG" not in variables(located, {})


def test_the_environment_wins_over_env_files_and_the_file_beside_over_a_nearer_one(repository):
    """Quotes, `export` and comments as `dg` reads them."""
    (repository / "dinmo.yaml").touch()
    (repository / ".env").write_text("export TOKEN='beside' # ours\nURI=beside\nEMPTY\nONLY=beside\n")
    (repository / "a" / ".env").write_text("TOKEN=near\nNEAR=near\n")
    located = locate({}, repository / "a")
    assert variables(located, {"URI": "environment"}) == {"TOKEN": "beside", "ONLY": "beside", "NEAR": "near"}


COMPONENT = "type: dinmo_pipeline.SegmentActivationsComponent\nattributes: {declarations: segments/}\n"


@pytest.fixture
def dg_project(repository):
    """A `dg` project with a component whose declarations are beside it, and one of somebody else."""
    (repository / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "shop"\n')
    defs = repository / "src" / "shop" / "defs"
    (defs / "crm" / "segments").mkdir(parents=True)
    (defs / "crm" / "defs.yaml").write_text(COMPONENT)
    (defs / "dlt").mkdir()
    (defs / "dlt" / "defs.yaml").write_text("type: [\n")
    return repository


def test_the_declarations_of_a_component_are_found_from_its_project(dg_project):
    """By the file of the component, also in its folder, and outside of a repository."""
    declarations = dg_project / "src" / "shop" / "defs" / "crm" / "segments"
    (declarations / "dinmo.yaml").touch()
    for here in (dg_project / "a" / "b", declarations, declarations.parent):
        assert locate({}, here).declarations == declarations
    shutil.rmtree(dg_project / ".git")
    for here in (dg_project, declarations, declarations.parent):
        assert locate({}, here).declarations == declarations
    project = dg_project_around(declarations)
    assert project
    assert (project.module, project.location) == ("shop.definitions", dg_project.name)
    assert project.imports == dg_project / "src"
    assert dg_project_around(dg_project / "a" / "dinmo.yaml") is None


def test_a_component_may_read_declarations_that_are_elsewhere(dg_project):
    """Its names and its project hold for them, too."""
    shutil.rmtree(dg_project / "src" / "shop" / "defs" / "crm" / "segments")
    path = "../../../../segments/"
    component = dg_project / "src" / "shop" / "defs" / "crm" / "defs.yaml"
    component.write_text(COMPONENT.replace("segments/", f"{path}, name: crm"))
    (dg_project / "segments").mkdir()
    (dg_project / "segments" / "dinmo.yaml").write_text(SOURCE_AND_STATE)
    located = locate({}, dg_project)
    assert located.declarations.samefile(dg_project / "segments")
    for declarations in (located.declarations, dg_project / "segments"):
        assert named_by_component(load_project(declarations), declarations).dagster.name == "crm"
        assert dg_project_around(declarations)


def test_several_components_are_not_guessed_from(dg_project):
    """Which one a person means, only they know."""
    ops = dg_project / "src" / "shop" / "defs" / "ops"
    (ops / "segments").mkdir(parents=True)
    (ops / "defs.yaml").write_text(COMPONENT)
    with pytest.raises(DeclarationsNotFoundError, match=r"crm/segments and .*ops/segments.*DINMO_CONFIG"):
        locate({}, dg_project)


def test_dg_toml_describes_a_project_too(tmp_path):
    """It wins over pyproject.toml, as with `dg`."""
    (tmp_path / "pyproject.toml").write_text('[tool.dg.project]\nroot_module = "other"\n')
    (tmp_path / "dg.toml").write_text(
        '[project]\nroot_module = "shop"\ncode_location_name = "crm"\ndefs_module = "shop.parts"\n'
    )
    project = read_dg_project(tmp_path)
    assert (project.location, project.module) == ("crm", "shop.definitions")
    assert project.defs == tmp_path / "shop" / "parts"
