"""The wheel in a fresh environment, outside of the repository: from nothing to the first tag."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import requests

from dinmo_pipeline.cli.development.ports import free_port

PROJECT = Path(__file__).parents[2]
# They would lead to the repository, or to a project of whoever runs the tests.
FOREIGN = ("PYTHONPATH", "DINMO_CONFIG", "DAGSTER_HOME", "INTERCOM_ACCESS_TOKEN", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with nothing of ours but the wheel."""

    folder: Path

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a shell in which it is active."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**{k: v for k, v in os.environ.items() if k not in FOREIGN}, "PATH": path}

    def run(self, command: str, folder: Path) -> str:
        """Run a command line to its end; what it printed."""
        done = subprocess.run(
            shlex.split(command),
            cwd=folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def files(self) -> set[str]:
        """The files of the installed package, but for compiled ones."""
        installed = self.packages.rglob("*")
        return {str(path) for path in installed if path.is_file() and path.suffix != ".pyc"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Builds and installs the wheel. Dependencies come from the environment of the tests, to save minutes."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; `make test` installs it")
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("fresh")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = [*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(wheels), str(PROJECT)]
    subprocess.run(built, check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    fresh = Environment(folder)
    python = str(folder / "bin" / "python")
    subprocess.run([*pip, "--python", python, "install", "--no-index", "--no-deps", str(wheel)], check=True)
    # As lines of a .pth file: what the .pth files there say, such as an editable install, is not followed.
    dependencies = [path for path in sys.path if Path(path).name == "site-packages"]
    (fresh.packages / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    return fresh


@pytest.fixture
def folder(tmp_path):
    """A folder with a warehouse, and nothing else."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(
            "create table customers as select i as customer_id, 'person' || i || '@example.com' as email"
            " from range(200) t(i)"
        )
    return tmp_path


def readme_commands():
    """The commands of the README, after the one that installs."""
    text = (PROJECT / "README.md").read_text().split("## Use it for your own users")[1]
    install, *commands = re.search(r"```\n(.*?)```", text, re.DOTALL)[1].strip().splitlines()
    assert install.startswith("pip install 'dinmo-pipeline[")
    assert len(commands) <= 2
    return commands


def test_the_readme_leads_from_nothing_to_the_first_tag(environment, folder):
    """Two commands after the install. Only the port differs, since other tests run beside this one."""
    before = environment.files()
    imported = environment.run("python -c 'import dinmo_pipeline; print(dinmo_pipeline.__file__)'", folder)
    assert str(PROJECT) not in imported
    init, dev = readme_commands()
    environment.run(init, folder)
    port = free_port()
    declared = folder / "crm" / "dinmo.yaml"
    declared.write_text(declared.read_text().replace(":8055", f":{port}"))
    with subprocess.Popen(
        ["sh", "-c", f"{dev.replace('dinmo dev', 'exec dinmo dev')}"],
        cwd=folder,
        env={**environment.variables, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if line.split()[:2] == ["all_customers", "ok"]:
                    break
            else:
                pytest.fail("".join(said))
            tag = f"http://127.0.0.1:{port}/_emulator/tags/All%20customers/contacts"
            tagged = requests.get(tag, timeout=30)
            assert len(tagged.json()["contacts"]) > 100
            doctor = json.loads(environment.run("dinmo doctor --json", folder / "crm"))
            assert doctor["ok"], doctor
            statuses = {finding["subject"]: finding["status"] for finding in doctor["findings"]}
            assert (statuses["daemon"], statuses["settings"], statuses["DAGSTER_HOME"]) == ("ok", "ok", "ok")
        finally:
            process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait() == 0
    assert environment.files() == before


def test_the_sample_and_the_instance_settings_are_in_the_wheel(environment, tmp_path):
    """Nothing is written beside the package."""
    before = environment.files()
    environment.run("dinmo init shop --sample", tmp_path)
    found = json.loads(environment.run("dinmo segments --json", tmp_path / "shop"))
    assert len(found) > 3
    settings = (tmp_path / "shop" / "dagster.yaml").read_text()
    assert settings == (PROJECT / "dagster.yaml").read_text()
    assert environment.files() == before


def test_every_extra_that_a_message_names_exists():
    """`pip install 'dinmo-pipeline[NAME]'`."""
    named = {
        extra
        for path in (PROJECT / "dinmo_pipeline").rglob("*.py")
        for extras in re.findall(r"dinmo-pipeline\[([a-z,]+)\]", path.read_text())
        for extra in extras.split(",")
    }
    assert {"ui", "emulator"} <= named
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert named <= set(declared)
