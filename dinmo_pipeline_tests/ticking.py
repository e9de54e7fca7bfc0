"""Ticks of sensors, evaluated by hand as Dagster's daemon does."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg
from sqlalchemy import Engine, event


@dataclass
class Ticks:
    """Evaluates the sensors of some definitions on an instance, each from its last cursor."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self, name: str = "tag_changes_sensor") -> tuple[list[str | None], str | None]:
        """Evaluate a sensor; the activations it requests runs for, and its skip message."""
        requests, skip_message = self.requests(name)
        return [activation for request in requests for activation in requested(request)], skip_message

    def requests(self, name: str) -> tuple[list[dg.RunRequest], str | None]:
        """Evaluate a sensor; the runs it requests, and its skip message."""
        sensor = self.definitions.resolve_sensor_def(name)
        resources = self.definitions.resources or {}
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(name),
            definitions=self.definitions,
            resources={key: resources[key] for key in sensor.required_resource_keys},
        ) as context:
            result = sensor.evaluate_tick(context)
        self.cursors[name] = result.cursor
        assert result.cursor
        return list(result.run_requests or ()), result.skip_message


def requested(request: dg.RunRequest) -> list[str]:
    """The activations of a requested run."""
    for op in request.run_config.get("ops", {}).values():
        if "activations" in op["config"]:
            return list(op["config"]["activations"])
    assert request.partition_key
    return [request.partition_key]


@contextmanager
def counted_queries() -> Iterator[Counter[str]]:
    """The number of statements that any SQLAlchemy engine executes, as `queries`."""
    counts: Counter[str] = Counter()

    def count(*_cursor: object) -> None:
        counts["queries"] += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield counts
    finally:
        event.remove(Engine, "before_cursor_execute", count)
