"""Webserver, daemon and code server of one Dagster instance, and how they get changed declarations."""

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from dinmo_pipeline.cli.development.code_location import CodeLocation
from dinmo_pipeline.cli.development.ports import LOOPBACK, free_port, is_open
from dinmo_pipeline.cli.development.processes import Processes
from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.config import ConfigError, load_project, modified_at

_TIMEOUT_SECONDS: Final = 60
_WATCH_SECONDS: Final = 1.0
_RELOAD: Final = """
mutation ($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
    ... on PythonError { message }
  }
}
"""


@dataclass(frozen=True, slots=True)
class DagsterServers:
    """The running servers, with the address of the web page and the name of the code location."""

    url: str
    location: str

    def reload(self) -> str | None:
        """Load the declarations again; what went wrong, or None.

        The code server is shared, so the daemon gets them too.
        """
        try:
            query = {"query": _RELOAD, "variables": {"name": self.location}}
            answer = requests.post(f"{self.url}/graphql", json=query, timeout=_TIMEOUT_SECONDS)
            answer.raise_for_status()
            entry = answer.json()["data"]["reloadRepositoryLocation"]
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            return f"The webserver did not answer: {error}"
        loaded = entry.get("locationOrLoadError") or entry
        return str(loaded["message"]) if loaded["__typename"] == "PythonError" else None


@contextmanager
def dagster_servers(processes: Processes, port: int, code_location: CodeLocation) -> Iterator[DagsterServers]:
    """Start the three and wait until the page can be opened.

    One code server serves both others, since a daemon with its own starts a new one each minute
    (dagster#20444), and would not see what the webserver reloads.

    Raises:
        click.ClickException: one of them ended.
    """
    code_port = free_port()
    with tempfile.TemporaryDirectory(prefix="dinmo-dev-") as folder:
        workspace = Path(folder) / "workspace.yaml"
        server = {"host": LOOPBACK, "port": code_port, "location_name": code_location.name}
        # YAML contains JSON.
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), "utf-8")
        processes.start("code server", _code_server(code_port, code_location))
        processes.wait_until(lambda: is_open(code_port))
        processes.start("webserver", _webserver(workspace, port))
        # One after the other: Dagster's own storage breaks if several processes create it at once.
        processes.wait_until(lambda: is_open(port))
        processes.start("daemon", _daemon(workspace))
        yield DagsterServers(f"http://{LOOPBACK}:{port}", code_location.name)


def watch(
    declarations: Path, env_files: Iterable[Path], processes: Processes, reload: Callable[[], None]
) -> None:
    """Call `reload` when the declarations have changed and are right; until a process ends.

    Raises:
        click.ClickException: a process ended.
    """
    seen, environment = modified_at(declarations), _modified(env_files)
    while True:
        processes.require_all()
        time.sleep(_WATCH_SECONDS)
        now = modified_at(declarations)
        if now != seen:
            seen = now
            try:
                load_project(declarations)
            except ConfigError as error:
                report(f"{error}\n\nNot loaded: the earlier declarations stay until this is right.")
            else:
                reload()
        if _modified(env_files) != environment:
            environment = _modified(env_files)
            report("A .env file has changed. Start `dinmo dev` again to use it.")


def _modified(files: Iterable[Path]) -> list[int]:
    return [file.stat().st_mtime_ns if file.exists() else 0 for file in files]


def _code_server(port: int, code_location: CodeLocation) -> list[str]:
    project = code_location.project
    return [
        *("dagster", "code-server", "start", "--module-name", code_location.module),
        *(("--working-directory", str(project.imports.resolve())) if project else ()),
        *("--location-name", code_location.name),
        *("--host", LOOPBACK, "--port", str(port), "--log-level", "warning"),
        "--use-python-environment-entry-point",
    ]


def _webserver(workspace: Path, port: int) -> list[str]:
    return [
        *("dagster_webserver", "--workspace", str(workspace), "--host", LOOPBACK, "--port", str(port)),
        *("--log-level", "warning", "--dagster-log-level", "warning"),
    ]


def _daemon(workspace: Path) -> list[str]:
    return ["dagster._daemon", "run", "--workspace", str(workspace), "--log-level", "warning"]
