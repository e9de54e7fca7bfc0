"""Whether a destination still leads to the workspace that its tags and contacts in the state belong to.

A token tells nothing of its workspace, so Intercom is asked, by one call of `GET /me`. That is worth a call
only when something may have changed: the token or the host is another than before, or, which a token of
Intercom cannot do but an emulator can, a tag is not where we put it.
"""

from dinmo_pipeline.intercom.client import IntercomClient, Workspace
from dinmo_pipeline.intercom.errors import ConfigurationError, MergedError, NotFoundError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.workspaces import (
    Landmarks,
    RecordedWorkspace,
    landmarks,
    record_workspace,
    recorded_workspace,
)
from dinmo_pipeline.sync.session import Session

# A tag or a contact may be deleted; that all of some are is told from another workspace by a person.
_LANDMARKS = 3


def ensure_same_workspace(
    state: StateDatabase,
    destination: str,
    intercom: IntercomClient,
    *,
    doubtful: bool = False,
    record: bool = True,
) -> None:
    """Refuse a workspace that is not the one of the destination so far; remember the first one.

    No call while the token and the host are those of the last time, unless it is `doubtful`; else one. A
    state that holds tags or contacts but no workspace, as those of the first release do, is recognised by
    some of them, which takes up to 6 calls more, once. With `record` false the state is only read.

    Raises:
        ConfigurationError: it is another workspace, or cannot be recognised.
        IntercomError: Intercom does not tell.
    """
    with state.reading() as connection:
        known = recorded_workspace(connection, destination)
    if known and known.access == intercom.access and not doubtful:
        return
    found = intercom.workspace()
    if not found.id:
        # Intercom's description allows it to be null: then nothing can be compared.
        return
    if known is None:
        _recognise(state, destination, intercom, found)
    elif known.workspace_id != found.id:
        raise _other_workspace(destination, known, found, intercom)
    if record:
        _remember(state, destination, intercom, found)


def ensure_workspace_of(session: Session, *, doubtful: bool = False, record: bool = True) -> None:
    """The same for the destination of a session."""
    ensure_same_workspace(
        session.state,
        session.activation.destination,
        session.intercom,
        doubtful=doubtful,
        record=record,
    )


def _remember(
    state: StateDatabase, destination: str, intercom: IntercomClient, found: Workspace
) -> None:
    seen = RecordedWorkspace(found.id, found.name, intercom.access)
    with state.transaction() as connection:
        known = recorded_workspace(connection, destination)
        # Another run may have come first, with another token.
        if known and known.workspace_id != found.id:
            raise _other_workspace(destination, known, found, intercom)
        if known != seen:
            record_workspace(connection, destination, seen)


def _recognise(
    state: StateDatabase, destination: str, intercom: IntercomClient, found: Workspace
) -> None:
    with state.reading() as connection:
        marks = landmarks(connection, destination, limit=_LANDMARKS)
    if (marks.tags or marks.contacts) and not _any_exists(intercom, marks):
        raise ConfigurationError(
            f"Destination {destination!r} leads to the Intercom workspace {_named(found)}, and none of the"
            " tags and contacts that the state has of this destination exist there: it seems to be another"
            f" workspace than before. {_way_out('the workspace of before', intercom)}"
        )


def _any_exists(intercom: IntercomClient, marks: Landmarks) -> bool:
    return any(intercom.tags.get(tag) for tag in marks.tags) or any(
        _contact_exists(intercom, contact) for contact in marks.contacts
    )


def _contact_exists(intercom: IntercomClient, contact_id: str) -> bool:
    """Whether Intercom ever had the contact in this workspace: one that was merged counts."""
    try:
        intercom.contacts.get(contact_id)
    except MergedError:
        return True
    except NotFoundError:
        return False
    return True


def _other_workspace(
    destination: str, known: RecordedWorkspace, found: Workspace, intercom: IntercomClient
) -> ConfigurationError:
    before = _name_and_id(known.name, known.workspace_id)
    return ConfigurationError(
        f"Destination {destination!r} leads to the Intercom workspace {_named(found)} now, but its tags and"
        f" contacts in the state belong to the workspace {before}. {_way_out(before, intercom)}"
    )


def _way_out(before: str, intercom: IntercomClient) -> str:
    token = intercom.token_name[:1].lower() + intercom.token_name[1:]
    return (
        f"Nothing was written. To go on in {before}, put right what leads there: {token}, `region` or"
        " `base_url`. If the move is meant, declare the new workspace as another destination, under a key"
        " of its own (docs/guides/operate.md)."
    )


def _named(workspace: Workspace) -> str:
    return _name_and_id(workspace.name, workspace.id)


def _name_and_id(name: str, workspace_id: str) -> str:
    return f"{name!r} ({workspace_id})"
