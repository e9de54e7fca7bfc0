"""A segment's members, from the source into the state's engine; the source is closed before anything else.

While a DuckDB file is open for reading, no other program can write it: so it is open for the query only.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import duckdb

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.segments import ActivatedSelect, OpenSource, refuse_unfit_numbers, select_activated
from dinmo_pipeline.state.membership import StagedMembers, stage_members
from dinmo_pipeline.state.readings import count_not_whole

Opening = Callable[[], AbstractContextManager[OpenSource]]


def staging(
    project: Project,
    activation: Activation,
    opening: Opening,
    on_select: Callable[[ActivatedSelect], None] = lambda _select: None,
) -> Callable[[duckdb.DuckDBPyConnection], StagedMembers]:
    """A function that reads an activation's members from the source into `incoming` (see `stage_members`).

    `on_select` gets the SELECT. A signal, or the source's time limit, stops the reading.

    Raises (when called):
        SegmentError: the segment does not fit the source, or its numbers cannot be user ids.
        SourceError: the source does not answer.
    """

    def stage(connection: duckdb.DuckDBPyConnection) -> StagedMembers:
        with opening() as source:
            # The moment of the reading, not the moment at which a wait began.
            now = datetime.now(UTC)
            select = select_activated(project, activation, source, now=now)
            on_select(select)
            source.stoppable(
                lambda: stage_members(connection, source.batches(select.sql), activation.match_by),
                connection.interrupt,
            )
        if select.identifier.is_number:
            refuse_unfit_numbers(project, activation, select.identifier, count_not_whole(connection))
        return StagedMembers(now, select.identifier.type)

    return stage
