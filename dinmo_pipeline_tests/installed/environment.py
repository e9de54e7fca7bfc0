"""Virtual environments in which the wheel is installed, as its users have them."""

import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# They would lead to the repository, or to a project of whoever runs the tests.
FOREIGN = ("PYTHONPATH", "DINMO_CONFIG", "DAGSTER_HOME", "INTERCOM_ACCESS_TOKEN", "VIRTUAL_ENV")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with nothing of ours but the wheel, and the variables of a shell in it."""

    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a shell in which it is active."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {**kept, **self.extra, "PATH": path, "COLUMNS": "200"}

    def run(self, command: str, folder: Path, code: int = 0) -> str:
        """Run a command line to its end; what it printed."""
        done = subprocess.run(
            shlex.split(command),
            cwd=folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    @contextmanager
    def running(self, command: str, folder: Path, until: str) -> Iterator[str]:
        """A command line that runs until the end of the block, once a line of it matches `until`."""
        with subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=folder,
            env={**self.variables, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                said = []
                for line in process.stdout:
                    said.append(line)
                    if re.search(until, line):
                        break
                else:
                    pytest.fail("".join(said))
                yield "".join(said)
            finally:
                process.send_signal(signal.SIGTERM)
                rest = process.stdout.read()
            assert process.wait() == 0, rest

    def files(self) -> set[str]:
        """The files of the installed packages, but for compiled ones."""
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))
        return {str(path) for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def built_wheel(folder: Path) -> Path:
    """The wheel of this repository. Its build needs no package index."""
    built = [*PIP, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(PROJECT)]
    subprocess.run(built, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed(folder: Path, constraints: str, *requirements: str) -> Environment:
    """A new environment with some packages from the package index, at pinned versions.

    Without an index, the test is skipped.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    install = [*PIP, "--python", str(folder / "bin" / "python"), "install"]
    (pinned,) = re.findall("^packaging==.*$", (PROJECT / constraints).read_text(), re.MULTILINE)
    if subprocess.run([*install, "--no-deps", pinned], check=False).returncode:
        pytest.skip("No package index can be reached, so the wheel's dependencies cannot be installed")
    subprocess.run([*install, "--constraint", str(PROJECT / constraints), *requirements], check=True)
    return Environment(folder)
