"""`dinmo emulator`: run a local Intercom."""

import zlib
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dinmo_pipeline.cli.messages import report
from dinmo_pipeline.cli.project import declared_project, open_declared_source
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.text.wording import counted

if TYPE_CHECKING:
    from dinmo_pipeline.emulator import NewContact


def require_emulator() -> None:
    """Check that the optional extra of the emulator is installed.

    Raises:
        click.ClickException: it is not; the message says how to install it.
    """
    missing = [name for name in ("starlette", "uvicorn", "httptools") if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"The emulator needs {', '.join(missing)}. Run pip install 'dinmo-pipeline[emulator]'."
        )


@click.command()
@click.option("--port", default=8055, show_default=True, help="Port to listen on.")
@click.option("--token", help="The only bearer token to accept; by default any.")
@click.option("--workspace-id", default="emul8tor", show_default=True, help="Workspace id.")
@click.option("--seed", type=int, help="Seed of contact and tag ids; by default 0, or one of the contacts.")
@click.option(
    "--contacts",
    "contacts_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file of contacts to start with: email, external_id, name, role, created_at, tags.",
)
@click.option(
    "--contacts-from-source",
    "share",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Start with a share of the members of the declared activations, such as 0.8.",
)
@click.option("--rate-limit", default=1667, show_default=True, help="Calls per 10 seconds.")
@click.option("--latency-ms", default=0.0, show_default=True, help="Delay of each response.")
@click.option("--index-lag-s", default=0.0, show_default=True, help="Delay of search after a write.")
@click.option("--in-cap", default=0, show_default=True, help="Max values in an IN; 0: no limit.")
def emulator(
    *,
    port: int,
    token: str | None,
    workspace_id: str,
    seed: int | None,
    contacts_file: Path | None,
    share: float | None,
    rate_limit: int,
    latency_ms: float,
    index_lag_s: float,
    in_cap: int,
) -> None:
    r"""Run a local Intercom until interrupted. Open its address in a browser to see the contacts.

    \b
    Examples:
      dinmo emulator
      dinmo emulator --port 8060 --rate-limit 1000
    """
    require_emulator()
    from dinmo_pipeline.emulator import (  # noqa: PLC0415  # an optional extra
        ContactsFileError,
        EmulatorSettings,
        read_contacts,
        seed_of,
        serve,
    )

    if contacts_file and share:
        raise click.UsageError("--contacts cannot be used with --contacts-from-source. Choose one.")
    try:
        contacts = read_contacts(contacts_file) if contacts_file else []
    except ContactsFileError as error:
        raise click.ClickException(str(error)) from None
    if share:
        contacts = contacts_of_members(declared_project(), share)
    if contacts:
        report(f"It starts with {counted(len(contacts), 'contact')}.")
    settings = EmulatorSettings(
        rate_limit=rate_limit,
        latency_ms=latency_ms,
        index_lag_s=index_lag_s,
        in_cap=in_cap,
        token=token,
        workspace_id=workspace_id,
        seed=seed_of(contacts) if seed is None else seed,
        # The tags of an earlier start are gone, and a pipeline may still know their ids.
        first_tag_id=int(datetime.now(UTC).timestamp()) if contacts and seed is None else 0,
    )
    try:
        serve(settings, port=port, contacts=contacts)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on port {port}: {error.strerror}. Choose another one with --port."
        ) from error


def contacts_of_members(project: Project, share: float) -> "list[NewContact]":
    """A contact for a share of the identifiers that the enabled activations would send, the same each time.

    A person who is sent by email and by user id becomes two contacts, which no row says are one.

    Raises:
        SegmentError, SourceError: as a sync does.
    """
    from dinmo_pipeline.emulator import NewContact  # noqa: PLC0415  # an optional extra
    from dinmo_pipeline.segments import select_activated  # noqa: PLC0415  # 0.3 s to import

    identifiers: dict[str, dict[str, None]] = {"email": {}, "user_id": {}}
    now = datetime.now(UTC)
    with open_declared_source(project) as source:
        for activation in project.activations.values():
            if not activation.enabled:
                continue
            found = identifiers[activation.match_by]
            for batch in source.batches(select_activated(project, activation, source, now=now).sql):
                found.update(dict.fromkeys(str(each).strip() for each in batch.column(0).to_pylist() if each))
    emails = dict.fromkeys(each.lower() for each in identifiers["email"] if _is_chosen(each.lower(), share))
    user_ids = [each for each in identifiers["user_id"] if _is_chosen(each, share)]
    return [
        *(NewContact(email=email) for email in emails if email),
        *(NewContact(external_id=user_id) for user_id in user_ids if user_id),
    ]


def _is_chosen(identifier: str, share: float) -> bool:
    return zlib.crc32(identifier.encode()) < share * 2**32
