"""What the README shows is true: its declarations load, its commands and files exist."""

import re
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
    listed = set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))
    assert listed == set(dinmo.commands)


def test_links_and_pictures_of_the_documents_exist():
    """Relative ones, in the README and in docs."""
    for page in (PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *PROJECT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_versions_are_pinned_by_name_alone():
    """No host, no path."""
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line) for line in lines)
