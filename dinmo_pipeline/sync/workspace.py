"""The workspace of a destination, opened only while it is the one that the state knows.

The state holds Intercom's ids of tags and contacts, which mean nothing in another workspace. A token does
not say which workspace it opens, so Intercom is asked, by one call of `GET /me`. That call is made only when
something may have changed: the token or the host differs from last time, or a tag is not where we put it
(which cannot happen with one token of Intercom, but can with an emulator).
"""

from dataclasses import replace
from datetime import datetime

from dinmo_pipeline.intercom.client import IntercomClient, Workspace
from dinmo_pipeline.intercom.contacts import Contacts
from dinmo_pipeline.intercom.errors import ConfigurationError, MergedError, NotFoundError
from dinmo_pipeline.intercom.tags import Tags
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.workspaces import (
    RecordedWorkspace,
    destination_of,
    landmarks,
    record_workspace,
    recorded_workspace,
)

# Single tags and contacts may be deleted. When this many of each are missing, it is another workspace.
_LANDMARKS = 3


class OpenedWorkspace:
    """The calls to a destination's workspace, given out once it is known to be the same as before.

    The first use verifies the workspace: without a call while token and host are those of last time, else
    by one. A state that has tags or contacts but no workspace, as those of the first release do, is
    recognised by some of them, which takes up to 6 more calls, once.

    Args:
        state: where the workspace of the destination is recorded.
        destination: key of the destination.
        client: calls the workspace that the destination leads to now.
        records: whether a newly seen workspace is recorded; if false, the state is only read.

    Raises:
        ConfigurationError: on first use, if it is another workspace or cannot be recognised.
        IntercomError: on first use, if Intercom does not say which workspace it is.
    """

    def __init__(
        self,
        state: StateDatabase,
        destination: str,
        client: IntercomClient,
        *,
        records: bool = True,
    ) -> None:
        self._state = state
        self._destination = destination
        self._client = client
        self._records = records
        self._is_verified = False
        # When sign-ups were last read through here, which sessions that share the workspace need not repeat.
        self.signups_read_at: datetime | None = None

    @property
    def tags(self) -> Tags:
        """The tag calls."""
        self._verify_once()
        return self._client.tags

    @property
    def contacts(self) -> Contacts:
        """The contact calls."""
        self._verify_once()
        return self._client.contacts

    @property
    def calls(self) -> int:
        """How many requests went out so far, retries included."""
        return self._client.calls

    def verify_again(self) -> None:
        """Ask Intercom whether it is the same workspace: a tag or contact is not where we put it.

        At most one call, also when it is used again.
        """
        self._verify(self._recorded())

    def _verify_once(self) -> None:
        if self._is_verified:
            return
        known = self._recorded()
        if known is None or known.access != self._client.access:
            self._verify(known)
        self._is_verified = True

    def _recorded(self) -> RecordedWorkspace | None:
        with self._state.reading() as connection:
            return recorded_workspace(connection, self._destination)

    def _verify(self, known: RecordedWorkspace | None) -> None:
        found = self._client.workspace()
        if not found.id:
            # Intercom's description allows a null id: then nothing can be compared.
            return
        if known is None:
            self._recognise(found)
            self._refuse_shared(found)
        elif known.workspace_id != found.id:
            raise self._other_workspace(known, found)
        if self._records:
            self._record(found)

    def _refuse_shared(self, found: Workspace) -> None:
        """With a state file for each destination, none of them sees who owns a tag in another."""
        for database in self._state.others:
            with replace(self._state, database=database).reading() as connection:
                other = destination_of(connection, found.id)
            if other:
                raise ConfigurationError(
                    f"Destinations {other!r} and {self._destination!r} both lead to the Intercom workspace"
                    f" {_named(found)}, but each has a state file of its own. Send all activations of a"
                    " workspace to one destination, or keep one state for all: `state: {database: …}`."
                )

    def _record(self, found: Workspace) -> None:
        seen = RecordedWorkspace(found.id, found.name, self._client.access)
        with self._state.transaction() as connection:
            known = recorded_workspace(connection, self._destination)
            # Another run may have come first, with another token.
            if known and known.workspace_id != found.id:
                raise self._other_workspace(known, found)
            if known != seen:
                record_workspace(connection, self._destination, seen)

    def _recognise(self, found: Workspace) -> None:
        with self._state.reading() as connection:
            marks = landmarks(connection, self._destination, limit=_LANDMARKS)
        if not (marks.tags or marks.contacts):
            return
        if any(self._client.tags.get(tag) for tag in marks.tags):
            return
        if any(_existed(self._client, contact) for contact in marks.contacts):
            return
        raise ConfigurationError(
            f"Destination {self._destination!r} leads to the Intercom workspace {_named(found)}. It has"
            " none of the tags and contacts that the state knows of this destination, so it seems to be"
            f" another workspace than before. {_way_out('the earlier workspace', self._client)}"
        )

    def _other_workspace(self, known: RecordedWorkspace, found: Workspace) -> ConfigurationError:
        before = f"{known.name!r} ({known.workspace_id})"
        return ConfigurationError(
            f"Destination {self._destination!r} now leads to the Intercom workspace {_named(found)}, but"
            f" its tags and contacts in the state belong to the workspace {before}."
            f" {_way_out(before, self._client)}"
        )


def _existed(client: IntercomClient, contact_id: str) -> bool:
    """Whether the workspace ever had the contact: a merged one counts."""
    try:
        client.contacts.get(contact_id)
    except MergedError:
        return True
    except NotFoundError:
        return False
    return True


def _way_out(before: str, client: IntercomClient) -> str:
    token = client.token_name[:1].lower() + client.token_name[1:]
    return (
        f"Nothing was written. To stay in {before}, correct {token}, `region`, or `base_url`. If you"
        " mean to move, declare the new workspace as another destination, under a key of its own"
        " (docs/guides/operate.md)."
    )


def _named(workspace: Workspace) -> str:
    return f"{workspace.name!r} ({workspace.id})"
