"""The deployment's files agree with one another and with the package."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from dinmo_pipeline.orchestration.runs.batch import DESTINATION_TAG
from dinmo_pipeline_tests.deploy.files import DEPLOY, PROJECT, image_command, parsed

OPTIONS_OF_THE_CODE = ["--module-name", "dinmo_pipeline.definitions", "--location-name", "dinmo_pipeline"]
UNITS = sorted((DEPLOY / "systemd").iterdir())
EXTRAS = set(tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def test_every_file_serves_the_same_code_location():
    """Under the name by which workspace.yaml expects it."""
    (location,) = parsed("workspace.yaml")["load_from"]
    assert location["grpc_server"]["location_name"] == "dinmo_pipeline"
    (deployment,) = parsed("values.yaml")["dagster-user-deployments"]["deployments"]
    unit = (DEPLOY / "systemd/dinmo-code.service").read_text()
    assert image_command("CMD")[-4:] == deployment["dagsterApiGrpcArgs"] == OPTIONS_OF_THE_CODE
    assert " ".join(OPTIONS_OF_THE_CODE) in unit


def test_only_the_code_server_has_secrets_and_the_state():
    """In Compose, in Kubernetes and with systemd."""
    services = parsed("compose.yaml")["services"]
    with_secrets = {name for name, service in services.items() if "pipeline.env" in service["env_file"]}
    with_state = {
        name
        for name, service in services.items()
        if any(volume.startswith("state:") for volume in service["volumes"])
    }
    assert with_secrets == with_state == {"code"}
    values = parsed("values.yaml")
    for pod in ("dagsterDaemon", "dagsterWebserver"):
        assert not {"env", "envSecrets", "volumes"} & set(values[pod])
    reading = [unit.name for unit in UNITS if "pipeline.env" in unit.read_text()]
    assert reading == ["dinmo-code.service"]


def test_nothing_listens_beyond_the_machine():
    """There is no access control in Dagster, so a proxy comes first."""
    services = parsed("compose.yaml")["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    hosts = re.findall(r"--host (\S+)", "".join(unit.read_text() for unit in UNITS))
    assert set(hosts) == {"127.0.0.1"}


def test_limits_of_runs_are_those_of_the_project():
    """Kubernetes also runs one at a time per destination."""
    project, deployed = (
        parsed(name)["concurrency"]["runs"]["tag_concurrency_limits"]
        for name in (PROJECT / "dagster.yaml", "dagster.yaml")
    )
    assert deployed == project
    limits = parsed("values.yaml")["concurrency"]["runs"]["tagConcurrencyLimits"]
    of_destination = {"key": DESTINATION_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    assert limits == [*project, of_destination]


def test_the_pods_of_runs_get_what_the_code_server_has():
    """All that opens the state is on one node, as one user, and nothing deletes the volume."""
    values = parsed("values.yaml")
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert deployment["includeConfigInLaunchedRuns"] == {"enabled": True}
    assert deployment["nodeSelector"]
    assert {mount["name"] for mount in deployment["volumeMounts"]} == {"state", "declarations"}
    (claim,) = values["extraManifests"]
    assert deployment["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    user = re.search(r"^USER (\d+):(\d+)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    security = deployment["podSecurityContext"]
    assert user
    assert {*map(int, user.groups())} == {security["runAsUser"], security["fsGroup"]}


def test_extras_that_the_files_name_exist():
    """In the image's build arguments, in comments and in the guide."""
    named = {
        extra
        for path in (*DEPLOY.glob("*"), PROJECT / "docs/guides/production.md")
        if path.is_file()
        for listed in re.findall(r"EXTRAS[=:]\s?(?:\$\{EXTRAS:-)?([a-z,]+)", path.read_text())
        for extra in listed.split(",")
    }
    assert {"ui", "deploy", "kubernetes"} <= named <= EXTRAS


def test_every_variable_of_the_instance_has_an_example():
    """PostgreSQL's own image reads the same ones."""
    needed = set(re.findall(r"\{env: (POSTGRES_\w+)\}", (DEPLOY / "dagster.yaml").read_text()))
    assert needed == set(re.findall(r"(POSTGRES_\w+)=", (DEPLOY / "postgres.env.example").read_text()))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path):
    """As `systemd-analyze verify` says, with the commands where they are here."""
    folder = sys.executable.rpartition("/")[0]
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/dinmo/bin", folder))
    verified = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.iterdir())],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
