"""What the README shows is true: its declarations load, its commands and files exist."""

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path

from dinmo_pipeline.cli.main import dinmo
from dinmo_pipeline.config import load_project

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()


def test_the_declarations_of_the_readme_are_right(tmp_path):
    """Loaded as they stand."""
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "readme.yaml").write_text(block)
    project = load_project(tmp_path / "readme.yaml")
    assert project.activations["vip_customers"].schedule == "0 * * * *"
    assert project.activations["churned"].guards.max_removed_share == 0.5


def test_the_readme_lists_every_command():
    """And none that does not exist."""
    table = README.split("| `dinmo …` | |")[1].split("\n\n")[0]
    listed = set(re.findall(r"^\| `([\w-]+)", table, re.MULTILINE))
    assert listed == set(dinmo.commands)


def test_links_and_pictures_of_the_documents_exist():
    """Relative ones, in the top folder and in docs."""
    for page in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_versions_are_pinned_by_name_alone():
    """No host, no path."""
    for file in ("constraints.txt", "dinmo_pipeline_tests/dbt/constraints.txt"):
        lines = (PROJECT / file).read_text().splitlines()
        assert lines
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line) for line in lines)
    package = json.loads((PROJECT / "dinmo_pipeline_tests/editors/package.json").read_text())
    assert all(re.fullmatch(r"[0-9.]+", version) for version in package["dependencies"].values())


def test_the_changelog_has_the_version():
    """With its date, after what is not released yet."""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (.+)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}", headings[1])


def test_the_package_is_marked_as_typed():
    """As its classifier `Typing :: Typed` says."""
    assert files("dinmo_pipeline").joinpath("py.typed").is_file()
