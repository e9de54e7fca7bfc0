"""The folder of the Dagster instance: `$DAGSTER_HOME`, else one in the project."""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dinmo_pipeline.config import DeclarationsNotFoundError, dg_project_around, locate, search_folders

if TYPE_CHECKING:
    import dagster as dg
    from sqlalchemy.exc import DBAPIError

DEFAULT_NAME: Final = ".dagster"
SETTINGS_NAME: Final = "dagster.yaml"


def ensure_dagster_home() -> Path:
    """Set `DAGSTER_HOME` for this process, unless it is set, to the folder `.dagster` in the project.

    Raises:
        click.UsageError: `DAGSTER_HOME` is not a folder that can be written to.
        click.ClickException: the folder in the project cannot be created.
    """
    if home := os.environ.get("DAGSTER_HOME"):
        require_usable(home)
        return Path(home)
    home_folder = make_dagster_home(undeclared_home().parent)
    os.environ["DAGSTER_HOME"] = str(home_folder)
    return home_folder


def make_dagster_home(project: Path) -> Path:
    """Create the folder `.dagster` in a project, which git ignores.

    Its dagster.yaml is a link to the project's, or the package's own if the project has none.

    Raises:
        click.ClickException: it cannot be created.
    """
    home = project / DEFAULT_NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        settings = home / SETTINGS_NAME
        with suppress(FileExistsError):  # also if another process comes first
            if (project / SETTINGS_NAME).exists():
                settings.symlink_to(Path("..") / SETTINGS_NAME)
            else:
                _create(settings, default_settings())
        with suppress(FileExistsError):
            _create(home / ".gitignore", "*\n")
    except OSError as error:
        raise click.ClickException(
            f"The folder {home} for Dagster's runs cannot be created: {error.strerror}. Set"
            " DAGSTER_HOME to the absolute path of a folder that can be written to."
        ) from error
    return home


def default_settings() -> str:
    """The settings of a Dagster instance that the pipeline recommends: limits, monitoring, no telemetry."""
    return files("dinmo_pipeline").joinpath(SETTINGS_NAME).read_text("utf-8")


def undeclared_home() -> Path:
    """The folder that is used while `DAGSTER_HOME` is not set.

    It is in the nearest folder with a dagster.yaml, from the project's folder upwards in its repository. The
    project of a component is the `dg` project.
    """
    here = Path.cwd()
    try:
        located = locate(os.environ, here)
    except DeclarationsNotFoundError:
        folder = here
    else:
        project = dg_project_around(located.declarations)
        folder = project.folder if project else located.folder
    settled = (each for each in search_folders(folder) if (each / SETTINGS_NAME).exists())
    return next(settled, folder) / DEFAULT_NAME


def _create(file: Path, text: str) -> None:
    """Write a new file; another process sees all of it or nothing."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, encoding="utf-8", delete=False) as temporary:
        temporary.write(text)
    try:
        Path(temporary.name).chmod(0o644)
        os.link(temporary.name, file)
    finally:
        Path(temporary.name).unlink()


@contextmanager
def dagster_instance() -> "Iterator[dg.DagsterInstance]":
    """The Dagster instance of `DAGSTER_HOME`.

    Raises:
        click.ClickException: its settings are wrong, or its storage cannot be used, now or during the block.
    """
    home = ensure_dagster_home()
    # Dagster takes seconds to import.
    import dagster as dg  # noqa: PLC0415
    import yaml  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    try:
        with _opened(home) as instance:
            yield instance
    except dg.DagsterInvalidConfigError as error:
        problems = " ".join(problem.message for problem in error.errors)
        raise click.ClickException(f"{home / 'dagster.yaml'} is not valid: {problems}") from error
    except yaml.YAMLError as error:
        raise click.ClickException(f"{home / 'dagster.yaml'} is not valid YAML: {error}") from error
    except DBAPIError as error:
        raise _unusable(home, error) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise _unusable(home, error) from error


def _opened(home: Path) -> "dg.DagsterInstance":
    """The instance. What is wrong with a storage other than SQLite shows when it is opened, in many ways."""
    import dagster as dg  # noqa: PLC0415
    import yaml  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    try:
        return dg.DagsterInstance.get()
    except (dg.DagsterInvalidConfigError, yaml.YAMLError, DBAPIError, OSError):
        raise
    except Exception as error:
        for cause in _causes(error):
            if isinstance(cause, DBAPIError):
                raise _unusable(home, cause) from error
            if isinstance(cause, ModuleNotFoundError):
                raise click.ClickException(_missing_module(home, str(cause.name))) from error
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _missing_module(home: Path, module: str) -> str:
    settings = home / "dagster.yaml"
    if module == "psycopg":
        return (
            f"{settings} leads to psycopg 3, which is not installed. Add `scheme: postgresql+psycopg2` to its"
            " `postgres_db`, as in deploy/dagster.yaml."
        )
    package = module.partition(".")[0]
    fix = {
        "dagster_postgres": "Run pip install 'dinmo-pipeline[deploy]'.",
        "dagster_k8s": "Run pip install 'dinmo-pipeline[kubernetes]'.",
    }.get(package, "Install the package that contains it, or correct the name.")
    return f"{settings} names the module {module}, which is not installed. {fix}"


def require_usable(home: str) -> None:
    """Check that `DAGSTER_HOME` is a folder that can be written to.

    Raises:
        click.UsageError: it is not.
    """
    path, use_project = Path(home), "or unset it to use the folder .dagster in the project"
    if not path.is_absolute():
        problem = f"a relative path. Set it to an absolute one ({path.resolve()}), {use_project}."
    elif not path.exists():
        problem = f"which does not exist. Create the folder, {use_project}."
    elif not path.is_dir():
        problem = f"which is not a folder. Set it to one, {use_project}."
    elif not os.access(path, os.W_OK | os.X_OK):
        problem = f"where this user cannot write. Change its permissions, {use_project}."
    else:
        return
    raise click.UsageError(f"DAGSTER_HOME is {home!r}, {problem}")


def _unusable(home: Path, error: "DBAPIError | OSError") -> click.ClickException:
    if isinstance(error, OSError):
        reason, is_file = str(error.strerror), True
    else:
        reason = str(error.orig).strip().partition("\n")[0].rstrip(".")
        is_file = isinstance(error.orig, sqlite3.Error)
    fix = (
        "Free space there or change its permissions, or set DAGSTER_HOME to another folder."
        if is_file
        else f"Check that its server runs, and the `storage:` of {home / 'dagster.yaml'}."
    )
    return click.ClickException(
        f"Dagster's storage in {home} cannot be used: {reason}. {fix} Nothing is lost: the next sync does"
        " the rest."
    )
